//! A host's inventory as people see it.

use std::sync::Arc;

use gdprport_core::inventory::{
    Exposure, Inventory, Listening, PeerGroup, Recognised, Unread, recognise, recognise_remote,
};
use gdprport_core::ledger::{ContainerIdentity, Identity, PostureKey};
use gdprport_core::model::{Attribution, Direction, PostureState};

use super::super::screen::Screen;
use super::*;
use crate::app::{FirstLook, ScanError};

fn identity(exe: &str, user: &str, unit: Option<&str>) -> Identity {
    Identity {
        attribution: Attribution::Snapshot,
        exe: Some(exe.into()),
        uid: Some(104),
        user: Some(user.into()),
        unit: unit.map(Arc::from),
        ..Identity::UNKNOWN
    }
}

fn listening(address: &[&str], port: u16, holder: Identity) -> Listening {
    let addresses: Vec<_> = address.iter().map(|ip| ip.parse().expect("an address")).collect();
    Listening {
        exposure: addresses.iter().map(|ip| Exposure::of(*ip)).max(),
        addresses,
        port,
        netns: 4_026_531_840,
        own_netns: true,
        service: recognise(port, &holder),
        holder,
        claim: None,
        goes_by: None,
        declared: None,
        peers: Vec::new(),
        postures: Vec::new(),
    }
}

fn peer(net: &str, connections: u64, process: Option<&str>) -> PeerGroup {
    PeerGroup {
        net: net.parse().expect("a network"),
        direction: Direction::In,
        connections,
        process: process.map(|exe| identity(exe, "app", None)),
        called: None,
    }
}

fn sample(watched: bool) -> Report {
    let postgres =
        identity("/usr/lib/postgresql/15/bin/postgres", "postgres", Some("postgresql@15-main.service"));
    let mut orders = listening(&["0.0.0.0", "::"], 5433, postgres);
    orders.declared = Some("orders-db".into());
    orders.peers = vec![
        peer("10.0.2.0/24", 212, None),
        peer("127.0.0.1/32", 3, Some("/usr/bin/psql")),
        peer("172.17.0.4/32", 2, Some("/srv/api")),
        peer("10.0.9.3/32", 1, None),
        peer("10.0.9.4/32", 1, None),
    ];
    let container = ContainerIdentity {
        runtime: Some("docker".into()),
        name: Some("shop-cache-1".into()),
        image: Some("registry.example/shop/valkey:8".into()),
        ..ContainerIdentity::default()
    };
    let valkey = Identity { container: Some(container), ..identity("/usr/bin/valkey-server", "999", None) };
    let mut cache =
        Listening { netns: 4_026_532_177, own_netns: false, ..listening(&["172.17.0.3"], 6379, valkey) };
    let mut kv = listening(&["127.0.0.1"], 6380, identity("/home/dev/fastkv", "dev", Some("kv.service")));
    kv.claim = Some(
        "others than root can replace this executable: the file /home/dev/fastkv belongs to user 1000".into(),
    );
    let unknown = listening(&["192.0.2.7"], 3306, Identity::UNKNOWN);
    let mut api = listening(&["0.0.0.0"], 8090, identity("/usr/bin/python3.11", "api", Some("api.service")));
    let many = (20_000..20_500)
        .map(|port| listening(&["127.0.0.1"], port, identity("/usr/sbin/vsftp-passive", "ftp", None)));
    let mut remote = listening(
        &["10.7.0.1", "10.7.0.2", "10.7.0.3", "10.7.0.4"],
        5672,
        identity("/srv/api", "api", Some("api.service")),
    );
    (remote.exposure, remote.service) = (None, recognise_remote(5672));
    remote.peers = vec![PeerGroup { direction: Direction::Out, ..peer("10.7.0.1/32", 4, None) }];
    let mut unread = vec![Unread {
        what: "network namespaces".into(),
        count: 1,
        why: "not allowed to enter: only root may; run it with sudo".into(),
    }];
    if watched {
        let posture = |state| PostureKey { state, version: None, cipher: None, certificate_until: None };
        orders.postures = vec![(posture(PostureState::Tls13), 200), (posture(PostureState::Plaintext), 13)];
        cache.postures = vec![(posture(PostureState::Plaintext), 40)];
        api.service.name = Some("HTTP".into());
        api.service.by = vec![Recognised::Bytes];
        unread.clear();
    }
    let ssh = listening(&["0.0.0.0", "::"], 22, identity("/usr/sbin/sshd", "root", Some("ssh.service")));
    let mut listeners = vec![ssh, orders, cache, kv, unknown, api];
    listeners.extend(many);
    listeners.sort_by_key(|listening| listening.port);
    Report {
        format: FORMAT,
        host: "db-1".to_owned(),
        policy: Some(PolicyNote {
            digest: "sha256:00".to_owned(),
            files: vec!["/etc/gdprport/policy.toml".to_owned()],
        }),
        inventory: Inventory {
            from: Some("2026-11-23T13:00:00Z".parse().expect("a time")),
            to: Some("2026-11-23T13:00:30Z".parse().expect("a time")),
            watched,
            listeners,
            remote: vec![remote],
            unread,
        },
    }
}

