//! Why a flow is judged as it is, for people: the verdict, what the flow falls under, then every rule key by key.

use gdprport_core::policy::{ExplainedKey, ExplainedRule, Explanation, KeyFit, Mode, Place, Source};
use gdprport_core::verdict::{Accepted, Verdict};

use super::format::{clean, counted, list, process};
use super::screen::Screen;
use super::table::wrap;
use super::tone::Tone;
use crate::control::api::FlowRow;

/// How many rules are shown with all their keys, and how many more by what fails.
const WHOLE: usize = 3;
const BRIEF: usize = 20;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) explanation: &'a Explanation,
    /// Lines about the flow, above everything else.
    pub(super) about: &'a [String],
    /// The policy's files, where they are at hand.
    pub(super) sources: &'a [Source],
    /// Whether somebody described the flow, and could say more of it.
    pub(super) given: bool,
}

/// Lines about an open flow.
pub(super) fn of_flow(row: &FlowRow) -> Vec<String> {
    let then = row.verdict.outcome.as_str();
    let ends =
        format!("{} {} {}", row.local, if row.direction.as_str() == "in" { "←" } else { "→" }, row.peer);
    vec![
        format!("{ends}, {}, {}", process(row.process.as_deref()), row.flow.id),
        format!("reported as {then}"),
    ]
}

/// The explanation as text.
pub(super) fn show(shown: &Shown<'_>, screen: &Screen) -> String {
    let Shown { explanation, about, .. } = shown;
    let mut page = Page { text: String::new(), width: usize::from(screen.width) };
    for line in *about {
        page.line(Tone::Dim, "", line);
    }
    page.verdict(&explanation.verdict, explanation.accepted.as_ref());
    page.port(explanation);
    let declared = matches!(explanation.verdict, Verdict::Declared { .. });
    // Rules of the other direction say nothing of this flow.
    let own = explanation.rules.iter().take_while(|rule| !is_of_other_direction(rule)).count();
    let (whole, brief) = explanation.rules.split_at(own.clamp(1, WHOLE).min(explanation.rules.len()));
    for (index, rule) in whole.iter().enumerate() {
        let remark = match index {
            _ if declared => "allows it",
            0 => "the nearest rule",
            _ => "",
        };
        page.rule(rule, remark, shown.sources);
    }
    if !declared {
        page.others(brief, explanation.omitted);
        for host in &explanation.unresolved {
            let why = host.why.as_deref().unwrap_or("only a running daemon resolves it");
            page.line(Tone::Warn, "? ", &format!("the host name {} is not resolved: {why}", host.name));
        }
    }
    if shown.given {
        page.hint(explanation);
    }
    page.text
}

