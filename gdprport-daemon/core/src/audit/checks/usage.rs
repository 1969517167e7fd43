//! Rules compared with what used them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::unused::too_short;
use crate::audit::context::Context;
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{Edit, FindingId, Severity};
use crate::audit::{gather, propose, wording};
use crate::ledger::{Edge, Identity, VerdictKey};
use crate::model::{Attribution, Direction};
use crate::policy::{DeclaredPeer, DeclaredPort, DeclaredRule};
use crate::privacy::is_pseudonym;

/// How many times more than was used a network has to have: a /16 for 256 hosts is a plan, one for three is none.
const BROAD: u64 = 256;

/// Addresses that a rule may have been used by to be found broad: more do not fit into a rule that people read.
const USED_MAX: usize = 32;

/// Processes that may have used a rule without `process`: more are a service that many programs use.
const PROCESSES_MAX: usize = 3;

const IDS: [FindingId; 3] = [FindingId::UnusedRule, FindingId::BroadRule, FindingId::RuleWithoutProcess];

/// `unused-rule`, `broad-rule`, `rule-without-process`.
///
/// Not judged without a ledger, and for rules that were there, or whose port was watched, too short ([`Context::needed_s`]).
/// Rules past their `until` are `rule-expired` and nothing else.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(observed) = context.ledger(&IDS) else { return };
    let (needed, now) = (context.needed_s(), context.now);
    let mut short = Vec::new();
    for port in context.ports() {
        let edges = context.edges(port);
        for rule in port.rules.iter().filter(|rule| rule.until.is_none_or(|until| until > now)) {
            let since = context.rule_since(port, rule).map(|since| since.max(observed.from));
            let watched = since.map_or(0, |since| context.watched_s(&port.name, since));
            if watched < needed {
                short.push(format!("{}/{} ({})", port.name, rule.role, wording::span(watched)));
                continue;
            }
            let used: Vec<&Edge> = edges.iter().copied().filter(|edge| uses(edge, rule)).collect();
            if used.is_empty() {
                unused(context, port, rule, watched);
            } else {
                broad(context, port, rule, watched, &used);
                without_process(context, port, rule, watched, &used);
            }
        }
    }
    too_short(context, &IDS, &short);
}

/// Whether flows were allowed by the rule, or would be if their evidence were whole.
fn uses(edge: &Edge, rule: &DeclaredRule) -> bool {
    match &*edge.key.verdict {
        VerdictKey::Declared { rule: role } => *role == rule.role,
        VerdictKey::Undecided { nearest } => nearest.as_ref() == Some(&rule.role),
        VerdictKey::Violation { .. } => false,
    }
}

/// `unused-rule`: it allowed no flow, nor would have if the evidence of one were whole.
///
/// Severity: `low`: whatever a rule allows without need is reach that nobody watches (Art. 25(2), 32 GDPR).
fn unused(context: &mut Context<'_>, port: &DeclaredPort, rule: &DeclaredRule, watched: i64) {
    let message = format!(
        "Rule {} of {} allowed nothing that was seen in {}",
        rule.role,
        port.name,
        wording::span(watched)
    );
    let draft = Draft::new(FindingId::UnusedRule, Severity::Low, Context::rule_subject(port, rule), message)
        .place(&rule.place)
        .evidence("flows", "0")
        .evidence("watched", format!("{} without a loss", wording::span(watched)))
        .proposal("Remove the rule, or keep it with an exception that says why", Edit::Remove, String::new());
    context.add(draft);
}

