//! `policy explain`: an open flow, a row of the ledger, or a flow that could be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{anyhow, bail};
use gdprport_core::ledger::{Edge, VerdictKey};
use gdprport_core::model::{
    Attribution, Container, Direction, Endpoint, Names, Naming, Posture, PostureState, Process, StatedBy,
    TlsVersion, Workload,
};
use gdprport_core::policy::{
    ActivePolicy, DnsNames, Explanation, Facts, Policy, PortInfo, Window, nearest_name,
};
use gdprport_core::records::most_around;
use gdprport_core::replay::Kept;
use serde::Serialize;

use super::super::cli::{ExplainArgs, MadeUp};
use super::super::exit::Exit;
use super::super::explain::{self, Shown};
use super::super::format::{bytes, clean_lines, counted};
use super::super::screen::Output;
use super::files::{open_ledger, policy_files};
use crate::app::{Trust, Written};
use crate::control::api::ExplainReply;
use crate::control::client::TypedReply;
use crate::ledger::Reader;

/// What `--row --json` prints.
#[derive(Debug, Serialize)]
struct ExplainedRow<'a> {
    row: i64,
    /// The digest of the policy that judged it then; `null`: the catalog.
    policy_then: Option<&'a str>,
    verdict_then: &'a VerdictKey,
    explanation: &'a Explanation,
}

/// Explains a row of the ledger, or a flow that could be.
pub(super) fn run(args: &ExplainArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let written = policy_files(args.policy.clone()).outline(Trust::Anyone)?;
    for exposed in &written.exposed {
        eprintln!("gdprport: warning: {}", clean_lines(exposed));
    }
    let Written { policy, sources, .. } = written;
    let active = ActivePolicy::new(policy, DnsNames::default());
    let now = jiff::Timestamp::now();
    if let Some(row) = args.row {
        let reader = open_ledger(args.ledger.as_deref())?;
        let edge = reader.edge(row)?.edge;
        let explanation = with_volumes(of_edge(&active, &edge, now), &active, &edge, &reader, now)?;
        if json {
            let (policy_then, verdict_then) = (edge.key.policy.as_deref(), &*edge.key.verdict);
            out.value(&ExplainedRow { row, policy_then, verdict_then, explanation: &explanation })?;
        } else {
            let about = row_then(row, &edge, active.digest());
            let shown = Shown { explanation: &explanation, about: &about, sources: &sources, given: false };
            out.text(&explain::show(&shown, &out.screen()))?;
        }
        return Ok(Exit::Fine);
    }
    let explanation = made_up(args, &active, now)?;
    if json {
        out.value(&explanation)?;
    } else {
        let shown = Shown { explanation: &explanation, about: &[], sources: &sources, given: true };
        out.text(&explain::show(&shown, &out.screen()))?;
    }
    Ok(Exit::Fine)
}

/// Shows what the daemon says of an open flow.
pub(super) fn open_flow(
    id: &str,
    reply: &TypedReply<ExplainReply>,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    if reply.value.flows.is_empty() {
        bail!(
            "no open flow has the id or cookie `{}` (with `[privacy]` only cookies are found): it may have ended; `gdprport flows --since 1d` lists \
             what the ledger has of it, and `gdprport policy explain --row N` explains a row",
            clean_lines(id)
        );
    }
    if json {
        out.json(&reply.json)?;
        return Ok(Exit::Fine);
    }
    // What the daemon goes by; only for the lines of the files, which somebody else may not read.
    let here = policy_files(Vec::new()).outline(Trust::Anyone).ok();
    let sources = here.filter(|here| here.policy.digest() == reply.value.policy).map(|here| here.sources);
    let sources = sources.unwrap_or_default();
    for (index, flow) in reply.value.flows.iter().enumerate() {
        if index > 0 {
            out.text("\n")?;
        }
        let about = explain::of_flow(&flow.flow);
        let shown = Shown { explanation: &flow.explanation, about: &about, sources: &sources, given: false };
        out.text(&explain::show(&shown, &out.screen()))?;
    }
    Ok(Exit::Fine)
}

/// A row of the ledger, by this policy.
fn of_edge(active: &ActivePolicy, edge: &Edge, now: jiff::Timestamp) -> Explanation {
    active.explain(&Kept::of(&edge.key).facts(), now)
}

