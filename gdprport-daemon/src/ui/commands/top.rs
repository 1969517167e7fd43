//! `top`: a live view.

use std::path::Path;
use std::sync::Arc;

use anstream::ColorChoice;

use super::super::cli::{Color, TopArgs};
use super::super::exit::Exit;
use super::super::screen::choice;
use super::super::top::{OpenLedger, TopOptions, run as show};
use super::files::open_ledger;
use super::new_file::{FileError, write_new_private};
use crate::app::host_name;
use crate::control::client::ControlClient;

pub(super) fn run(args: TopArgs, client: ControlClient, json: bool, color: Color) -> anyhow::Result<Exit> {
    let named = args.ledger;
    let ledger: OpenLedger = Arc::new(move |written| {
        let Some(place) = named.clone().or(written) else {
            return Err("this daemon keeps no ledger; --ledger names another one".to_owned());
        };
        open_ledger(Some(&place)).map_err(|error| error.to_string())
    });
    let colour = choice(color, &std::io::stdout()) != ColorChoice::Never;
    show(TopOptions {
        client,
        filter: args.filter.join(" "),
        ledger,
        colour,
        json,
        host: host_name(),
        save,
    })?;
    Ok(Exit::Fine)
}

/// Flows name people and their programs: only whoever saves them reads them.
fn save(path: &Path, json: &[u8]) -> Result<(), Option<String>> {
    write_new_private(path, json).map_err(|error| match error {
        FileError::Exists(_) => None,
        error @ FileError::Write { .. } => Some(error.to_string()),
    })
}
