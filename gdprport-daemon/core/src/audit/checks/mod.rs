//! The checks, one file for each group of findings. The comment of each says when it finds, by what evidence, how severe it is
//! and why, and what makes it not judged.

mod certificates;
mod changes;
mod countries;
mod coverage;
mod encryption;
mod enforced;
mod listeners;
mod records;
mod rules;
mod run;
mod unused;
mod usage;
mod volume;
mod volume_report;

pub(super) use run::all;
pub(super) use volume::READ_DAYS;
