//! How typical mistakes look: each names the place and what would be right.

use insta::assert_snapshot;

use super::*;

/// A policy whose one port has these keys.
fn port(keys: &str) -> String {
    format!("version = 1\n[controller]\nname = \"Example\"\ncontact = \"x@example.org\"\n[[port]]\n{keys}\n")
}

fn rule(keys: &str) -> String {
    port(&format!("name = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\n{keys}"))
}

fn errors(text: &str) -> String {
    let mut problems = problems(text);
    problems.list.retain(|problem| problem.severity == super::super::Severity::Error);
    problems.to_string()
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\nlisten_on = [\"any\"]\nlistem = [\"any\"]")), @r#"
    policy.toml:8:1: error: a port has no key `listen_on`
     8 | listen_on = ["any"]
       | ^^^^^^^^^
       = help: did you mean `listen`?

    policy.toml:9:1: error: a port has no key `listem`
     9 | listem = ["any"]
       | ^^^^^^
       = help: did you mean `listen`?
    "#);
}

#[test]
fn the_file_of_countries_is_named_by_an_absolute_path() {
    let text =
        "version = 1\n[controller]\nname = \"Example\"\ncontact = \"x\"\ncountries = \"countries.csv\"\n";
    assert_snapshot!(errors(text), @r#"
    policy.toml:5:13: error: `countries` is no absolute path
     5 | countries = "countries.csv"
       |             ^^^^^^^^^^^^^^^
       = help: write where it is, such as "/etc/gdprport/countries.csv"
    "#);
}

#[test]
fn a_deadline_that_is_none_is_refused() {
    let text = |within: &str| {
        format!("version = 1\n[controller]\nname = \"A\"\ncontact = \"x\"\nnotify_within = \"{within}\"\n")
    };
    for (within, said) in [
        ("59m", "`notify_within` is no time from one hour to 31 days"),
        ("32d", "which is what Art. 33(1) GDPR says"),
        ("soon", "`soon` is no length of time"),
    ] {
        let errors = errors(&text(within));
        assert!(errors.contains(said), "{within}: {errors}");
    }
    assert!(compile(&[source("policy.toml", &text("72h"))]).is_ok());
}

#[test]
fn a_typing_error_is_reported_once_and_not_as_missing_too() {
    let text = format!(
        "{}\n[port.record]\npurpose = \"orders\"\nsubject = [\"customers\"]\ndata = 5\nrecipients = []\n\
         transfers = []\nretention = \"1 year\"\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\n\
         peer = [\"any\"]\nproces = {{ unit = \"x\" }}",
        port("name = \"db\"\nport = 5432\nlistens = [\"any\"]\ntls = 1")
    );
    assert_snapshot!(problems(&text), @r#"
    policy.toml:8:1: error: a port has no key `listens`
     8 | listens = ["any"]
       | ^^^^^^^
       = help: did you mean `listen`?

    policy.toml:9:7: error: expected { min = "1.3" }, { min = "1.2" } or { required = false, why = … }, found the number `1`
     9 | tls = 1
       |       ^

    policy.toml:13:1: error: a record has no key `subject`
     13 | subject = ["customers"]
        | ^^^^^^^
        = help: did you mean `subjects`?

    policy.toml:14:8: error: expected a text, found the number `5`
     14 | data = 5
        |        ^
        = help: write it in quotes

    policy.toml:21:1: error: a rule has no key `peer`
     21 | peer = ["any"]
        | ^^^^
        = help: did you mean `peers`?

    policy.toml:22:1: error: a rule has no key `proces`
     22 | proces = { unit = "x" }
        | ^^^^^^
        = help: did you mean `process`?
    "#);
}

#[test]
fn a_missing_version_is_asked_for() {
    assert_snapshot!(errors("[[port]]\nname = \"db\"\nport = 5432\n"), @r"
    policy.toml:1:1: error: the policy has no `version`
     1 | [[port]]
       | ^
       = help: add `version = 1`
    ");
}

#[test]
fn another_version_is_refused() {
    assert_snapshot!(errors("version = 2\n"), @r"
    policy.toml:1:11: error: the version is not known
     1 | version = 2
       |           ^
       = help: this program reads `version = 1`
    ");
}

#[test]
fn a_mistyped_peer_name_is_corrected() {
    let text = rule("direction = \"in\"\npeers = [\"app-server\", \"backup\"]");
    assert_snapshot!(errors(&format!("{text}\n[peers]\napp-servers = [\"10.0.2.0/24\"]")), @r#"
    policy.toml:11:10: error: no peers are named `app-server`
     11 | peers = ["app-server", "backup"]
        |          ^^^^^^^^^^^^
        = help: did you mean `app-servers`?

    policy.toml:11:24: error: no peers are named `backup`
     11 | peers = ["app-server", "backup"]
        |                        ^^^^^^^^
        = help: name it in `[peers]`; for a host name without a dot, add one at its end
    "#);
}

#[test]
fn a_mistyped_protocol_is_corrected() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\nprotocol = \"postgres\"")), @r#"
    policy.toml:8:12: error: the catalog has no protocol `postgres`
     8 | protocol = "postgres"
       |            ^^^^^^^^^^
       = help: did you mean `postgresql`?
    "#);
}

#[test]
fn a_network_with_host_bits_is_distinguished_from_an_address() {
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = [\"10.0.2.15/24\"]")), @r#"
    policy.toml:11:10: error: `10.0.2.15/24` has bits set beyond its prefix
     11 | peers = ["10.0.2.15/24"]
        |          ^^^^^^^^^^^^^^
        = help: the network is "10.0.2.0/24"; the one address is "10.0.2.15"
    "#);
}

#[test]
fn an_address_with_a_port_or_out_of_range_is_no_address() {
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = [\"10.0.2.15:5432\", \"10.0.2.256\", \"0.0.0.0\"]")), @r#"
    policy.toml:11:10: error: `10.0.2.15:5432` is no address
     11 | peers = ["10.0.2.15:5432", "10.0.2.256", "0.0.0.0"]
        |          ^^^^^^^^^^^^^^^^
        = help: write an address without a port or a zone

    policy.toml:11:28: error: `10.0.2.256` is no address
     11 | peers = ["10.0.2.15:5432", "10.0.2.256", "0.0.0.0"]
        |                            ^^^^^^^^^^^^
        = help: write it as "10.0.2.15" or, for a network, "10.0.2.0/24"

    policy.toml:11:42: error: `0.0.0.0` is the address of nobody
     11 | peers = ["10.0.2.15:5432", "10.0.2.256", "0.0.0.0"]
        |                                          ^^^^^^^^^
        = help: write "any" for every peer
    "#);
}

