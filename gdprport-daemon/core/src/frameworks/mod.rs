//! What one ledger and one policy have for the controls of several frameworks: GDPR, PCI DSS, NIS2, DORA, ISO 27001, SOC 2.
//!
//! Belongs here: which control asks for what (`control`), what there is for it (`figures`, `answer`), and the list of what is
//! allowed (`services`). It is evidence for a control, never a judgement of it. How it looks is the layer `report`'s.

mod answer;
mod assess;
mod control;
mod figures;
mod model;
mod restricted;
mod services;
#[cfg(test)]
mod tests;
mod watched;

pub use assess::answers;
pub use control::{Control, Framework, Topic};
pub use figures::{Facts, LedgerSpan};
pub use model::{Answer, Answered, Assessed, Basis, Said, Standing};
pub use services::{AllowedService, allowed_services};
