//! Drawings as SVG 1.1, built by parts.
//!
//! Belongs here: `element` (the parts that a drawing can have), `path` (lines and how numbers are written) and `drawing` (a whole one,
//! for a page or alone). What is drawn is the map's and the charts'. No part can run anything or load anything, every text is
//! escaped, and colours are the style sheet's: parts have classes.

mod drawing;
mod element;
mod path;

pub(crate) use drawing::{Drawing, Svg};
pub(crate) use element::Element;
pub(crate) use path::Path;
