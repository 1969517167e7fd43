//! For readers elsewhere: an audit as Markdown for people and SARIF for tools that collect findings, the record of processing
//! activities as a page with its map, a sheet, and in forms that other tools import, what there is for controls of frameworks, and
//! evidence packs.
//!
//! Belongs here: rendering, purely. What is found is `gdprport_core::audit`'s, what is recorded `gdprport_core::records`'s, tables on
//! a terminal are `ui`'s.

mod charts;
mod csv;
mod drawings;
mod exchange;
mod frameworks;
mod incident;
mod json;
mod map;
mod markdown;
mod pack;
#[cfg(test)]
mod pictures;
mod record;
#[cfg(test)]
pub(crate) mod samples;
mod sarif;
#[cfg(test)]
mod schemas;
mod svg;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use charts::NAMES as CHART_FILES;
pub(crate) use drawings::Drawings;
pub(crate) use exchange::{dpv, fides};
pub(crate) use frameworks::{
    Document as Frameworks, pack_command, page as frameworks_page, sheet as frameworks_sheet,
};
pub(crate) use incident::{Document as IncidentDocument, page as incident_page};
pub(crate) use json::pretty;
pub(crate) use map::{FILES as MAP_FILES, View, mark};
pub(crate) use markdown::markdown;
pub(crate) use pack::{
    Checked, FileSum, Found, MANIFEST, Pack, ROTATIONS, SIGNATURE, Signature, check as check_pack,
    write_files as write_pack,
};
#[cfg(test)]
pub(crate) use pictures::pictured;
#[cfg(test)]
pub(crate) use record::{hostile as hostile_records, records as sample_records};
pub(crate) use record::{html, markdown as record_markdown, own_page, page, sheet};
pub(crate) use sarif::sarif;
pub(crate) use words::Lang;
