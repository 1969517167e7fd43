//! `flows --since`: what the ledger has of the past.

use std::num::NonZeroU16;

use super::super::cli::FlowsArgs;
use super::super::exit::Exit;
use super::super::past::{Past, Row, show};
use super::super::screen::Output;
use super::files::open_ledger;
use crate::ledger::EdgeFilter;

pub(super) fn run(args: &FlowsArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let screen = out.screen();
    let since = match args.since {
        Some(since) => since.moment(screen.now)?,
        None => screen.now,
    };
    let reader = open_ledger(args.ledger.as_deref())?;
    let summary = reader.summary()?;
    let number = args.port.as_deref().and_then(|port| port.parse::<NonZeroU16>().ok());
    let filter = EdgeFilter {
        port: args.port.as_deref().filter(|_| number.is_none()).map(Into::into),
        number: number.map(NonZeroU16::get),
        violations: args.violations,
        since: Some(since),
        until: None,
        // One more, to know that there are more.
        limit: Some(u32::try_from(args.limit).unwrap_or(u32::MAX).saturating_add(1)),
    };
    let mut edges = reader.edges(&filter)?;
    edges.sort_by_key(|stored| std::cmp::Reverse((stored.edge.last, stored.row)));
    let more = edges.len() > args.limit;
    edges.truncate(args.limit);
    let past = Past {
        since,
        until: screen.now,
        begin: summary.begin,
        end: summary.end.filter(|_| !summary.running),
        more,
        rows: edges.into_iter().map(Row::of).collect(),
        gaps: reader.gaps(since, screen.now)?,
    };
    if json {
        out.value(&past)?;
    } else {
        out.text(&show(&past, &screen))?;
    }
    Ok(Exit::Fine)
}
