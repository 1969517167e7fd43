//! Events as bytes. Belongs here: one file per encoding, each pure and appending one complete record. Does not belong
//! here: the types of events (`event`), where the bytes go (`sink`).

mod encoding;
mod escape;
mod flow_line;
mod memo;
mod native;

pub use encoding::Encoding;
pub use escape::json;
pub use flow_line::Encoder;
pub use native::native;
