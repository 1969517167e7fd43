//! Deciding connections in the kernel: from the policy and what is known of the host to the tables that are in force.
//!
//! Belongs here: when tables are made, put in force, grown and removed, and what is said where that cannot be done. What they say is
//! `gdprport_core::enforce`'s, how they are written `host::probes`'s.
//!
//! Tables are made for a policy, and again when its host names resolve otherwise, when the clock is set (rules end by the time of
//! day), when this host begins or ceases to translate addresses, and when what appeared was more than could be followed. Between
//! that they grow. A thread makes and writes them, and removes those of before (`thread`): of a large policy that takes seconds, in
//! which the loop goes on. What is in force stays so meanwhile, and what changes that is the loop's, in one step. Where tables cannot
//! be put in force nothing is decided, which is said wherever the daemon speaks of itself: tables of another policy would be worse.

mod appearing;
#[expect(clippy::module_inception, reason = "it holds the type of this name, and this file only declares")]
mod enforcer;
mod making;
mod modes;
mod presence;
mod thread;
mod work;

pub(super) use enforcer::{Enforcer, room};
pub(super) use presence::OwnSinks;
pub(super) use thread::Done;