fn is_of_other_direction(rule: &ExplainedRule) -> bool {
    rule.keys.iter().any(|key| &*key.key == "direction" && key.fit == KeyFit::Fails)
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// A line, wrapped behind its begin.
    fn line(&mut self, tone: Tone, begin: &str, text: &str) {
        let indent = begin.chars().count();
        for (index, line) in wrap(&clean(text), self.width.saturating_sub(indent)).iter().enumerate() {
            let begin = if index == 0 { begin.to_owned() } else { " ".repeat(indent) };
            self.text.push_str(&tone.paint(&format!("{begin}{line}")));
            self.text.push('\n');
        }
    }

    fn verdict(&mut self, verdict: &Verdict, accepted: Option<&Accepted>) {
        match verdict {
            Verdict::Declared { rule } => self.line(Tone::Good, "✓ ", &format!("declared: {rule} allows it")),
            Verdict::Undecided { missing, .. } => {
                self.line(Tone::Warn, "? ", "undecided: evidence is missing");
                missing.iter().for_each(|what| self.line(Tone::Plain, "  ", what));
            }
            Verdict::Violation { reasons, .. } => {
                let ids = list(reasons.iter().map(|reason| reason.id));
                let tone = if accepted.is_some() { Tone::Warn } else { Tone::Bad };
                self.line(tone, "✗ ", &format!("violation: {ids}"));
                reasons.iter().for_each(|reason| self.line(Tone::Plain, "  ", &reason.detail));
            }
        }
        if let Some(Accepted { why, by, until, also }) = accepted {
            self.line(Tone::Warn, "  ", &format!("accepted by {by} until {until}: {why}"));
            for other in also {
                self.line(
                    Tone::Warn,
                    "  ",
                    &format!("accepted by {} until {}: {}", other.by, other.until, other.why),
                );
            }
        }
    }

    /// A heading, with a place at its end.
    fn heading(&mut self, name: &str, remark: &str, place: Option<&Place>) {
        let place = place.map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
        let (name, remark, place) = (clean(name), clean(remark), clean(&place));
        let used = name.chars().count() + if remark.is_empty() { 0 } else { remark.chars().count() + 2 };
        let room = self.width.saturating_sub(used);
        let gap = room.saturating_sub(place.chars().count());
        self.text.push('\n');
        self.text.push_str(&Tone::Strong.paint(&name));
        if !remark.is_empty() {
            self.text.push_str(&format!("  {}", Tone::Dim.paint(&remark)));
        }
        if place.is_empty() {
            self.text.push('\n');
            return;
        }
        if gap > 1 {
            self.text.push_str(&" ".repeat(gap));
        } else {
            self.text.push_str("\n  ");
        }
        self.text.push_str(&Tone::Note.paint(&place));
        self.text.push('\n');
    }

    fn port(&mut self, explanation: &Explanation) {
        let Some(port) = &explanation.port else { return };
        let remark = format!("port {}, {}", explanation.number, explanation.direction);
        self.heading(&port.name, &remark, port.place.as_ref());
        self.line(if port.declared { Tone::Plain } else { Tone::Warn }, "  ", &port.why);
        let denied = match port.mode {
            Mode::Observe => None,
            Mode::Warn => {
                Some("mode \"warn\": what no rule allows passes, and is reported as one that would be denied")
            }
            Mode::Enforce => Some("mode \"enforce\": what no rule allows is denied"),
        };
        denied.into_iter().for_each(|text| self.line(Tone::Plain, "  ", text));
        if let Some(tls) = &explanation.tls {
            self.key(tls, tls.key.chars().count());
        }
    }

    fn rule(&mut self, rule: &ExplainedRule, remark: &str, sources: &[Source]) {
        self.heading(&rule.role, remark, rule.place.as_ref());
        let widest = rule.keys.iter().map(|key| key.key.chars().count()).max().unwrap_or(0);
        let mut shown = 0;
        for key in &rule.keys {
            self.key(key, widest);
            if key.fit != KeyFit::Matches {
                let line = rule.place.as_ref().and_then(|place| written(place, &key.key, sources));
                if let Some((number, text)) = line.filter(|(number, _)| *number != shown) {
                    shown = number;
                    self.source(number, text, widest);
                }
            }
        }
    }

    fn key(&mut self, key: &ExplainedKey, widest: usize) {
        let ExplainedKey { key, fit, wanted, is } = key;
        let (tone, sign) = sign(*fit);
        let text = match fit {
            KeyFit::Matches if wanted == is => is.clone(),
            KeyFit::Matches => format!("{is}, wanted {wanted}"),
            KeyFit::Fails => format!("is {is}, wanted {wanted}"),
            KeyFit::Unknown | KeyFit::Withheld => format!("{is}; wanted {wanted}"),
        };
        let begin = format!("  {sign} {key:widest$}  ");
        let room = self.width.saturating_sub(begin.chars().count());
        for (index, line) in wrap(&clean(&text), room).iter().enumerate() {
            let begin = if index == 0 { tone.paint(&begin) } else { " ".repeat(begin.chars().count()) };
            let line = if *fit == KeyFit::Matches { Tone::Dim.paint(line) } else { line.clone() };
            self.text.push_str(&format!("{begin}{line}\n"));
        }
    }

    /// A line of the policy, below the key that it is about.
    fn source(&mut self, number: usize, text: &str, widest: usize) {
        let begin = format!("{:>gutter$} │ ", number, gutter = widest + 4);
        let room = self.width.saturating_sub(begin.chars().count());
        let text = clean(text.trim()).into_owned();
        let cut: String = if text.chars().count() > room {
            text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
        } else {
            text
        };
        self.text.push_str(&format!("{}{cut}\n", Tone::Dim.paint(&begin)));
    }

    /// Rules that are further away: what keeps each from allowing it.
    fn others(&mut self, rules: &[ExplainedRule], omitted: usize) {
        if rules.is_empty() && omitted == 0 {
            return;
        }
        self.text.push('\n');
        for rule in rules.iter().take(BRIEF) {
            let of = |wanted: &[KeyFit]| {
                let keys = rule.keys.iter().filter(|key| wanted.contains(&key.fit));
                list(keys.map(|key| &*key.key))
            };
            let (failed, open) = (of(&[KeyFit::Fails, KeyFit::Withheld]), of(&[KeyFit::Unknown]));
            let fails =
                if failed.is_empty() { format!("not known: {open}") } else { format!("fails by {failed}") };
            let (tone, sign) = sign(if failed.is_empty() { KeyFit::Unknown } else { KeyFit::Fails });
            self.line(tone, &format!("{sign} "), &format!("{}: {fails}", rule.role));
        }
        let more = rules.len().saturating_sub(BRIEF) + omitted;
        if more > 0 {
            self.line(
                Tone::Dim,
                "",
                &format!("and {}; --json has those that are compared", counted(more as u64, "more rule")),
            );
        }
    }

    /// What to say more of, so that it can be decided.
    fn hint(&mut self, explanation: &Explanation) {
        if !matches!(explanation.verdict, Verdict::Undecided { .. }) {
            return;
        }
        let nearest = explanation.rules.first().into_iter().flat_map(|rule| &rule.keys);
        let open = nearest.chain(&explanation.tls).filter(|key| key.fit == KeyFit::Unknown);
        let options: Vec<String> = open
            .filter_map(|key| match (&*key.key, explanation.direction.as_str()) {
                ("peers", _) if !key.is.starts_with("not known") => None,
                ("peers", "in") => Some("--from".to_owned()),
                ("peers", _) => Some("--to".to_owned()),
                ("cgroup" | "stated_by" | "volume", _) => None,
                (key, _) => Some(format!("--{key}")),
            })
            .collect();
        if !options.is_empty() {
            self.text.push('\n');
            self.line(Tone::Note, "", &format!("help: {} would decide it", list(options)));
        }
    }
}