/// Where a rule may move only so much, what it moved then. The ledger is asked only if there is one.
fn with_volumes(
    explanation: Explanation,
    active: &ActivePolicy,
    edge: &Edge,
    reader: &Reader,
    now: jiff::Timestamp,
) -> anyhow::Result<Explanation> {
    let Some(port) = active.port_of(&Kept::of(&edge.key).facts()) else { return Ok(explanation) };
    let limit = |role: &str| active.policy().volume_limit(port.index, role);
    if !explanation.rules.iter().any(|rule| limit(&rule.role).is_some()) {
        return Ok(explanation);
    }
    let begin = jiff::tz::Offset::UTC.to_timestamp(edge.day.to_datetime(jiff::civil::Time::midnight()))?;
    let (from, to) = Window::Week.around(begin);
    let hours = reader.hours(from, to.min(now))?;
    let moved = |role: &str| match limit(role)
        .and_then(|of| most_around(edge.day, (&*port.name, role), of, &hours))
    {
        None => "by the ledger the rule moved nothing then".to_owned(),
        Some(most) => {
            let least = if most.bound.is_some() { "at least " } else { "" };
            let from = most.from.strftime("%FT%TZ");
            format!("by the ledger {least}{} in the window from {from}", bytes(most.bytes))
        }
    };
    Ok(explanation.with_past_volumes(moved))
}

/// What was said of a row when it was seen.
fn row_then(row: i64, edge: &Edge, digest: &str) -> Vec<String> {
    let by = match edge.key.policy.as_deref() {
        None => "without a policy".to_owned(),
        Some(then) if then == digest => "by this policy".to_owned(),
        Some(then) => format!("by another policy, {}", then.get(..19).unwrap_or(then)),
    };
    let said = match &*edge.key.verdict {
        VerdictKey::Declared { rule } => format!("declared by {rule}"),
        VerdictKey::Violation { reasons, .. } => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
            format!("violation, {}", reasons.join(", "))
        }
        VerdictKey::Undecided { .. } => "undecided".to_owned(),
    };
    let net = edge.key.peer;
    let whole = net.prefix_len() == net.max_prefix_len();
    let peer = if whole { net.addr().to_string() } else { net.to_string() };
    let who = edge.key.identity.name().unwrap_or("an unknown process");
    let flows = counted(edge.counts.standing(), "flow");
    let mut lines = vec![format!("row {row} of {}: {flows}, {who}, {} {peer}", edge.day, edge.key.direction)];
    if edge.counts.moved > 0 {
        let moved = counted(edge.counts.moved, "flow");
        lines.push(format!("{moved} only passed through, and stand in other rows of the day"));
    }
    lines.push(format!("then {by}: {said}"));
    lines
}

fn made_up(args: &ExplainArgs, active: &ActivePolicy, now: jiff::Timestamp) -> anyhow::Result<Explanation> {
    let asked = &args.made_up;
    let name = args.port.as_deref().unwrap_or_default();
    let ports = named(active.policy(), name)?;
    let info = ports[0];
    let direction = match asked.direction {
        Some(way) => way.into(),
        None => direction(active.policy(), &ports)?,
    };
    let end = |text: &Option<String>, option: &str| -> anyhow::Result<Option<SocketAddr>> {
        text.as_deref().map(|text| address(text, option)).transpose()
    };
    let (from, to) = (end(&asked.from, "--from")?, end(&asked.to, "--to")?);
    let other = |to: &SocketAddr| to.port() != 0 && !ports.iter().any(|port| port.number == to.port());
    if let Some(to) = to.filter(other) {
        bail!("--to names port {}, and --port {name} is {}", to.port(), info.number);
    }
    let number = to.map(|to| to.port()).filter(|port| *port != 0).unwrap_or(info.number);
    let nobody = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let at = |address: Option<SocketAddr>, port| {
        Endpoint::new(address.map_or(nobody, |at| at.ip().to_canonical()), port)
    };
    let (local, peer, missing) = match direction {
        Direction::In => (at(to, number), at(from, 0), from.is_none().then_some("as --from was not given")),
        Direction::Out => (at(from, 0), at(to, number), to.is_none().then_some("as --to was not given")),
    };
    let process = process(asked);
    let posture = asked.tls.as_deref().map(posture).transpose()?;
    let facts = Facts {
        direction,
        local,
        peer,
        nat: None,
        process: process.as_ref(),
        owner_withheld: None,
        posture: posture.as_ref(),
        peer_missing: missing,
        peer_within: None,
    };
    Ok(active.explain(&facts, now))
}