#[test]
fn impossible_ports_are_refused() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = [0, 70000, \"5432\", \"5439-5432\", true]")), @r#"
    policy.toml:7:9: error: `0` is no port
     7 | port = [0, 70000, "5432", "5439-5432", true]
       |         ^
       = help: a port is a number from 1 to 65535

    policy.toml:7:12: error: `70000` is no port
     7 | port = [0, 70000, "5432", "5439-5432", true]
       |            ^^^^^
       = help: a port is a number from 1 to 65535

    policy.toml:7:19: error: `5432` is no range of ports
     7 | port = [0, 70000, "5432", "5439-5432", true]
       |                   ^^^^^^
       = help: write one port without quotes and a range as "5432-5439"

    policy.toml:7:27: error: the range `5439-5432` runs backwards
     7 | port = [0, 70000, "5432", "5439-5432", true]
       |                           ^^^^^^^^^^^
       = help: write "5432-5439"

    policy.toml:7:40: error: expected a port number, a range such as "5432-5439", or a list of them, found `true`
     7 | port = [0, 70000, "5432", "5439-5432", true]
       |                                        ^^^^
    "#);
}

#[test]
fn an_empty_list_is_refused() {
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = []\nprocess = { unit = [] }")), @r"
    policy.toml:11:9: error: the list is empty
     11 | peers = []
        |         ^^
        = help: name at least one, or leave the key out where it is optional

    policy.toml:12:20: error: the list is empty
     12 | process = { unit = [] }
        |                    ^^
        = help: name at least one, or leave the key out where it is optional
    ");
}