const fn sign(fit: KeyFit) -> (Tone, &'static str) {
    match fit {
        KeyFit::Matches => (Tone::Good, "✓"),
        KeyFit::Fails | KeyFit::Withheld => (Tone::Bad, "✗"),
        KeyFit::Unknown => (Tone::Warn, "?"),
    }
}

/// The line of a key in the table of a rule that begins at this place.
fn written<'s>(place: &Place, key: &str, sources: &'s [Source]) -> Option<(usize, &'s str)> {
    let source = sources.iter().find(|source| *source.name == *place.file)?;
    let begins = |line: &str, key: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    let own = if matches!(key, "direction" | "peers" | "until") { key } else { "process" };
    let table = source.text.lines().enumerate().skip(place.line).take(64);
    let mut table = table.take_while(|(_, line)| !line.trim_start().starts_with("[["));
    table.find(|(_, line)| begins(line, own) || begins(line, key)).map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use gdprport_core::model::{Attribution, Direction, Endpoint, Posture, PostureState, Process};
    use gdprport_core::policy::{ActivePolicy, DnsNames, Facts, compile};

    use super::*;

    const POLICY: &str = "version = 1
[peers]
app-servers = [\"10.0.2.0/24\"]
[[port]]
name = \"customers-db\"
port = 5432
tls = { min = \"1.3\" }
[[port.allow]]
role = \"orders-api\"
direction = \"in\"
peers = [\"app-servers\"]
process = { unit = \"postgresql@*.service\", user = \"postgres\", exe = \"/usr/lib/postgresql/*/bin/postgres\" }
[[port.allow]]
role = \"nightly-backup\"
direction = \"out\"
peers = [\"backup-1.internal\"]
[[exception]]
finding = \"undeclared-peer\"
port = 5432
peers = \"10.0.9.0/28\"
why = \"it moves\"
accepted_by = \"dpo\"
until = 2027-01-31
";

    fn shown(peer: &str, state: PostureState, process: Option<&Process>, width: u16) -> String {
        let source = Source { name: "/etc/gdprport/policy.toml".to_owned(), text: POLICY.to_owned() };
        let policy = compile(std::slice::from_ref(&source)).expect("a policy");
        let active = ActivePolicy::new(policy, DnsNames::default());
        let posture = Posture::new(state, "seen");
        let facts = Facts {
            direction: Direction::In,
            local: Endpoint::new("10.0.2.15".parse().expect("an address"), 5432),
            peer: Endpoint::new(peer.parse().expect("an address"), 40_000),
            nat: None,
            process,
            owner_withheld: None,
            posture: Some(&posture),
            peer_missing: None,
            peer_within: None,
        };
        let now = "2026-11-29T10:00:00Z".parse().expect("a time");
        let explanation = active.explain(&facts, now);
        let sources = [source];
        let shown = Shown { explanation: &explanation, about: &[], sources: &sources, given: true };
        let text = anstream::adapter::strip_str(&show(&shown, &Screen { width, now })).to_string();
        let wide = text.lines().find(|line| line.chars().count() > usize::from(width));
        assert_eq!(wide, None, "{width}: {text}");
        text
    }

    fn postgres() -> Process {
        Process {
            unit: Some("postgresql@15-main.service".into()),
            user: Some("postgres".into()),
            names_pending: true,
            attribution: Attribution::Exact,
            ..Process::UNKNOWN
        }
    }

    #[test]
    fn what_fails_is_shown_with_its_line() {
        insta::assert_snapshot!(shown("203.0.113.7", PostureState::Plaintext, Some(&postgres()), 80));
    }

    #[test]
    fn what_is_not_known_is_asked_for() {
        insta::assert_snapshot!(shown("10.0.2.7", PostureState::Tls13, Some(&postgres()), 120));
    }

    #[test]
    fn an_accepted_violation_says_who_accepted_it() {
        let whole = Process { exe: Some("/usr/lib/postgresql/15/bin/postgres".into()), ..postgres() };
        let text = shown("10.0.9.3", PostureState::Tls13, Some(&whole), 100);
        assert!(text.starts_with("✗ violation: undeclared-peer\n"), "{text}");
        assert!(text.contains("\n  accepted by dpo until 2027-01-31: it moves\n"), "{text}");
    }

    #[test]
    fn the_rule_that_allows_is_the_only_one_shown() {
        let whole = Process { exe: Some("/usr/lib/postgresql/15/bin/postgres".into()), ..postgres() };
        for width in 80..200 {
            let text = shown("10.0.2.7", PostureState::Tls13, Some(&whole), width);
            assert!(text.starts_with("✓ declared: orders-api allows it\n"), "{text}");
            assert!(!text.contains("nightly-backup"), "{text}");
        }
    }
}
