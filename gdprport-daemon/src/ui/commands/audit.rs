//! `audit`: policy, ledger and host are read and judged, and what was found is shown.

use std::time::Duration;

use jiff::Timestamp;

use super::super::audit;
use super::super::cli::{AuditArgs, Color};
use super::super::exit::Exit;
use super::super::screen::Output;
use super::files::{open_ledger, policy_files};
use super::scan::{shown, warning};
use super::waiting::runtime;
use crate::app::{self, Config, Look, Past, Progress, Trust, Watch};
use crate::control::api::RecordReply;
use crate::control::client::ControlClient;
use crate::report;
use gdprport_core::audit::{Audit, Recording};
use gdprport_core::inventory::Inventory;
use gdprport_core::policy::{ActivePolicy, DnsNames};

pub(super) fn run(
    args: AuditArgs,
    client: &ControlClient,
    json: bool,
    color: Color,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let since = args.since.moment(now)?;
    // What another user writes is a draft; what root judges is what the daemon would take.
    let root = rustix::process::geteuid().is_root();
    let trust = if root && !args.any_owner { Trust::RootOnly } else { Trust::Anyone };
    let mut written = policy_files(args.policy).outline(trust)?;
    for exposed in &written.exposed {
        warning(color, exposed);
    }
    let past = match open_ledger(args.ledger.as_deref()) {
        Ok(reader) => Past::read(&reader, since, now).map_err(|error| error.to_string()),
        // A ledger that somebody names is one that has to be there, and a configuration that is there one that is valid.
        Err(error) if args.ledger.is_some() || error.is_wrong_usage() => return Err(error.into()),
        Err(error) => Err(error.to_string()),
    };
    let inventory = if args.no_scan {
        Err("the host was not looked at, as --no-scan asks".to_owned())
    } else {
        look(&mut written, trust, args.watch, &|text| warning(color, text))
    };
    let (countries, exposed) = app::countries(written.outline.controller.as_ref(), trust);
    if let Some(exposed) = exposed {
        warning(color, &exposed);
    }
    let audit = app::judge(&written, countries, past, inventory.as_ref().map_err(Clone::clone), since, now);
    if json {
        out.value(&audit)?;
    } else if args.markdown {
        out.text(&report::markdown(&audit))?;
    } else if args.sarif {
        out.value(&report::sarif(&audit, env!("CARGO_PKG_VERSION")))?;
    } else {
        let screen = out.screen();
        out.text(&audit::show(&audit, &screen))?;
    }
    if args.record {
        let watched = inventory.as_ref().is_ok_and(|inventory| inventory.watched);
        record(&audit, watched, client, json || args.markdown || args.sarif, out)?;
    }
    let failed = audit.findings.iter().any(|finding| args.fail_on.fails(finding.severity));
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

/// Hands the findings to the daemon, and says what differs from the audit before.
fn record(
    audit: &Audit,
    watched: bool,
    client: &ControlClient,
    for_programs: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    let recorded = runtime()?.block_on(client.record(&Recording::of(audit, watched)))?.value;
    let RecordReply { new, changed, settled, reopened } = recorded;
    let line = format!("recorded: {new} new, {changed} changed, {settled} settled, {reopened} reopened\n");
    if for_programs {
        eprint!("gdprport: {line}");
        return Ok(());
    }
    out.text(&line)?;
    Ok(())
}

/// Looks at the host, compared with the policy.
fn look(
    written: &mut app::Written,
    trust: Trust,
    watch: Option<Duration>,
    warn: &dyn Fn(&str),
) -> Result<Inventory, String> {
    let policy = std::mem::replace(&mut written.policy, gdprport_core::policy::catalog_only());
    let active = ActivePolicy::new(policy, DnsNames::default());
    let config = Config::load(Config::PLACE.as_ref(), trust).unwrap_or_else(|error| {
        warn(&format!("sizes and the places of containers are the usual ones: {error}"));
        Config::default()
    });
    let progress = Progress::default();
    let look = Look { policy: Some(&active), containers: &config.containers, progress: &progress };
    let found = shown(&progress, watch, || match watch {
        Some(period) => app::watch(&Watch { look, config: &config, period }),
        None => app::look(&look),
    });
    found.map_err(|error| format!("the host could not be looked at: {error}"))
}