/// `broad-rule`: it allows `any`, or a network wider than a /24 (IPv6: than a /56) with at least 256 times the addresses that
/// used it (IPv6: links of /64), and at most 32 addresses used it.
///
/// Evidence: the addresses that used it, and how many more the proposal allows.
/// Severity: `medium` for `any` on connections accepted here, which is the whole world; otherwise `low`.
/// Not judged where addresses were rolled up to networks, truncated, or replaced by pseudonyms.
fn broad(context: &mut Context<'_>, port: &DeclaredPort, rule: &DeclaredRule, watched: i64, used: &[&Edge]) {
    const ID: FindingId = FindingId::BroadRule;
    if !rule.peers.iter().any(may_be_broad) {
        return;
    }
    let peers: BTreeSet<IpNet> = used.iter().map(|edge| edge.key.peer).collect();
    if peers.iter().copied().any(is_pseudonym) {
        context.not_judged(ID, "the ledger has pseudonyms instead of addresses ([privacy] in gdprport.toml)");
        return;
    }
    if peers.iter().any(|peer| peer.prefix_len() < peer.max_prefix_len()) {
        context.not_judged(ID, "the ledger has networks instead of addresses for rules that very many addresses used, or addresses are truncated");
        return;
    }
    if peers.len() > USED_MAX {
        return;
    }
    let narrow: Vec<DeclaredPeer> =
        rule.peers.iter().filter(|peer| !is_broad(peer, &peers)).cloned().collect();
    if narrow.len() == rule.peers.len() {
        return;
    }
    let left: Vec<IpNet> =
        peers.iter().filter(|peer| !narrow.iter().any(|of| covers(of, peer))).copied().collect();
    let nets = gather::networks(&left);
    let more: u64 = nets.iter().map(gather::size).fold(0, u64::saturating_add).saturating_sub(units(&left));
    let mut gathered = narrow;
    gathered.extend(nets.into_iter().map(DeclaredPeer::Net));
    if gathered.is_empty() {
        return;
    }
    let widest: Vec<String> =
        rule.peers.iter().filter(|peer| is_broad(peer, &peers)).map(ToString::to_string).collect();
    let any = rule.peers.contains(&DeclaredPeer::Any);
    let severity = if any && rule.direction == Direction::In { Severity::Medium } else { Severity::Low };
    let message = format!(
        "Rule {} of {} allows {}, and {} used it in {}",
        rule.role,
        port.name,
        if any { "any address".to_owned() } else { wording::some(widest) },
        wording::counted(peers.len() as u64, "address"),
        wording::span(watched)
    );
    let by = Connections::by(used.iter().copied(), |edge| wording::net(&edge.key.peer));
    let draft = Draft::new(ID, severity, Context::rule_subject(port, rule), message)
        .place(&rule.place)
        .evidence("used by", wording::ranked(&by))
        .evidence("proposed", format!("{} more than seen", wording::thousands(more)))
        .evidence("watched", format!("{} without a loss", wording::span(watched)));
    let what = "Allow the addresses that used it, and name others that need it";
    let proposed = DeclaredRule { peers: gathered, ..rule.clone() };
    context.add(propose::replace_rule(draft, port, rule, &proposed, what));
}

fn may_be_broad(peer: &DeclaredPeer) -> bool {
    match peer {
        DeclaredPeer::Any => true,
        DeclaredPeer::Net(net) => gather::size(net) > BROAD,
        DeclaredPeer::Loopback | DeclaredPeer::Host(_) => false,
    }
}

fn is_broad(peer: &DeclaredPeer, used: &BTreeSet<IpNet>) -> bool {
    let of: Vec<IpNet> = used.iter().filter(|address| covers(peer, address)).copied().collect();
    let enough = |net: &IpNet| !of.is_empty() && gather::size(net) / units(&of).max(1) >= BROAD;
    match peer {
        DeclaredPeer::Any => true,
        DeclaredPeer::Net(net) => may_be_broad(peer) && enough(net),
        DeclaredPeer::Loopback | DeclaredPeer::Host(_) => false,
    }
}

/// What the sizes of networks are compared with: addresses of IPv4, links of IPv6.
fn units(addresses: &[IpNet]) -> u64 {
    let link = |net: &IpNet| match net {
        IpNet::V4(_) => *net,
        IpNet::V6(_) => IpNet::new(net.addr(), 64).map_or(*net, |link| link.trunc()),
    };
    addresses.iter().map(link).collect::<BTreeSet<_>>().len() as u64
}

fn covers(peer: &DeclaredPeer, address: &IpNet) -> bool {
    match peer {
        DeclaredPeer::Any => true,
        DeclaredPeer::Loopback => address.addr().is_loopback(),
        DeclaredPeer::Net(net) => net.contains(address),
        DeclaredPeer::Host(_) => false,
    }
}

/// `rule-without-process`: it has no `process`, at most three programs used it, and all of them are known by their executables.
///
/// Evidence: who used it. Severity: `low`: any other program of this host may use it too (Art. 32 GDPR).
fn without_process(
    context: &mut Context<'_>,
    port: &DeclaredPort,
    rule: &DeclaredRule,
    watched: i64,
    used: &[&Edge],
) {
    if !rule.process.is_empty()
        || used.iter().any(|edge| edge.key.identity.attribution == Attribution::Unknown)
    {
        return;
    }
    let programs = Connections::by(used.iter().copied(), |edge| wording::who(&edge.key.identity));
    let identities: Vec<Arc<Identity>> = used.iter().map(|edge| Arc::clone(&edge.key.identity)).collect();
    if programs.len() > PROCESSES_MAX {
        return;
    }
    let Some(process) = propose::asked_of(&identities) else { return };
    let message = format!(
        "Rule {} of {} allows any process, and only {} used it in {}",
        rule.role,
        port.name,
        wording::some(programs.keys()),
        wording::span(watched)
    );
    let draft =
        Draft::new(FindingId::RuleWithoutProcess, Severity::Low, Context::rule_subject(port, rule), message)
            .place(&rule.place)
            .evidence("used by", wording::ranked(&programs))
            .evidence("watched", format!("{} without a loss", wording::span(watched)))
            .identities(identities);
    let proposed = DeclaredRule { process, ..rule.clone() };
    let what = "Name the process, so that no other one is allowed";
    context.add(propose::replace_rule(draft, port, rule, &proposed, what));
}
