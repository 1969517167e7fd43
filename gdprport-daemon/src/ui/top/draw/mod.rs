//! How it looks, in ratatui's buffer.
//!
//! Belongs here: lines, columns and colours. What is shown, and in which order, is `model`'s.

mod cells;
mod coverage;
mod flow;
mod frame;
mod groups;
mod help;
mod palette;
mod ports;
mod screen;
#[cfg(test)]
mod tests;
mod words;

pub(super) use palette::Palette;
pub(super) use screen::screen;