#[test]
fn a_process_without_keys_is_refused() {
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = [\"any\"]\nprocess = {}")), @r"
    policy.toml:12:11: error: `process` asks for nothing
     12 | process = {}
        |           ^^
        = help: give one of `exe`, `user`, `group`, `unit`, `container`, `image`, `label`, `pod`, `namespace`, `workload` or `cgroup`, or remove `process`
    ");
}

#[test]
fn a_pattern_that_can_match_no_path_is_refused() {
    assert_snapshot!(errors(&rule(
        "direction = \"in\"\npeers = [\"any\"]\nprocess = { exe = \"postgres\", unit = \"a[b\" }"
    )), @r#"
    policy.toml:12:19: error: `postgres` can match no absolute path
     12 | process = { exe = "postgres", unit = "a[b" }
        |                   ^^^^^^^^^^
        = help: write the whole path, or "**/postgres"

    policy.toml:12:38: error: `a[b` is no pattern: unclosed character class; missing ']'
     12 | process = { exe = "postgres", unit = "a[b" }
        |                                      ^^^^^
        = help: `*` stands for anything but `/`, `**` for whole folders; put a plain `[` as `[[]`
    "#);
}

#[test]
fn an_end_that_differs_from_host_to_host_is_refused() {
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = [\"any\"]\nuntil = 2027-01-31T12:00:00")), @r"
    policy.toml:12:9: error: the time has no offset, so it would differ from host to host
     12 | until = 2027-01-31T12:00:00
        |         ^^^^^^^^^^^^^^^^^^^
        = help: write a date (valid through the end of that day in UTC) or a time with its offset, such as `2027-01-31T18:00:00+01:00`
    ");
    assert_snapshot!(errors(&rule("direction = \"in\"\npeers = [\"any\"]\nuntil = \"2027-01-31\"")), @r#"
    policy.toml:12:9: error: expected a date, found the text `2027-01-31`
     12 | until = "2027-01-31"
        |         ^^^^^^^^^^^^
        = help: write a date without quotes, such as `until = 2027-01-31`
    "#);
}

#[test]
fn a_rule_without_required_keys_is_shown_all_of_them() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\n[[port.allow]]\nuser = \"postgres\"")), @r#"
    policy.toml:8:1: error: a rule has no `role`
     8 | [[port.allow]]
       | ^^^^^^^^^^^^^^
       = help: add `role = "orders-api"`

    policy.toml:8:1: error: a rule has no `direction`
     8 | [[port.allow]]
       | ^^^^^^^^^^^^^^
       = help: add `direction = "in"`

    policy.toml:8:1: error: a rule has no `peers`
     8 | [[port.allow]]
       | ^^^^^^^^^^^^^^
       = help: add `peers = ["10.0.2.0/24"]`

    policy.toml:9:1: error: a rule has no key `user`
     9 | user = "postgres"
       | ^^^^
       = help: the keys here are `role`, `direction`, `peers`, `port`, `process`, `until`, `volume`
    "#);
}

#[test]
fn a_single_table_where_a_list_of_tables_belongs_is_explained() {
    assert_snapshot!(errors("version = 1\n[port]\nname = \"db\"\nport = 5432"), @r"
    policy.toml:2:1: error: expected a list, found a table
     2 | [port]
       | ^^^^^^
       = help: write the table's name in double brackets: `[[…]]`
    ");
}

#[test]
fn a_service_that_is_neither_here_nor_a_list_is_refused() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\nservice = \"locl\"")), @r#"
    policy.toml:8:11: error: `locl` is no service
     8 | service = "locl"
       |           ^^^^^^
       = help: write "local" if it is served here, or a list of where it runs: ["locl"]
    "#);
}

