//! Every proposal is a policy that compiles, and settles what it is for.

use crate::audit::{Edit, Finding, FindingId};
use crate::policy::outline;

use super::whole;
use super::world::*;

/// Where the table ends that begins in this line: at the next header, of any table or only of one that is not below it.
fn end_of(lines: &[&str], begin: usize, with_those_below: bool) -> usize {
    let path = |line: &str| line.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
    let own = path(lines[begin]);
    let header = |line: &str| line.starts_with('[');
    let below = |line: &str| with_those_below && path(line).starts_with(&format!("{own}."));
    let rest = lines[begin + 1..].iter().position(|line| header(line) && !below(line));
    rest.map_or(lines.len(), |at| begin + 1 + at)
}

fn applied(text: &str, finding: &Finding) -> String {
    let proposal = finding.proposal.as_ref().expect("a proposal");
    let toml = proposal.toml.as_deref().unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    let begin = finding.place.as_ref().map_or(0, |place| place.line - 1);
    match proposal.edit.expect("an edit") {
        Edit::Append => lines.extend(std::iter::once("").chain(toml.lines())),
        Edit::Insert => {
            let at = end_of(&lines, begin, false);
            lines.splice(at..at, toml.lines().chain([""]));
        }
        Edit::Replace => {
            let end = end_of(&lines, begin, false);
            lines.splice(begin..end, toml.lines().chain([""]));
        }
        Edit::Remove => {
            let end = end_of(&lines, begin, true);
            lines.drain(begin..end);
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_proposal_compiles_and_settles_its_finding() {
    let world = whole::wrong();
    let mut settled = Vec::new();
    for finding in world.audit().findings {
        let edits = finding.proposal.as_ref().is_some_and(|proposal| proposal.edit.is_some());
        if !edits {
            continue;
        }
        let mut after = world.clone();
        after.files[0].text = applied(&world.files[0].text, &finding);
        if let Err(problems) = outline(&after.files) {
            panic!("{}: {problems}\n{}", finding.id, after.files[0].text);
        }
        let audit = after.audit();
        let stays = audit.findings.iter().any(|other| other.fingerprint == finding.fingerprint);
        // What a record lacks only the controller knows.
        assert_eq!(stays, finding.id == FindingId::RecordIncomplete, "{finding:#?}\n{}", after.files[0].text);
        settled.push(finding.id);
    }
    settled.dedup();
    let expected = [
        FindingId::ExposedListener,
        FindingId::SpecialCategoryUnprotected,
        FindingId::UndeclaredListener,
        FindingId::ShadowService,
        FindingId::BroadRule,
        FindingId::TlsNotDemanded,
        FindingId::RecordIncomplete,
        FindingId::PortWithoutListener,
        FindingId::UnusedRule,
        FindingId::RuleWithoutProcess,
        FindingId::RuleExpired,
        FindingId::RuleExpiring,
        FindingId::ExceptionExpiring,
    ];
    for id in expected {
        assert!(settled.contains(&id), "{id} proposes no change");
    }
}

/// Labels, names without a dot and patterns come out as they went in.
#[test]
fn a_rule_that_is_written_again_means_the_same() {
    let rule = "role = \"orders\"\ndirection = \"in\"\npeers = [\"any\", \"loopback\", \"db1.\", \"a.example\", \"fd00:2::/64\"]\n\
                process = { exe = [\"/a/*\", \"/b\\\\c\"], user = \"1001\", container = \"x\", label = { \"a.b/c\" = [\"1\", \"2\"], d = \"e\\\"f\" } }\n\
                until = 2026-12-20\n";
    let begin = GOOD.find("role = ").expect("a rule");
    let world = World::with(&GOOD[begin..], rule);
    let finding = world
        .audit()
        .findings
        .into_iter()
        .find(|finding| finding.id == FindingId::RuleExpiring)
        .expect("one");
    let before = outline(&world.files).expect("a policy").0;
    let mut after = world.clone();
    after.files[0].text = applied(&world.files[0].text, &finding);
    let after = outline(&after.files).unwrap_or_else(|problems| panic!("{problems}")).0;
    let (old, new) = (&before.ports[0].rules[0], &after.ports[0].rules[0]);
    assert_eq!(new.until.map(|until| until.to_string()).as_deref(), Some("2027-12-20T23:59:59.999999999Z"));
    assert_eq!((&old.peers, &old.process, &old.role), (&new.peers, &new.process, &new.role));
}

/// A table that is the value of a key would be lost with the keys beside it.
#[test]
fn what_is_written_inline_is_not_replaced() {
    let begin = GOOD.find("[port.record]").expect("a record");
    let end = GOOD.find("[[port.allow]]").expect("a rule");
    let mut world = World::with(
        "tls = { min = \"1.3\" }\n",
        "record = { purpose = \"a\", subjects = [\"b\"], data = [\"c\"], recipients = [], transfers = [], retention = \"d\" }\n",
    );
    world.files[0].text = world.files[0].text.replace(&GOOD[begin..end], "");
    let found = world.one();
    assert_eq!(
        (found.id, found.proposal.and_then(|proposal| proposal.edit)),
        (FindingId::TlsNotDemanded, None)
    );
}
