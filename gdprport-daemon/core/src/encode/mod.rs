//! Events as bytes. Belongs here: one file or folder per encoding, each pure and appending one complete record. Does not
//! belong here: the types of events (`event`), where the bytes go (`sink`, `deliver`).

mod cef;
mod decided;
mod ecs;
mod encoding;
mod escape;
mod flow_line;
mod memo;
mod native;
mod object;
mod ocsf;
mod sentence;
mod sides;
#[cfg(test)]
mod tests;

pub use cef::cef;
pub use ecs::ecs;
pub use encoding::Encoding;
pub use escape::json;
pub use flow_line::Encoder;
pub use native::native;
pub use ocsf::ocsf;