/// The watched ports of this name or number.
fn named<'p>(policy: &'p Policy, name: &str) -> anyhow::Result<Vec<&'p PortInfo>> {
    let found: Vec<_> =
        policy.watched().filter(|port| &*port.name == name || name.parse() == Ok(port.number)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known = || policy.watched().map(|port| &*port.name);
    if name.parse::<u16>().is_ok() {
        let mut declared: Vec<&str> =
            policy.watched().filter(|port| port.declared).map(|port| &*port.name).collect();
        declared.dedup();
        let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
        bail!(
            "port {name} is not watched: the catalog does not know it, and no declaration has it; declared: {declared}"
        );
    }
    match nearest_name(name, known()) {
        Some(near) => bail!("no port is named `{}`; did you mean `{near}`?", clean_lines(name)),
        None => bail!("no port is named `{}`, neither in the policy nor in the catalog", clean_lines(name)),
    }
}

/// Where the service runs says which end this host is, if it runs in one place only.
fn direction(policy: &Policy, ports: &[&PortInfo]) -> anyhow::Result<Direction> {
    let info = ports[0];
    match policy.runs_here(info) {
        true if policy.is_shared(info.number) => Err(anyhow!(
            "port {} is served here and is also the port of a remote service: say --direction in (accepted here) or --direction out (connected from here)",
            info.number
        )),
        true => Ok(Direction::In),
        false => Ok(Direction::Out),
    }
}

/// An address with or without a port.
fn address(text: &str, option: &str) -> anyhow::Result<SocketAddr> {
    let plain = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    plain.or_else(|_| text.parse()).map_err(|_| {
        anyhow!(
            "{option} {}: no address; write it as 10.0.2.7, 10.0.2.7:5432 or [fd00::7]:5432",
            clean_lines(text)
        )
    })
}

fn posture(text: &str) -> anyhow::Result<Posture> {
    let state = match text {
        "1.3" => PostureState::Tls13,
        "1.2" => PostureState::Tls12,
        _ => serde_json::from_value(text.into()).map_err(|_| {
            anyhow!(
                "--tls {}: write 1.3, 1.2, or a state of events: plaintext, weak-tls, starttls-refused, encrypted-other, unrecognised, no-data",
                clean_lines(text)
            )
        })?,
    };
    let version = match state {
        PostureState::Tls13 => Some(TlsVersion::Tls13),
        PostureState::Tls12 => Some(TlsVersion::Tls12),
        _ => None,
    };
    Ok(Posture { version, ..Posture::new(state, "as asked") })
}

/// What is known of the process; `None` if nothing was given.
fn process(asked: &MadeUp) -> Option<Process> {
    let account = |text: &Option<String>| match text.as_deref().map(|text| (text, text.parse::<u32>())) {
        None => (u32::MAX, None),
        Some((_, Ok(number))) => (number, None),
        Some((name, Err(_))) => (u32::MAX, Some(name.into())),
    };
    let ((uid, user), (gid, group)) = (account(&asked.user), account(&asked.group));
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    let of_container =
        [&asked.container, &asked.image, &asked.pod, &asked.namespace].iter().any(|text| text.is_some())
            || !asked.label.is_empty()
            || asked.workload.is_some();
    let container = of_container.then(|| Container {
        id: "".into(),
        runtime: None,
        pod: None,
        claimed_by: None,
        naming: Naming::Known(
            Names {
                name: text(&asked.container),
                image: text(&asked.image),
                image_digest: None,
                image_id: None,
                labels: asked
                    .label
                    .iter()
                    .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
                    .collect(),
                // There may be any others.
                labels_omitted: u32::MAX,
                labels_unshown: Default::default(),
                compose: None,
                namespace: text(&asked.namespace),
                pod_name: text(&asked.pod),
                workload: asked
                    .workload
                    .as_ref()
                    .map(|(kind, name)| Workload { kind: kind.as_str().into(), name: name.as_str().into() }),
                stated_by: StatedBy { uid: 0, user: None },
                writes_state: false,
            }
            .into(),
        ),
    });
    let given = of_container
        || [&asked.exe, &asked.user, &asked.group, &asked.unit].iter().any(|text| text.is_some());
    given.then(|| Process {
        exe: text(&asked.exe),
        uid,
        user,
        gid,
        group,
        names_pending: true,
        unit: text(&asked.unit),
        container,
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    })
}
