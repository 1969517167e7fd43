//! What the daemon gets to know of decisions: records, marks, groups; and that every way to connect is decided.

use std::fs;
use std::net::IpAddr;

use gdprport_common::{FlowRecord, Hook, RecordKind, SOCKET_DENIED, SOCKET_UNKNOWN, SOCKET_WOULD_DENY};
use gdprport_tests::need;
use gdprport_tests::netns::Netns;
use gdprport_tests::skip::Missing;
use io_uring::squeue::Flags;
use zerocopy::FromBytes as _;

use super::super::super::Sizes;
use super::super::super::requirements::is_at_least;
use super::super::super::{EnforceError, EnforceRoom};
use super::scene::{Address, DENIED, PASSED, Scene, Who, of_path, release};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const NOBODY: &str = "[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"10.0.0.0/8\"]\n";

fn enforce(scene: &mut Scene, mode: &str, rules: &str) {
    let text = scene.policy(mode, rules);
    let tables = scene.tables(&text, &[]);
    scene.enforce(&tables);
}

fn etl(scene: &mut Scene) -> Who<'static> {
    Who { unit: 0, uid: 1001, exe: of_path(scene.fingerprint(), "/bin/a"), netns: None }
}

/// The flow records that wait, of the end that connects.
fn records(scene: &mut Scene) -> Vec<FlowRecord> {
    let mut found = Vec::new();
    let port = scene.port;
    while scene.ring.drain(1_000, |bytes| {
        if let Ok(record) = FlowRecord::read_from_bytes(bytes)
            && record.peer_port == port
        {
            found.push(record);
        }
    }) > 0
    {}
    found
}

#[tokio::test]
async fn a_denied_connect_is_a_record_of_the_call() {
    let mut scene = need!(Scene::new(Sizes::default()));
    enforce(&mut scene, "enforce", NOBODY);
    let (call, who) = (Address::new(HERE, scene.port), etl(&mut scene));
    let done = scene.run(&who, |done| done[0] = call.connect(None, 0));
    assert_eq!(done[0], DENIED);
    let records = records(&mut scene);
    let [record] = &records[..] else { panic!("not one record: {records:?}") };
    assert_eq!((record.kind, record.decision), (RecordKind::Denied as u8, SOCKET_DENIED));
    assert_eq!((record.peer[0], record.uid), (u32::from_ne_bytes([127, 0, 0, 1]), 1001));
    assert!(record.tgid != 0 && record.exec_id == u64::from(record.tgid) && record.cookie != 0);
    let counters = scene.probes.counters().expect("readable");
    let denied = &counters.hooks[Hook::Denied as usize];
    assert_eq!((denied.seen, denied.emitted, counters.decisions.denied), (1, 1, 1));
}

#[tokio::test]
async fn a_warning_lets_pass_and_marks_what_it_would_deny() {
    let mut scene = need!(Scene::new(Sizes::default()));
    enforce(&mut scene, "warn", NOBODY);
    let (call, who) = (Address::new(HERE, scene.port), etl(&mut scene));
    let done = scene.run(&who, |done| done[0] = call.connect(None, 0));
    assert_eq!(done[0], PASSED);
    let all = records(&mut scene);
    assert_eq!(all.first().map(|record| record.kind), Some(RecordKind::ActiveEstablished as u8), "{all:?}");
    assert!(all.iter().all(|record| record.decision == SOCKET_WOULD_DENY), "its end too: {all:?}");
    assert_eq!(scene.decisions().would_deny, 1);

    // What cannot be decided is marked as such, whether it is denied for that or not.
    let rule = "[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"any\"]\nprocess = { exe = \"/bin/*\" }\n";
    for (rules, done, decision) in [
        (rule.to_owned(), PASSED, SOCKET_UNKNOWN),
        (format!("enforce = {{ on_unknown = \"deny\" }}\n{rule}"), DENIED, SOCKET_UNKNOWN | SOCKET_DENIED),
    ] {
        enforce(&mut scene, "enforce", &rules);
        assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], done);
        let all = records(&mut scene);
        assert!(!all.is_empty() && all.iter().all(|record| record.decision == decision), "{all:?}");
    }
}

/// As by a client that tries again without end: what has no room is counted in a group.
#[tokio::test]
async fn denials_without_room_for_records_are_in_groups() {
    let small = Sizes { ring_bytes: 1 << 16, tasks: 1_024, execs: 64, ..Sizes::default() };
    let mut scene = need!(Scene::new(small));
    enforce(&mut scene, "enforce", NOBODY);
    let (call, who) = (Address::new(HERE, scene.port), etl(&mut scene));
    scene.run(&who, |_| {
        for _ in 0..2_000 {
            call.connect(None, 0);
        }
    });
    let records = records(&mut scene);
    let collected = scene.probes.collector().expect("the first to ask").collect();
    assert!(collected.is_whole(), "{collected:?}");
    let [group] = &collected.groups[..] else { panic!("not one group: {:?}", collected.groups) };
    let counted = group.sums.denied_by_policy;
    assert_eq!(records.len() as u64 + counted, 2_000);
    assert!(records.len() < 400 && group.sums.occasions() == counted, "{} records, {group:?}", records.len());
    assert_eq!(scene.decisions().denied, 2_000);
}

