//! Drawings as SVG 1.1, built by parts.
//!
//! Belongs here: `element` (the parts that a drawing can have), `across` (parts of those
//! that are as wide as there is room), `path` (lines and how numbers are written) and `drawing` (a whole one,
//! for a page or alone). What is drawn is the map's and the charts'. No part can run anything or load anything, every text is
//! escaped, and colours are the style sheet's: parts have classes.

mod across;
mod drawing;
mod element;
mod path;

pub(crate) use across::Along;
pub(crate) use drawing::{Drawing, Svg};
pub(crate) use element::Element;
pub(crate) use path::Path;
