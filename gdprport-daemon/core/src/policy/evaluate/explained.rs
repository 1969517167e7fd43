//! Explaining a verdict: what the flow falls under, and how every rule compares, key by key.
//!
//! Belongs here: what `policy explain` shows. The verdict itself is `flow`'s, and this repeats it; how a rule compares is
//! `explain`'s.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::explain::{Assessment, MAY_BE_TRANSLATED, Undeclared};
use super::explanation::{ExplainedKey, ExplainedPort, ExplainedRule, Explanation, KeyFit, UnresolvedHost};
use super::facts::Facts;
use super::flow::{Claimed, Evaluation};
use super::tls;
use super::wording::{self, Words};
use crate::event::RuleVolume;
use crate::figures;
use crate::model::{Attribution, Direction, Process, Withheld};
use crate::policy::compile::{CompiledDeclaration, CompiledRule, ItemId};
use crate::policy::dns_names::Resolution;
use crate::policy::model::{Fit, ProcessKey};
use crate::verdict::{Accepted, ReasonId, Verdict};

/// How many rules an explanation has.
const RULES: usize = 200;
/// How many rules are compared to find those: some 2 ms, as the daemon's loop waits for it.
const COMPARED: usize = 2048;
/// How many host names are listed.
const HOSTS: usize = 64;
/// The key of which the policy does not know how it compares.
const VOLUME: &str = "volume";

