//! What is shown and how one moves about in it. Pure: answers, keys and times go in, and what there is to draw comes out.

mod history;
mod input;
mod keys;
mod picture;
mod saved;
mod state;
#[cfg(test)]
pub(super) mod tests;
mod update;

pub(super) use history::{Day, History};
pub(super) use keys::{Effect, press};
pub(super) use picture::PortLine;
pub(super) use saved::saved;
pub(super) use state::{Model, Pane, View};
pub(super) use update::{Answer, FlowAnswer, Update, Wanted, WantedFlow};
