//! What of a live view is wanted: `port:`, `peer:`, `verdict:` and others, and free words.

mod matching;
mod parse;
mod term;

pub use matching::Subject;
pub use parse::FilterError;
pub use term::Filter;
