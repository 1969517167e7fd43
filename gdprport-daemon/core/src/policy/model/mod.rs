//! What a policy means: the types, and how one value compares with another.
//!
//! How they are made from what is written is `merge`'s, how they are searched is `compile`'s.

mod declaration;
mod exception;
mod fit;
mod image;
mod naming;
mod pattern;
mod peer;
mod port_key;
mod process;
mod range;

pub(crate) use declaration::{Declaration, Model, Rule, Site};
pub(crate) use exception::Exception;
pub(crate) use fit::Fit;
pub(crate) use image::ImageFacts;
pub(crate) use naming::Evidence;
pub use pattern::exactly;
pub(crate) use pattern::{Glob, ImagePattern, Pattern, WILDCARDS};
pub(crate) use peer::{PeerSets, PeerSpec, is_set_name, loopback_nets};
pub(crate) use port_key::PortKey;
pub(crate) use process::{ProcessKey, ProcessSpec};
