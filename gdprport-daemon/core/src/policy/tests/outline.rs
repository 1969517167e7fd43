//! The outline is what the author wrote, with the places of table headers.

use super::super::{DeclaredPeer, DeclaredSite, Emit, Place, TlsDemand, outline};
use super::*;

fn place(file: &str, line: usize) -> Place {
    Place { file: file.into(), line, column: 1 }
}

fn net(text: &str) -> DeclaredPeer {
    DeclaredPeer::Net(text.parse().expect("a network"))
}

/// With the header's line, also of rules that a drop-in adds.
#[test]
fn every_table_is_there_with_the_line_of_its_header() {
    let first = "version = 1\n[controller]\nname = \"Example\"\ncontact = \"x@example.org\"\n[peers]\napp = [\"10.0.2.0/24\", \"a.example\", \"loopback\"]\n\
                 \n[[port]]\nname = \"db\"\nport = [5432, \"6000-6001\"]\nlisten = [\"10.0.2.15\"]\nprotocol = \"postgresql\"\ntls = { min = \"1.3\" }\nemit = \"violations\"\n\
                 \n[port.record]\npurpose = \"orders\"\n\
                 \n[[port.allow]]\nrole = \"api\"\ndirection = \"in\"\npeers = [\"app\", \"10.0.2.0/24\", \"any\"]\n\
                 process = { user = [1001, \"etl\"], exe = \"/usr/bin/a\", label = { tier = [\"b\", \"a\"], app = \"x\" } }\nuntil = 2027-01-31\n";
    let second = "version = 1\n[[port]]\nname = \"away\"\nport = 3306\nservice = [\"app\"]\n\
                  [[allow]]\nport = \"db\"\nrole = \"more\"\ndirection = \"out\"\npeers = \"10.0.9.1\"\n";
    let (found, policy) = outline(&[source("a.toml", first), source("b.toml", second)])
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(policy.rules(), 2, "the policy comes along");
    assert_eq!(found.controller.expect("one").name.as_ref(), "Example");
    let [app] = &found.sets[..] else { panic!("one set") };
    assert_eq!((&*app.name, app.members.len()), ("app", 3));
    for (peer, is_there) in [
        ("10.0.2.7/32", true),
        ("10.0.2.0/25", true),
        ("10.0.0.0/16", false),
        ("127.0.0.9/32", true),
        ("::2/128", false),
    ] {
        assert_eq!(app.has(&peer.parse().expect("a network")), is_there, "{peer}");
    }
    let [db, away] = &found.ports[..] else { panic!("two ports") };
    assert_eq!((&*db.name, &db.place), ("db", &place("a.toml", 8)));
    assert_eq!(db.numbers, [5432..=5432, 6000..=6001]);
    assert_eq!(db.site, DeclaredSite::Local(Some(vec![net("10.0.2.15/32")])));
    assert_eq!(db.protocol.map(|service| service.id), Some("postgresql"));
    assert_eq!((&db.tls, db.emit), (&TlsDemand::AtLeast(TlsVersion::Tls13), Emit::Violations));
    assert_eq!(db.record.as_ref().and_then(|record| record.purpose.as_deref()), Some("orders"));
    assert_eq!(db.record_place, Some(place("a.toml", 16)));
    let [api, more] = &db.rules[..] else { panic!("two rules") };
    assert_eq!((&*api.role, &api.place, api.direction), ("api", &place("a.toml", 19), Direction::In));
    let app = [net("10.0.2.0/24"), DeclaredPeer::Host("a.example".into()), DeclaredPeer::Loopback];
    assert_eq!(api.peers, [&app[..], &[DeclaredPeer::Any]].concat(), "a set is its members, each peer once");
    let texts = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        api.process,
        [
            ("exe", texts(&["/usr/bin/a"])),
            ("user", texts(&["1001", "etl"])),
            ("label", texts(&["app=x"])),
            ("label", texts(&["tier=a", "tier=b"])),
        ]
    );
    assert_eq!((api.top_level, more.top_level), (false, true));
    assert_eq!(api.until, Some(time("2027-01-31T23:59:59.999999999Z")));
    assert_eq!((&*more.role, &more.place, more.direction), ("more", &place("b.toml", 6), Direction::Out));
    assert_eq!((more.peers.as_slice(), more.process.as_slice()), (&[net("10.0.9.1/32")][..], &[][..]));
    assert_eq!((&away.place, &away.site), (&place("b.toml", 2), &DeclaredSite::Remote(app.to_vec())));
}

#[test]
fn without_a_file_nothing_is_outlined() {
    let (found, policy) = outline(&[]).expect("the catalog");
    assert!(found.ports.is_empty() && policy.is_catalog_only());
}

/// A file of 600 KB would otherwise take gigabytes.
#[test]
fn a_large_set_in_very_many_rules_is_refused() {
    let members: Vec<String> =
        (0..2_000).map(|host| format!("\"10.0.{}.{}\"", host / 250, host % 250 + 1)).collect();
    let mut text =
        format!("version = 1\n[peers]\nall = [{}]\n[[port]]\nname = \"db\"\nport = 1\n", members.join(", "));
    for rule in 0..501 {
        text += &format!("[[port.allow]]\nrole = \"r{rule}\"\ndirection = \"in\"\npeers = \"all\"\n");
    }
    let sources = [source("policy.toml", &text)];
    assert!(compile(&sources).is_ok(), "the verdict does not need them one by one");
    let problems = outline(&sources).expect_err("too many").to_string();
    assert!(problems.contains("more than 1000000 peers"), "{problems}");
}