#[test]
fn a_remote_service_cannot_be_bound_or_accepted_on() {
    assert_snapshot!(errors(&port(
        "name = \"db\"\nport = 5432\nservice = [\"db.example.org\"]\nlisten = \"any\"\n[[port.allow]]\n\
         role = \"r\"\ndirection = \"in\"\npeers = [\"any\"]"
    )), @r#"
    policy.toml:9:10: error: a remote service is not bound here
     9 | listen = "any"
       |          ^^^^^
       = help: remove `listen`, or write `service = "local"`

    policy.toml:12:13: error: nothing is accepted here for a remote service
     12 | direction = "in"
        |             ^^^^
        = help: write "out", or `service = "local"` if it is served here
    "#);
}

#[test]
fn text_that_is_not_toml_does_not_hide_the_other_problems() {
    assert_snapshot!(errors("version = 1\n[[port]]\nname = \"db\nport = 5432\nlisten = any\nemitt = \"every\"\n"), @r#"
    policy.toml:3:11: error: this is not TOML: invalid basic string, expected `"`
     3 | name = "db
       |           ^

    policy.toml:5:10: error: this is not TOML: string values must be quoted, expected literal string
     5 | listen = any
       |          ^^^

    policy.toml:6:1: error: a port has no key `emitt`
     6 | emitt = "every"
       | ^^^^^
       = help: did you mean `emit`?
    "#);
}

#[test]
fn a_role_names_one_rule() {
    let text = rule("direction = \"in\"\npeers = [\"any\"]");
    assert_snapshot!(errors(&format!("{text}\n[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"any\"]")), @r#"
    policy.toml:14:8: error: role `r` is given twice on this port: first at policy.toml:9:8
     14 | role = "r"
        |        ^^^
        = help: a role names one rule: use another
    "#);
}

#[test]
fn a_summary_has_a_sensible_period() {
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\nemit = { summary = \"10ms\" }")), @r#"
    policy.toml:8:20: error: `10ms` is no time from one second to one day
     8 | emit = { summary = "10ms" }
       |                    ^^^^^^
       = help: write it as "60s", "5m" or "1h"
    "#);
    assert_snapshot!(errors(&port("name = \"db\"\nport = 5432\nemit = \"some\"")), @r#"
    policy.toml:8:8: error: expected "auto", { auto = 60 }, "every", "violations" or { summary = "60s" }, found the text `some`
     8 | emit = "some"
       |        ^^^^^^
    "#);
}

#[test]
fn a_number_of_events_a_minute_is_a_sensible_one() {
    let of = |emit: &str| errors(&port(&format!("name = \"db\"\nport = 5432\nemit = {emit}")));
    for wrong in ["{ auto = 0 }", "{ auto = 6001 }", "{ auto = \"60\" }", "{ auto = -1 }", "{ auto = 1.5 }"] {
        let shown = of(wrong);
        assert!(shown.contains("how many events a minute, from 1 to 6000, such as 60"), "{shown}");
    }
    assert_snapshot!(of("{ auto = 60, summary = \"60s\" }"), @r#"
    policy.toml:8:17: error: `auto` contradicts `summary`
     8 | emit = { auto = 60, summary = "60s" }
       |                 ^^
       = help: keep one of the two
    "#);
    assert_snapshot!(of("{}"), @r#"
    policy.toml:8:8: error: `emit` does not say what is sent
     8 | emit = {}
       |        ^^
       = help: write "auto", { auto = 60 }, "every", "violations" or { summary = "60s" }
    "#);
}

#[test]
fn a_hostile_value_cannot_control_the_terminal() {
    let text = format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\nprotocol = \"\\u001b[31m{}\"",
        "x".repeat(500)
    );
    let shown = errors(&text);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
}
