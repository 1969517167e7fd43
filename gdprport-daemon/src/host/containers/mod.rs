//! How containers are called, by the state that their runtimes keep on this host.
//!
//! Belongs here: where that state is, reading it, whose word it is, and doing so beside the loop. What its bytes mean is
//! `core::container`'s.

mod beneath;
mod key;
mod lane;
mod look;
mod names;
mod places;
mod sources;
mod survey;
mod threads;
mod users;
mod word;

pub(in crate::host) use key::Directory;
pub(in crate::host) use names::ContainerNames;
pub(crate) use places::Places;
pub(crate) use survey::{Surveyed, survey};