fn shown(report: &Report, width: u16) -> String {
    let screen = Screen { width, now: jiff::Timestamp::UNIX_EPOCH };
    anstream::adapter::strip_str(&page(report, &screen)).to_string()
}

#[test]
fn a_scan_on_a_narrow_screen() {
    insta::assert_snapshot!(shown(&sample(false), 80));
}

#[test]
fn a_scan_on_a_screen_of_120_columns() {
    insta::assert_snapshot!(shown(&sample(true), 120));
}

#[test]
fn a_scan_on_a_wide_screen() {
    insta::assert_snapshot!(shown(&sample(true), 200));
}

#[test]
fn a_scan_without_a_policy_says_what_is_next() {
    let mut report = sample(false);
    report.policy = None;
    report.inventory.listeners.iter_mut().for_each(|listening| listening.declared = None);
    let text = shown(&report, 120);
    assert!(text.ends_with("next: sudo gdprport init --output policy.toml\n"), "{text}");
    assert!(!text.contains("POLICY"), "{text}");
}

#[test]
fn a_scan_as_markdown() {
    insta::assert_snapshot!(markdown(&sample(true)));
}

#[test]
fn no_table_of_a_scan_is_wider_than_its_screen() {
    for (watched, width) in (80..200).flat_map(|width| [(false, width), (true, width)]) {
        let text = shown(&sample(watched), width);
        let wide = text.lines().find(|line| line.chars().count() > usize::from(width));
        assert_eq!(wide, None, "{width}: {text}");
    }
}

#[test]
fn a_host_without_anything_is_explained() {
    let mut report = sample(false);
    report.inventory = Inventory::default();
    let text = shown(&report, 80);
    for said in ["0 listeners", "none listens here", "none in use"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!markdown(&report).contains("| |"));
}

#[test]
fn a_program_is_shown_by_the_name_that_it_goes_by_too() {
    let mut report = sample(false);
    let mut redis = listening(&["127.0.0.1"], 6379, identity("/usr/bin/redis-check-rdb", "redis", None));
    redis.goes_by = Some("redis-server".into());
    report.inventory.listeners = vec![redis];
    assert!(shown(&report, 200).contains(" redis-server (redis-check-rdb) "), "{}", shown(&report, 200));
}

#[test]
fn names_of_attackers_steer_nothing() {
    const EVIL: &str = "/tmp/x\u{1b}[2J\n| # <b>\u{202e}`*";
    let mut report = sample(false);
    let mut evil = listening(&["0.0.0.0"], 5432, identity(EVIL, EVIL, Some(EVIL)));
    evil.holder.container =
        Some(ContainerIdentity { name: Some(EVIL.into()), ..ContainerIdentity::default() });
    evil.claim = Some(EVIL.into());
    evil.declared = Some(EVIL.into());
    evil.peers = vec![peer("127.0.0.1/32", 1, Some(EVIL))];
    report.inventory.listeners = vec![evil];
    report.inventory.remote.clear();
    report.host = EVIL.to_owned();
    let text = shown(&report, 120);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    let page = markdown(&report);
    assert!(!page.contains(['\u{1b}', '\u{202e}']) && !page.contains("<b>"), "{page}");
    let row = page.lines().find(|line| line.starts_with("| PostgreSQL")).expect("its row");
    let bars = row.replace(r"\|", "").matches('|').count();
    let header = page.lines().find(|line| line.starts_with("| service")).expect("the header");
    assert_eq!(bars, header.matches('|').count(), "{page}");
}

#[test]
fn the_json_of_a_scan_has_its_fields_at_the_top() {
    let json = serde_json::to_value(sample(true)).expect("it is JSON");
    for key in ["format", "host", "policy", "from", "to", "watched", "listeners", "remote", "unread"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    let orders = &json["listeners"][2];
    assert_eq!(orders["service"]["by"][0], "executable", "{orders}");
}

fn first_look(inventory: Result<Inventory, ScanError>) -> FirstLook {
    FirstLook { found: inventory, ports: 66 }
}

#[test]
fn a_first_start_is_one_screen_with_the_next_command() {
    let look = first_look(Ok(sample(false).inventory));
    for no_policy in [false, true] {
        let first = First { look: &look, host: "db-1", no_policy };
        let text = anstream::adapter::strip_str(&first.screen(80)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().count() <= 24, "{text}");
        insta::assert_snapshot!(text);
        insta::assert_snapshot!(first.lines().join("\n"));
    }
}

#[test]
fn a_first_start_that_cannot_look_says_so_and_goes_on() {
    let look = first_look(Err(ScanError::Proc(std::io::ErrorKind::NotFound.into())));
    let first = First { look: &look, host: "db-1", no_policy: false };
    let text = anstream::adapter::strip_str(&first.screen(80)).to_string();
    assert!(text.contains("cannot read /proc") && text.contains("gdprport init"), "{text}");
}
