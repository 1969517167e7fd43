//! The monitor's own record of processing: what it stores of whom, for how long, and who gets it, by its configuration.

use super::super::words::{Lang, fill};
use super::build::controller;
use super::cells::day_time;
use super::page::{Cell, Fact, Kind, Page, Section};
use gdprport_core::records::{KeptFor, KeptLog, Own, SentTo, ShownAs};

/// The page.
pub(crate) fn own_page(own: &Own, lang: Lang) -> Page {
    let words = lang.words();
    let set = |lines: Vec<String>| Cell::lines(Kind::Plain, lines);
    let one = |line: &str| Cell::new(Kind::Plain, line);
    let mut data = vec![words.own_data.to_owned()];
    let pieces = [
        (own.peers == ShownAs::Pseudonyms, words.own_data_hidden_peers),
        (own.peers == ShownAs::Networks, words.own_data_cut_peers),
        (own.users == ShownAs::Pseudonyms, words.own_data_hidden_users),
        ([own.peers, own.users].contains(&ShownAs::AsIs), words.own_data_plain),
        ([own.peers, own.users] != [ShownAs::AsIs; 2], words.own_data_before),
        (true, words.own_never),
    ];
    data.extend(pieces.into_iter().filter(|(holds, _)| *holds).map(|(_, piece)| piece.to_owned()));
    let file = own.file.as_ref().map(|file| fill(words.own_file, &[file]));
    let mut recipients: Vec<String> = file.into_iter().collect();
    recipients.extend(own.journald.then(|| words.own_journald.to_owned()));
    recipients.extend(own.receivers.iter().map(|receiver| {
        let name = receiver.name.as_deref().unwrap_or("?");
        match &receiver.to {
            Some(SentTo { kind, place }) => fill(words.own_sink, &[name, kind, place]),
            None => fill(words.own_sink_faulty, &[name]),
        }
    }));
    let leaves = !recipients.is_empty();
    if !leaves {
        recipients.push(words.own_no_recipients.to_owned());
    } else if !own.receivers.is_empty() && own.spool.is_none() {
        recipients.push(words.own_no_spool.to_owned());
    }
    if own.metrics {
        recipients.push(words.own_metrics.to_owned());
    }
    recipients.push(words.own_control.to_owned());
    let mut limits = vec![match own.ledger {
        Some(KeptFor { seconds, bytes }) => {
            fill(words.own_ledger_kept, &[&lang.count(seconds / 86_400), &lang.bytes(bytes)])
        }

        None => words.own_ledger_off.to_owned(),
    }];
    limits.extend(own.spool.map(|KeptFor { seconds, bytes }| {
        let keep = lang.duration(seconds);
        fill(words.own_spool_kept, &[&keep, &lang.bytes(bytes)])
    }));
    limits.extend(log(own.evidence.as_ref(), lang));
    if leaves {
        limits.push(words.own_elsewhere.to_owned());
    }
    let mut measures = vec![words.own_measures_text.to_owned()];
    measures.extend(own.evidence.is_some().then(|| words.own_evidence_proves.to_owned()));
    let facts = [
        (words.purpose, "30(1)(b)", one(words.own_purpose)),
        (words.subjects, "30(1)(c)", one(words.own_subjects)),
        (words.data, "30(1)(c)", set(data)),
        (words.own_recipients, "30(1)(d)", set(recipients)),
        (words.own_retention, "30(1)(f)", set(limits)),
        (words.own_measures, "30(1)(g)", set(measures)),
    ];
    let facts = facts.into_iter().map(|(name, law, cell)| Fact { name, law, cell }).collect();
    let section = Section { facts, ..Section::new("own", words.own_name) };
    Page {
        lang,
        kicker: words.law_30,
        title: words.own_title,
        head: vec![(words.host, own.host.to_string()), (words.made, day_time(own.made))],
        notices: Vec::new(),
        sections: vec![section, controller(own.controller.as_ref(), lang)],
        has_legend: false,
        foot: vec![
            format!("{}.", if own.configured { words.own_source } else { words.own_defaults }),
            format!("{}.", words.own_legal),
            fill(words.version, &[&own.version]),
        ],
    }
}

/// For how long the evidence log keeps what, and what stays of it.
fn log(kept: Option<&KeptLog>, lang: Lang) -> Vec<String> {
    let words = lang.words();
    let Some(KeptLog { path, seconds, bytes }) = kept else {
        return vec![words.own_evidence_off.to_owned()];
    };
    let bytes = lang.bytes(*bytes);
    let limit = fill(words.own_evidence_kept, &[path, &lang.count(seconds / 86_400), &bytes]);
    vec![limit, words.own_evidence_erased.to_owned(), words.own_evidence_stays.to_owned()]
}
