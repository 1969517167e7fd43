//! Records, read by a parser that knows only the standard.

mod parser;
mod records;