/// Multipath TCP, where the kernel has it (`IPPROTO_MPTCP`).
const MPTCP: i32 = 262;

#[tokio::test]
async fn every_way_to_connect_is_decided() {
    let mut scene = need!(Scene::new(Sizes::default()));
    enforce(&mut scene, "enforce", NOBODY);
    let netns = Netns::new();
    let (call, who) = (Address::new(HERE, scene.port), etl(&mut scene));
    for netns in [None, Some(netns.handle())] {
        let done = scene.run(&Who { netns, ..etl_of(&who) }, |done| {
            done[0] = call.connect(None, 0);
            done[1] = call.fast_open();
            done[2] = call.fast_open_connect();
            done[3] = call.connect(None, MPTCP);
        });
        assert_eq!(done[..3], [DENIED; 3], "in another namespace: {}", netns.is_some());
        let has_mptcp = fs::exists("/proc/sys/net/mptcp/enabled").is_ok_and(|has| has);
        assert!(done[3] == DENIED || done[3] == u8::MAX && !has_mptcp, "{}", done[3]);
    }
    // A port that is not decided, and one that is not watched, are left alone.
    let asked = scene.decisions().asked;
    scene.probes.decide([]).expect("written");
    let done = scene.run(&who, |done| done[0] = call.connect(None, 0));
    assert_eq!((done[0], scene.decisions().asked), (PASSED, asked));
    let port = scene.port;
    scene.probes.decide([port]).expect("written");
    assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], DENIED);
    scene.clear();
    assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], PASSED, "nothing is in force");
    assert_eq!(scene.decisions().left, 1);
}

/// A worker thread of the kernel connects, by nobody's choice but the process's.
#[tokio::test]
async fn a_worker_of_io_uring_is_decided_as_its_process() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let uring = |_| io_uring::IoUring::new(1).ok();
    let [Some(mut plain), Some(mut by_worker), Some(mut other)] = [(); 3].map(uring) else {
        need!(Err::<(), _>(Missing::of("io_uring")));
        return;
    };
    let rule = "[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"any\"]\nprocess = { user = \"etl\" }\n";
    enforce(&mut scene, "enforce", rule);
    let (call, who) = (Address::new(HERE, scene.port), etl(&mut scene));
    let done = scene.run(&who, |done| {
        done[0] = call.by_uring(&mut plain, Flags::empty());
        done[1] = call.by_uring(&mut by_worker, Flags::ASYNC);
    });
    assert_eq!(done[0], PASSED);
    // Before Linux 5.12, without what 5.10.162 took from later kernels, the worker shows no process.
    let shows = is_at_least(&release(), (5, 12));
    assert!(done[1] == PASSED || (done[1] == DENIED && !shows), "by a worker: {}", done[1]);
    let who = Who { uid: 1002, ..who };
    let done = scene.run(&who, |done| done[0] = call.by_uring(&mut other, Flags::ASYNC));
    assert_eq!(done[0], DENIED);
}

fn etl_of<'a>(who: &Who<'_>) -> Who<'a> {
    Who { netns: None, ..*who }
}

#[tokio::test]
async fn tables_without_room_are_refused_and_leave_nothing() {
    let room = EnforceRoom { classes: 4_096, ..EnforceRoom::default() };
    let mut scene = need!(Scene::new(Sizes { enforce: room, ..Sizes::default() }));
    let rules: String = (0..3_000)
        .map(|number| {
            format!(
                "[[port.allow]]\nrole = \"r{number}\"\ndirection = \"out\"\npeers = [\"10.0.{}.{}\"]\nprocess = {{ exe = \"/bin/x{number}\", \
                 user = {} }}\n",
                number / 250,
                number % 250,
                10_000 + number
            )
        })
        .collect();
    let text = scene.policy("enforce", &rules);
    let tables = scene.tables(&text, &[]);
    let refused = scene.maps.write(scene.generation, &tables).expect_err("it is too large");
    assert!(matches!(refused, EnforceError::NoRoom { .. }), "{refused}");
    assert!(refused.to_string().contains("has room for 4096 entries"), "{refused}");
    drop(scene);
    // With the room that it asks for, twice.
    let sizes = Sizes { enforce: EnforceRoom::of(&tables), ..Sizes::default() };
    let mut scene = need!(Scene::new(sizes));
    for _ in 0..3 {
        enforce(&mut scene, "enforce", &rules);
    }
}
