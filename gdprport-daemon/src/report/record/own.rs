//! The monitor's own record of processing: what it stores of whom, for how long, and who gets it, by its configuration.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::super::words::{Lang, fill};
use super::build::controller;
use super::cells::day_time;
use super::page::{Cell, Fact, Kind, Page, Section};
use gdprport_core::policy::Controller;

/// The configuration, as far as it says what is processed. As JSON it is `record.json` of `--self`.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the configuration")]
pub(crate) struct Own {
    /// `gdprport.own-record/1`.
    pub(crate) format: &'static str,
    pub(crate) host: Arc<str>,
    pub(crate) version: &'static str,
    pub(crate) made: Timestamp,
    /// Whether there is a file of the configuration.
    pub(crate) configured: bool,
    /// The controller, as declared; not the path of a file.
    #[serde(skip)]
    pub(crate) controller: Option<Controller>,
    /// Days and bytes that the ledger may have; absent: none is kept.
    pub(crate) ledger: Option<(u32, u64)>,
    /// Seconds and bytes that the spool may have; absent: there is none.
    pub(crate) spool: Option<(u64, u64)>,
    /// The file of events.
    pub(crate) file: Option<String>,
    pub(crate) journald: bool,
    /// Whether there is a receiver on the network.
    pub(crate) sinks: bool,
    /// Whether metrics are served.
    pub(crate) metrics: bool,
    /// Whether addresses of peers are pseudonyms.
    pub(crate) peers_hidden: bool,
    /// Whether they are networks only.
    pub(crate) peers_cut: bool,
    /// Whether accounts of persons are pseudonyms.
    pub(crate) users_hidden: bool,
}

impl Own {
    /// The format's name.
    pub(crate) const FORMAT: &'static str = "gdprport.own-record/1";
}

/// The page.
pub(crate) fn own_page(own: &Own, lang: Lang) -> Page {
    let words = lang.words();
    let set = |lines: Vec<String>| Cell::lines(Kind::Plain, lines);
    let one = |line: &str| Cell::new(Kind::Plain, line);
    let mut data = vec![words.own_data.to_owned()];
    let pieces = [
        (own.peers_hidden, words.own_data_hidden_peers),
        (own.peers_cut && !own.peers_hidden, words.own_data_cut_peers),
        (own.users_hidden, words.own_data_hidden_users),
        (!(own.users_hidden && (own.peers_hidden || own.peers_cut)), words.own_data_plain),
        (own.peers_hidden || own.peers_cut || own.users_hidden, words.own_data_before),
        (true, words.own_never),
    ];
    data.extend(pieces.into_iter().filter(|(holds, _)| *holds).map(|(_, piece)| piece.to_owned()));
    let file = own.file.as_ref().map(|file| fill(words.own_file, &[file]));
    let mut recipients: Vec<String> = file.into_iter().collect();
    let pieces = [(own.journald, words.own_journald), (own.sinks, words.own_sinks)];
    recipients.extend(pieces.into_iter().filter(|(holds, _)| *holds).map(|(_, piece)| piece.to_owned()));
    let leaves = !recipients.is_empty();
    if !leaves {
        recipients.push(words.own_no_recipients.to_owned());
    }
    if own.metrics {
        recipients.push(words.own_metrics.to_owned());
    }
    recipients.push(words.own_control.to_owned());
    let mut limits = vec![match own.ledger {
        Some((days, bytes)) => fill(words.own_ledger_kept, &[&lang.count(days.into()), &lang.bytes(bytes)]),
        None => words.own_ledger_off.to_owned(),
    }];
    limits.extend(own.spool.map(|(seconds, bytes)| {
        let keep = lang.duration(Duration::from_secs(seconds).as_secs());
        fill(words.own_spool_kept, &[&keep, &lang.bytes(bytes)])
    }));
    if leaves {
        limits.push(words.own_elsewhere.to_owned());
    }
    let facts = [
        (words.purpose, "30(1)(b)", one(words.own_purpose)),
        (words.subjects, "30(1)(c)", one(words.own_subjects)),
        (words.data, "30(1)(c)", set(data)),
        (words.own_recipients, "30(1)(d)", set(recipients)),
        (words.own_retention, "30(1)(f)", set(limits)),
        (words.own_measures, "30(1)(g)", one(words.own_measures_text)),
    ];
    let section = Section {
        id: "own".to_owned(),
        title: words.own_name.to_owned(),
        about: Vec::new(),
        badge: None,
        facts_are: Kind::Plain,
        facts: facts.into_iter().map(|(name, law, cell)| Fact { name, law, cell }).collect(),
        seen: Vec::new(),
        tables: Vec::new(),
    };
    Page {
        lang,
        title: words.own_title,
        head: vec![(words.host, own.host.to_string()), (words.made, day_time(own.made))],
        notices: Vec::new(),
        sections: vec![section, controller(own.controller.as_ref(), lang)],
        has_legend: false,
        foot: vec![
            format!("{}.", if own.configured { words.own_source } else { words.own_defaults }),
            format!("{}.", words.own_legal),
            fill(words.version, &[own.version]),
        ],
    }
}
