//! What is said of each kind of difference.

use super::between;

const BASE: &str = r#"
version = 1
[controller]
name = "Example GmbH"
[peers]
apps = ["10.0.2.0/24"]
[[port]]
name = "db"
port = 5432
listen = ["10.0.2.15"]
tls = { min = "1.3" }
[port.record]
purpose = "orders"
transfers = []
[[port.allow]]
role = "api"
direction = "in"
peers = ["apps"]
process = { unit = "postgresql@*.service", user = "postgres" }
[[port.allow]]
role = "backup"
direction = "out"
peers = ["10.0.9.9"]
until = 2027-01-31
[[exception]]
finding = "plaintext"
port = "db"
why = "old client"
accepted_by = "CISO"
until = 2026-12-31
"#;

fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from), "{from}");
    between(BASE, &BASE.replace(from, to))
}

#[test]
fn what_is_written_in_another_way_is_no_difference() {
    let other = BASE.replace("apps", "web").replace("[controller]", "# who\n[controller]");
    assert_eq!(between(BASE, &other), Vec::<String>::new());
    let wider = changed("\"10.0.2.0/24\"", "\"10.0.2.0/25\", \"10.0.2.128/25\"");
    assert_eq!(wider, ["~ db/api: peers are written in another way and are the same addresses"]);
}

#[test]
fn peers_are_compared_in_addresses() {
    assert_eq!(
        changed("10.0.2.0/24", "10.0.2.0/23"),
        ["+ db/api: peers are wider: 10.0.2.0/23 (256 addresses more)"]
    );
    assert_eq!(
        changed("10.0.2.0/24", "10.0.2.128/25"),
        ["- db/api: peers are narrower: 10.0.2.0/24 went (128 addresses less)"]
    );
    assert_eq!(
        changed("\"10.0.2.0/24\"", "\"10.0.3.7\", \"fd00::/64\""),
        [
            "+ db/api: peers are wider: 10.0.3.7, fd00::/64 (1 address and 2^64 addresses of IPv6 more)",
            "- db/api: peers are narrower: 10.0.2.0/24 went (256 addresses less)",
        ]
    );
    assert_eq!(
        changed("[\"10.0.9.9\"]", "[\"any\"]"),
        ["+ db/backup: peers are wider: any (4,294,967,295 addresses and 2^128 addresses of IPv6 more)"]
    );
    assert_eq!(
        changed("\"10.0.9.9\"", "\"10.0.9.9\", \"b.internal\""),
        [
            "+ db/backup: peers are wider: b.internal (a host name: how many addresses it has is not known here)"
        ]
    );
}

#[test]
fn what_is_asked_of_processes_is_compared_by_key() {
    assert_eq!(changed(", user = \"postgres\"", ""), ["+ db/api: user = postgres is not asked for any more"]);
    assert_eq!(
        changed("user = \"postgres\"", "user = [\"postgres\", \"root\"]"),
        ["+ db/api: user may be root too"]
    );
    assert_eq!(
        changed("postgresql@*.service", "postgresql@15.service"),
        ["+ db/api: unit is postgresql@15.service instead of postgresql@*.service"]
    );
    assert_eq!(
        changed("user = \"postgres\"", "user = \"postgres\", exe = \"/usr/bin/p\""),
        ["- db/api: exe = /usr/bin/p is asked for too"]
    );
    assert_eq!(
        changed("process = { unit = \"postgresql@*.service\", user = \"postgres\" }\n", ""),
        ["+ db/api: any process may now; before user = postgres, unit = postgresql@*.service was asked for"]
    );
}

#[test]
fn encryption_places_and_ends_say_which_way() {
    assert_eq!(
        changed("min = \"1.3\"", "min = \"1.2\""),
        ["+ db: the demand on the encryption is lowered: at least TLS 1.2, before at least TLS 1.3"]
    );
    assert_eq!(
        changed("{ min = \"1.3\" }", "{ required = false, why = \"local\" }"),
        [
            "+ db: the demand on the encryption is lowered: nothing, because \"local\", before at least TLS 1.3"
        ]
    );
    assert_eq!(
        changed("listen = [\"10.0.2.15\"]\n", ""),
        ["+ db: it may be bound anywhere; before to 10.0.2.15"]
    );
    assert_eq!(
        changed("until = 2027-01-31\n", ""),
        ["+ db/backup: it has no end any more; it was valid until 2027-01-31 23:59:59 UTC"]
    );
    assert_eq!(
        changed("until = 2026-12-31", "until = 2027-02-01"),
        ["+ db: plaintext is accepted until 2027-02-01, longer than 2026-12-31"]
    );
}

#[test]
fn records_and_the_controller_never_change_a_verdict() {
    assert_eq!(
        changed("purpose = \"orders\"\ntransfers = []", "purpose = \"marketing\""),
        [
            "~ db: the record's purpose is: marketing; before: orders",
            "~ db: the record's transfers is: not declared; before: none",
        ]
    );
    assert_eq!(
        changed("name = \"Example GmbH\"", "name = \"Other AG\""),
        ["~ : the controller's name is: Other AG; before: Example GmbH"]
    );
}

