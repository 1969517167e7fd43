//! Policies at random as people lay them out, into which proposals are put.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::merged::{has_all_lines, try_merge};
use super::proposals::{declared, exact, row, server, violation};
use super::*;
use crate::ledger::{Edge, PortKey};

/// Parts of a file. Some cannot stand together, which the compiler says.
const PARTS: [&str; 16] = [
    "[[port]]\nname = \"db\"\nport = 5432\nallow = []\n",
    "allow = []\n",
    "[peers]\napps = [\"10.0.2.11\", \"10.0.2.12\"]\n",
    "[controller]\nname = \"Example GmbH\" # é 漢\n",
    "[[port]]\nname = \"db\"\nport = 5432\n",
    "[[port]]\nname = 'db'\nport = [5432]\nlisten = [\n  \"any\", # all\n]\n  [port.record]\n  # purpose = \"\"\n  # basis = \"\"\n",
    "[[port]]\nname = \"db\"\nport = 5432\nallow = [{ role = \"serving\", direction = \"in\", peers = [\"10.0.2.11\"] }]\nrecord = { purpose = \"a\" }\n",
    "[[port]]\nname = \"db\"\nport = 5432\nrecord.purpose = \"a\"\nservice = [\"10.0.9.0/24\"]\n",
    "[[port]]\nname = \"cache\"\nport = 6379\n",
    "  [[port.allow]]\n  role = \"serving\"\n  direction = \"in\"\n  peers = [\"10.0.2.11\"]\n  process = { unit = \"postgresql@15-main.service\" }\n",
    "[[port.allow]]\nrole = \"out\"\ndirection = \"out\"\npeers = [\"b.internal\"]\n",
    "[[allow]]\nport = \"db\"\nrole = \"more\"\ndirection = \"in\"\npeers = [\"10.0.2.13\"]\nprocess = { user = \"postgres\" }\n",
    "[[exception]]\nfinding = \"plaintext\"\nwhy = '''\nold'''\naccepted_by = \"CISO\"\nuntil = 2099-12-31\n",
    "# a comment\n",
    "\n",
    "\t# indented\n\n#proposal zzz\n",
];

fn file() -> impl Strategy<Value = String> {
    (vec(select(PARTS.to_vec()), 1..9), any::<bool>(), any::<bool>()).prop_map(|(parts, crlf, end)| {
        let text = format!("version = 1\n{}", parts.concat());
        let text = if end { text.trim_end().to_owned() } else { text };
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

fn edges() -> Vec<Edge> {
    let backup = || exact("backup.service", "/usr/bin/pg_dump", "backup");
    let mut cache =
        row(Direction::In, "10.0.2.11", exact("redis.service", "/usr/bin/redis", "redis"), violation());
    cache.key.port = std::sync::Arc::new(PortKey { name: "redis".into(), number: 6379, declared: false });
    cache.key.policy = None;
    let listener = Identity { attribution: Attribution::Listener, ..server() };
    vec![
        row(Direction::In, "10.0.2.11", server(), declared()),
        row(Direction::In, "10.0.2.14", server(), declared()),
        row(Direction::In, "10.0.2.15", server(), violation()),
        row(Direction::In, "10.0.2.16", listener, declared()),
        row(Direction::In, "10.0.2.17", Identity::UNKNOWN, declared()),
        row(Direction::Out, "10.0.9.9", backup(), declared()),
        row(Direction::Out, "10.8.0.1", backup(), declared()),
        cache,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    /// Every line that somebody wrote stays, the result is a policy, and it is proposed nothing more.
    #[test]
    fn whatever_a_file_looks_like_it_stays(text in file(), include in any::<bool>()) {
        let once = try_merge(&edges(), &text, include);
        let Ok(once) = once else { return Ok(()) };
        active(&once.text);
        prop_assert!(has_all_lines(&once.text, &text), "{text}\n----\n{}", once.text);
        let twice = try_merge(&edges(), &once.text, include);
        prop_assert_eq!(&twice.expect("a policy").text, &once.text, "{}", text);
    }
}