impl ActivePolicy {
    /// Why a flow is judged as it is at this moment; the verdict is that of [`evaluate`](Self::evaluate).
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>, now: Timestamp) -> Explanation {
        let Evaluation { verdict, port } = self.judge(facts, now);
        let accepted = port.and_then(|index| self.policy().port_at(index)).and_then(|info| {
            self.accepted(facts, info, verdict.reasons().iter().map(|reason| reason.id), now)
        });
        let mut explanation = Explanation {
            verdict,
            direction: facts.direction,
            number: facts.number(),
            port: None,
            tls: None,
            rules: Vec::new(),
            omitted: 0,
            unresolved: Vec::new(),
            accepted: accepted.map(|accepted| (*accepted).clone()),
        };
        let Some(claimed) = self.claim(facts) else { return explanation };
        explanation.port = Some(self.explained_port(&claimed, facts));
        let compared = tls::compared(&claimed.claim.info.tls, facts);
        explanation.tls = compared.map(|(fit, wanted, is)| key("tls", fit, wanted, is));
        let Some(number) = claimed.claim.declaration else { return explanation };
        let declaration = &self.policy().declarations[number];
        let process = facts.process.filter(|process| process.attribution != Attribution::Unknown);
        let asked = Undeclared { active: self, declaration, number, facts, process, now };
        explanation.rules = self.explained_rules(&asked, &explanation.verdict);
        explanation.omitted = declaration.rules.len() - explanation.rules.len();
        explanation.unresolved = self.unresolved_hosts(declaration);
        explanation
    }

    fn explained_port(&self, claimed: &Claimed<'_>, facts: &Facts<'_>) -> ExplainedPort {
        let Claimed { claim, by_peer, .. } = claimed;
        let policy = self.policy();
        let (name, number) = (&claim.info.name, facts.number());
        let shared = policy.claims(number).len() > 1;
        let why = match (claim.declaration, facts.direction, claim.local) {
            (None, ..) => format!("port {number} is {name} by the catalog, and no declaration names it"),
            (_, Direction::In, true) => format!("what is accepted on port {number} is served here"),
            (_, Direction::In, false) => {
                format!("{name} is a remote service, and nothing is accepted for it here")
            }
            (_, Direction::Out, false) if *by_peer => format!("{name} has the peer among its addresses"),
            (_, Direction::Out, _) if shared => {
                format!("no remote service with port {number} has the peer among its addresses")
            }
            (_, Direction::Out, _) => format!("no other declaration has port {number}"),
        };
        let place = claim.declaration.and_then(|index| policy.place(policy.declarations[index].place));
        let mode = claim.info.enforcement.mode;
        ExplainedPort { name: Arc::clone(name), declared: claim.declaration.is_some(), why, mode, place }
    }

    fn explained_rules(&self, asked: &Undeclared<'_>, verdict: &Verdict) -> Vec<ExplainedRule> {
        let declaration = asked.declaration;
        let peer = asked.peer_facts();
        let rule = |number: usize| {
            let rule = &declaration.rules[number];
            (number, rule, asked.assess(rule, &peer))
        };
        let place = |number: usize| self.policy().place(declaration.rule_places[number]);
        let shown = |(number, rule, assessment): (usize, &CompiledRule, Assessment)| ExplainedRule {
            role: Arc::clone(&rule.role),
            place: place(number),
            keys: self.keys(asked, rule, &assessment),
        };
        if let Verdict::Declared { rule: role } = verdict {
            let deciding = declaration.rules.iter().position(|rule| rule.role == *role);
            return deciding.map(rule).map(shown).into_iter().collect();
        }
        // The verdict's own comes first: of rules that match but for the encryption it is the first written.
        let named = match verdict {
            Verdict::Violation { nearest, .. } | Verdict::Undecided { nearest, .. } => nearest.as_ref(),
            Verdict::Declared { .. } => None,
        };
        let is_named = |rule: &CompiledRule| named.is_some_and(|named| named.role == rule.role);
        let first = declaration.rules.iter().position(is_named);
        let own = declaration.index(asked.facts.direction);
        let near = peer.inside.iter().flat_map(|item| own.reached(*item)).map(|number| *number as usize);
        let mut seen = HashSet::new();
        let candidates = first
            .into_iter()
            .chain(near)
            .chain(0..declaration.rules.len())
            .filter(|number| seen.insert(*number));
        let mut compared: Vec<_> = candidates.take(COMPARED).map(rule).collect();
        compared.sort_by(|(_, a, one), (_, b, other)| {
            let order = is_named(b).cmp(&is_named(a));
            order.then_with(|| one.distance(a).cmp(&other.distance(b)))
        });
        compared.into_iter().take(RULES).map(shown).collect()
    }

    fn keys(
        &self,
        asked: &Undeclared<'_>,
        rule: &CompiledRule,
        assessment: &Assessment,
    ) -> Vec<ExplainedKey> {
        let facts = asked.facts;
        let fails = |fails| if fails { Fit::Fails } else { Fit::Matches };
        let (may, is) = (rule.direction.to_string(), facts.direction.to_string());
        let mut keys = vec![key("direction", fails(assessment.direction_fails), may, is)];
        let text = |item: &ItemId| &*self.policy().peers.items[*item as usize].text;
        let show = |text| self.privacy().map_or(Cow::Borrowed(text), |privacy| privacy.policy_peer(text));
        let items = rule.peers.iter().map(|item| show(text(item)));
        let peers = assessment.peers.unwrap_or(Fit::Unknown);
        let is = match peers {
            Fit::Unknown => self.peer_missing(asked, rule),
            _ if facts.peer_missing.is_some() => "not known".to_owned(),
            _ => asked.named_peer().trim_end_matches(" is").trim_end_matches(',').to_owned(),
        };
        keys.push(key("peers", peers, wording::some(items), is));
        for process_key in ProcessKey::ALL {
            let (Some(fit), Some(spec)) = (assessment.keys[process_key as usize], &rule.process) else {
                continue;
            };
            // Nobody's word is asked of a process in no container.
            if process_key == ProcessKey::StatedBy
                && asked.process.is_some_and(|process| process.container.is_none())
            {
                continue;
            }
            let words = asked.process.map(|process| Words::of(process, spec, self.privacy()));
            let is = match (fit, asked.process) {
                (Fit::Matches | Fit::Fails, Some(_)) => {
                    words.as_ref().map(|words| words.value(process_key)).unwrap_or_default()
                }
                (Fit::Unknown, Some(Process { pid: 0, .. })) => "not known".to_owned(),
                (Fit::Unknown, Some(_)) => {
                    let mut missing = Vec::new();
                    words.iter().for_each(|words| words.missing(&[process_key], &mut missing));
                    missing.join("; ")
                }
                (Fit::Withheld, process) => {
                    let of_exe = process.and_then(|process| process.exe_withheld);
                    let cause = of_exe.or(facts.owner_withheld).map(Withheld::cause);
                    format!("withheld: {}", cause.unwrap_or("the process saw to that"))
                }
                (_, None) => "the process is not known".to_owned(),
            };
            let nobody = Process::UNKNOWN;
            let words = words.unwrap_or_else(|| Words::of(&nobody, spec, self.privacy()));
            keys.push(key(process_key.as_str(), fit, words.demanded(process_key), is));
        }
        if let Some(until) = rule.until {
            let is = asked.now.strftime("now %FT%TZ").to_string();
            keys.push(key(
                "until",
                fails(assessment.expired),
                until.strftime("up to %FT%TZ").to_string(),
                is,
            ));
        }
        if let Some(limit) = rule.volume {
            let is = "what the rule has moved is known to a running daemon, and of the past to the ledger"
                .to_owned();
            keys.push(key(VOLUME, Fit::Unknown, format!("at most {limit}"), is));
        }
        keys
    }

    /// Why it is not known whether the peer is one of a rule's.
    fn peer_missing(&self, asked: &Undeclared<'_>, rule: &CompiledRule) -> String {
        if asked.facts.peers().open {
            return format!("not known, {}", asked.facts.peer_missing.unwrap_or(MAY_BE_TRANSLATED));
        }
        let hosts = rule.peers.iter().flat_map(|item| &*self.policy().peers.items[*item as usize].hosts);
        let open = hosts.filter(|name| !self.names().is_resolved(name)).collect::<Vec<_>>();
        let peer = asked.facts.peer.ip;
        let peer = self.privacy().map_or(peer, |privacy| privacy.address(peer));
        format!("{peer} may be {}, which is not resolved", wording::some(open.into_iter()))
    }

    fn unresolved_hosts(&self, declaration: &CompiledDeclaration) -> Vec<UnresolvedHost> {
        let policy = self.policy();
        let hosts = declaration.hosts.iter().flat_map(|item| &*policy.peers.items[*item as usize].hosts);
        let mut seen = HashSet::new();
        let open = hosts.filter(|name| !self.names().is_resolved(name) && seen.insert(Arc::clone(name)));
        let open = open.take(HOSTS).map(|name| {
            let why = match self.names().get(name) {
                Some(Resolution::Unresolved(why)) => Some(why.clone()),
                Some(Resolution::Resolved(..)) | None => None,
            };
            UnresolvedHost { name: Arc::clone(name), why }
        });
        open.collect()
    }
}