#[test]
fn rules_and_ports_come_go_and_are_renamed() {
    assert_eq!(changed("role = \"api\"", "role = \"web\""), ["~ db/web: rule api is called web"]);
    let renamed = between(BASE, &BASE.replace("\"db\"", "\"pg\""));
    assert_eq!(renamed.len(), 3, "a name, and an exception that went and came: {renamed:?}");
    assert!(renamed.contains(&"~ pg: db is called pg".to_owned()), "{renamed:?}");
    let more = format!(
        "{BASE}\n[[port]]\nname = \"c\"\nport = 6379\n[[port.allow]]\nrole = \"x\"\ndirection = \"in\"\npeers = [\"10.0.0.0/30\"]\n"
    );
    assert_eq!(
        between(BASE, &more),
        [
            "+ c: port 6379 is declared; before every connection was a violation",
            "+ c/x: rule x came in and allows connections accepted here from 10.0.0.0/30 (4 addresses), by any process",
        ]
    );
    assert_eq!(
        between(&more, BASE),
        [
            "- c: port 6379 is not declared any more: every connection is a violation",
            "- c/x: rule x went, which allowed connections accepted here from 10.0.0.0/30 (4 addresses), by any process",
        ]
    );
    // What the catalog does not know is watched for its declaration alone.
    let unknown = more.replace("6379", "7777");
    assert_eq!(
        between(&unknown, BASE),
        ["+ c: port 7777 is not declared any more, and not watched: nothing of it is seen"]
    );
    assert!(
        between(BASE, &unknown)[0].starts_with("- c: port 7777 is declared; it was not watched"),
        "{:?}",
        between(BASE, &unknown)
    );
}

#[test]
fn a_rule_that_another_covers_allows_nothing_more() {
    let narrow = "[[port.allow]]\nrole = \"dump\"\ndirection = \"out\"\npeers = [\"10.0.9.9\"]\nprocess = { user = \"backup\" }\n";
    let with = |rule: &str| BASE.replace("until = 2027-01-31\n", rule);
    assert_eq!(
        between(&with(""), &with(narrow)),
        ["~ db/dump: rule dump came in, and what it allows rule backup allowed before"]
    );
    assert_eq!(
        between(&with(narrow), &with("")),
        ["~ db/dump: rule dump went, and what it allowed rule backup allows"]
    );
    // Not for longer, and not for others.
    assert!(
        between(BASE, &BASE.replace("[[exception]]", &format!("{narrow}[[exception]]")))[0]
            .starts_with("+ db/dump")
    );
    assert!(between(&with(""), &with(&narrow.replace("10.0.9.9", "10.0.9.8")))[0].starts_with("+ db/dump"));
}

#[test]
fn what_allows_more_comes_first() {
    let now = BASE
        .replace("\"orders\"", "\"marketing\"")
        .replace("10.0.2.0/24", "10.0.2.0/25")
        .replace("10.0.9.9", "10.0.9.0/24")
        .replace("\"1.3\"", "\"1.2\"");
    let marks: Vec<_> =
        between(BASE, &now).iter().map(|line| line.chars().take(12).collect::<String>()).collect();
    assert_eq!(marks, ["+ db: the de", "+ db/backup:", "- db/api: pe", "~ db: the re"]);
}

#[test]
fn a_volume_is_compared_by_what_it_allows() {
    let day = "until = 2027-01-31\nvolume = { per = \"1d\", max = \"50GiB\" }";
    assert_eq!(changed("until = 2027-01-31", day), ["- db/backup: its volume is limited to 50.0 GiB per 1d"]);
    let with =
        |volume: &str| BASE.replace("until = 2027-01-31", &format!("until = 2027-01-31\nvolume = {volume}"));
    let of = |before: &str, now: &str| between(&with(before), &with(now));
    let (small, large) = ("{ per = \"1d\", max = \"1GiB\" }", "{ per = \"1d\", max = \"2GiB\" }");
    assert_eq!(
        of(small, large),
        ["+ db/backup: its volume is limited to 2.0 GiB per 1d instead of 1.0 GiB per 1d"]
    );
    assert_eq!(
        of(large, small),
        ["- db/backup: its volume is limited to 1.0 GiB per 1d instead of 2.0 GiB per 1d"]
    );
    let hour = "{ per = \"1h\", max = \"1GiB\" }";
    assert_eq!(
        of(small, hour),
        ["+ db/backup: its volume is limited to 1.0 GiB per 1h instead of 1.0 GiB per 1d"]
    );
    assert_eq!(
        between(&with(small), BASE),
        ["+ db/backup: its volume is not limited any more; it was 1.0 GiB per 1d"]
    );
}
