//! The data-flow map of a record: in a page and as files of their own.
//!
//! Belongs here: `view` (the map in one language, and the texts that all renderings share), `draw` with `line` and `detail` (SVG),
//! `figure` (with legend and table, for a page), `dot` (Graphviz) and `mermaid`. What is on it and where it stands is
//! `gdprport_core::map`'s; on a terminal it is `ui`'s.

mod detail;
mod dot;
mod draw;
mod figure;
mod line;
mod mermaid;
#[cfg(test)]
mod picture;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod tests;
mod view;

pub(super) use figure::figure;
pub(crate) use view::{FILES, View, mark};
