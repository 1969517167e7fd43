//! Any text is a policy or a list of problems, never a panic.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces that parse now and then, so that the deeper layers see something.
const PIECES: [&str; 61] = [
    "version = 1\n",
    "version = 2\n",
    "[controller]\n",
    "name = \"x\"\n",
    "[peers]\n",
    "a = [\"10.0.0.0/8\"]\n",
    "b = [\"x.y\", \"any\"]\n",
    "[[port]]\n",
    "[port]\n",
    "name = \"db\"\n",
    "port = 5432\n",
    "port = \"1-65535\"\n",
    "port = [1, \"2-3\", -4]\n",
    "service = \"local\"\n",
    "service = [\"a\", \"10.0.0.0/8\"]\n",
    "listen = []\n",
    "listen = [\"::\", \"loopback\", \"x.y\"]\n",
    "protocol = \"redis\"\n",
    "mode = \"enforce\"\n",
    "tls = 1\n",
    "tls = { min = \"1.3\" }\n",
    "tls = { required = false, min = 1, why = \"\" }\n",
    "emit = { summary = \"5m\" }\n",
    "emit = {}\n",
    "[port.record]\n",
    "purpose = \"p\"\n",
    "transfers = []\n",
    "[[port.allow]]\n",
    "[[allow]]\n",
    "port = \"db\"\n",
    "role = \"r\"\n",
    "role = 7\n",
    "direction = \"in\"\n",
    "direction = \"out\"\n",
    "peers = [\"a\"]\n",
    "peers = \"any\"\n",
    "peers = [[[]]]\n",
    "process = {}\n",
    "process = { exe = \"/**/{a,b}*[!x]?\", user = 0 }\n",
    "process.unit = [\"[\", \"{\", \"}\", \"[]a]\", \"**a**\"]\n",
    "process = { image = [\"**:1\", \"a/[b/c:d@\", \"sha256:1\"], stated_by = 0 }\n",
    "process.label = { a = \"b\", \"a.b/c\" = [\"*\"] }\n",
    "process.label = \"a=b,=,\"\n",
    "process = { workload = \"deploy/\", pod = \"/\", namespace = \"X\" }\n",
    "process.label.a.b.c = 1\n",
    "until = 2027-02-30\n",
    "until = 9999-12-31\n",
    "until = 0000-01-01T00:00:60.999Z\n",
    "until = 07:32:00\n",
    "until = 9999-12-31T23:59:59-23:59\n",
    "[[exception]]\n",
    "finding = \"undeclared-peer\"\n",
    "finding = 1\n",
    "why = \"w\"\n",
    "accepted_by = \"a\"\n",
    "port = 5432\nuntil = 2027-01-31\n",
    "volume = {}\n",
    "x = 'é\u{0}\u{1b}\u{202e}'\n",
    "\u{feff}",
    "\r\n",
    "= ]\n",
];

fn total(text: &str) {
    match compile(&[source("a.toml", text), source("b.toml", "version = 1\n")]) {
        Ok(policy) => {
            let policy = active(Ok(policy));
            let process = postgres();
            for facts in [accepted(5432, "10.0.0.1", Some(&process)), connected(5432, "::1", None)] {
                let _ = policy.evaluate(&facts, Timestamp::MAX);
            }
            let _ = policy.evaluate_listener(Endpoint::new(ip("::"), 5432), None, Timestamp::MAX);
            assert!(policy.policy().warnings().iter().all(|warning| !warning.to_string().is_empty()));
        }
        Err(problems) => {
            assert!(!problems.list.is_empty());
            for problem in &problems.list {
                assert!(problem.line >= 1 && problem.column >= 1 && problem.width >= 1);
                assert!(
                    problem.underline + problem.width <= problem.excerpt.chars().count().max(1) + 1,
                    "{problem:?}"
                );
            }
            let shown = problems.to_string();
            assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_policy_or_problems(text in any::<String>()) {
        total(&text);
    }

    #[test]
    fn any_arrangement_of_pieces_is_a_policy_or_problems(
        pieces in proptest::collection::vec(select(PIECES.to_vec()), 0..24)
    ) {
        total(&pieces.concat());
    }

    #[test]
    fn any_pattern_is_compiled_or_refused(pattern in "[a-c/*?{},!:@.\\[\\]\\\\^-]{0,24}") {
        let text = format!(
            "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\n\
             peers = [\"any\"]\nprocess = {{ unit = '{pattern}' }}\n"
        );
        total(&text);
        total(&text.replace("unit = ", "image = "));
    }
}

/// At a line's end of Windows, too, and in a line longer than an excerpt.
#[test]
fn what_is_missing_at_a_lines_end_is_shown_behind_it() {
    for (line, end) in [(30, "\n"), (30, "\r\n"), (101, "\n"), (101, "\r\n"), (300, "\r\n"), (300, "\r")] {
        let text = format!("x = \"{}{end}", "a".repeat(line - 5));
        total(&text);
        let problem = problems(&text).list.remove(0);
        assert_eq!(problem.column, if end == "\r" { 302 } else { line + 1 }, "{problem:?}");
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    total(&format!("version = 1\nx = {}", "[".repeat(100_000)));
    total(&format!("version = 1\nx = {}", "{a=".repeat(100_000)));
    total(&format!("version = 1\n[{}]\n", vec!["a"; 50_000].join(".")));
}