impl Explanation {
    /// Adds what rules have moved, by role, and the verdict on the flow that follows from it.
    #[must_use]
    pub fn with_volumes(
        mut self,
        verdict: &Verdict,
        accepted: Option<Accepted>,
        moved: impl Fn(&str) -> Option<RuleVolume>,
    ) -> Self {
        if verdict.reasons().iter().any(|reason| reason.id == ReasonId::VolumeExceeded) {
            (self.verdict, self.accepted) = (verdict.clone(), accepted);
        }
        for rule in &mut self.rules {
            let Some(key) = rule.keys.iter_mut().find(|key| &*key.key == VOLUME) else { continue };
            let Some(moved) = moved(&rule.role) else { continue };
            let fits = moved.bytes <= moved.max;
            key.fit = if fits { KeyFit::Matches } else { KeyFit::Fails };
            let least = if moved.bound.is_some() { "at least " } else { "" };
            key.is =
                format!("{least}{} since {}", figures::bytes(moved.bytes), moved.since.strftime("%FT%TZ"));
        }
        self
    }

    /// Adds what rules have moved in a time that is past, by role, in words. The verdict stays: whether that was before the flow or after
    /// it is not known.
    #[must_use]
    pub fn with_past_volumes(mut self, moved: impl Fn(&str) -> String) -> Self {
        for rule in &mut self.rules {
            if let Some(key) = rule.keys.iter_mut().find(|key| &*key.key == VOLUME) {
                key.is = moved(&rule.role);
            }
        }
        self
    }
}

fn key(key: &'static str, fit: Fit, wanted: String, is: String) -> ExplainedKey {
    ExplainedKey { key: key.into(), fit: KeyFit::from(fit), wanted, is }
}
