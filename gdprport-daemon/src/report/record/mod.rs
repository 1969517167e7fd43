//! The record of processing activities for people: a page (HTML, Markdown) and a sheet (CSV).
//!
//! Belongs here: `build`, `activity` with `rules`, and `own` make a page of what the core has gathered, in one language; `html`, `markdown` and
//! `sheet` render. What is gathered is `gdprport_core::records`'s.

pub(super) mod activity;
mod breaks;
pub(super) mod build;
pub(super) mod cells;
mod html;
pub(super) mod limits;
mod markdown;
mod own;
pub(super) mod page;
mod rules;
#[cfg(test)]
pub(super) mod samples;
mod sheet;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_own;

pub(crate) use build::page;
pub(crate) use html::html;
pub(crate) use markdown::markdown;
pub(crate) use own::own_page;
pub(crate) use page::{Cell, Column, Figure, Key, Kind, Room, Table};
#[cfg(test)]
pub(crate) use samples::{EVIL, hostile, nothing, records};
pub(crate) use sheet::sheet;
