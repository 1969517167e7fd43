//! Real SYNs against the interpreter: who listens and who calls, what is reported of those that are denied, and headers that a stranger
//! chooses.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener};

use gdprport_common::{
    EXE_UNKNOWN, EnforceExe, EnforceTally, FlowRecord, Hook, RecordKind, SOCKET_DENIED, SOCKET_UNKNOWN,
    SOCKET_WOULD_DENY,
};
use gdprport_core::enforce::{Caller, Decision};
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::skip::Missing;
use zerocopy::FromBytes as _;

use super::super::super::Sizes;
use super::attempt::{Attempt, listen, send_syn, serve};
use super::scene::{Address, Child, Scene, Who, executable, id, of_path};
use crate::host::clock::boottime_ns;
use crate::host::testing::eventually;

/// Every process may call.
const CALL: &str = "[[port.allow]]\nrole = \"out\"\ndirection = \"out\"\npeers = [\"any\"]\n";

/// Where a client calls, from where, and the peer that the server sees.
const PEERS: [(&str, Option<&str>, &str); 6] = [
    ("127.0.0.1", None, "127.0.0.1"),
    ("127.0.0.1", Some("127.1.2.3"), "127.1.2.3"),
    ("127.5.5.5", Some("127.9.9.9"), "127.9.9.9"),
    ("::1", None, "::1"),
    ("::ffff:127.0.0.1", Some("::ffff:127.1.2.3"), "127.1.2.3"),
    ("::ffff:127.0.0.1", None, "127.0.0.1"),
];

/// What a policy says of who may be let in, where the unit is the scene's first.
const RULES: [&[(&str, &str)]; 6] = [
    &[("any", "")],
    &[("127.1.0.0/16", ""), ("::1", "")],
    &[("any", "exe = \"/bin/a\"")],
    &[("127.0.0.0/16", "exe = \"/bin/a\", user = \"etl\""), ("127.1.2.3", "user = \"web\"")],
    &[("loopback", "unit = \"UNIT_A\"")],
    &[],
];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A kernel side that decides a port on which nobody listens yet.
fn quiet(sizes: Sizes) -> Result<(Scene, Port), Missing> {
    let port = Port::free();
    let mut scene = Scene::load(sizes, port.number(), None)?;
    scene.probes.watch([port.number()]).expect("watched");
    scene.probes.decide([port.number()]).expect("decided");
    Ok((scene, port))
}

fn enforce(
    scene: &mut Scene,
    mode: &str,
    more: &str,
    rules: &[(&str, &str)],
) -> gdprport_core::enforce::Interpreter {
    let rules = rules.iter().enumerate().map(|(at, (peers, process))| {
        let process = if process.is_empty() { String::new() } else { format!("process = {{ {process} }}\n") };
        format!("[[port.allow]]\nrole = \"r{at}\"\ndirection = \"in\"\npeers = [\"{peers}\"]\n{process}")
    });
    let text = format!("{more}{CALL}{}", rules.collect::<String>());
    let text = scene.of_rules(mode, &text.replace("UNIT_A", scene.units[0].unit()));
    let tables = scene.tables(&text, &["/bin/a"]);
    scene.enforce(&tables)
}

/// A process that listens until it is dropped.
fn listening(scene: &mut Scene, who: &Who<'_>) -> Child {
    let (mut ready, mut go) = std::io::pipe().expect("a pipe");
    let at = Address::new(ip("::"), scene.port);
    let child = Child::fork(scene, who, |_| {
        let listener = listen(&at);
        let _ = go.write(&[u8::from(listener >= 0)]);
        leave_all_but(listener);
        serve(listener);
    });
    drop(go);
    let mut done = [0];
    ready.read_exact(&mut done).expect("it listens");
    assert_eq!(done, [1]);
    child
}

/// Closes what a process inherited beside this descriptor: the lock of another test's pins must not outlive that test here.
fn leave_all_but(listener: i32) {
    let listener = u32::try_from(listener).unwrap_or(3);
    for (first, last) in [(3, listener.saturating_sub(1)), (listener + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: the process makes system calls only from now on. Before Linux 5.9 they stay open.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

/// The records of ends that were called.
fn records(scene: &mut Scene) -> Vec<FlowRecord> {
    let mut found = Vec::new();
    let port = scene.port;
    while scene.ring.drain(1_000, |bytes| {
        if let Ok(record) = FlowRecord::read_from_bytes(bytes)
            && record.local_port == port
            && record.kind != RecordKind::Listening as u8
        {
            found.push(record);
        }
    }) > 0
    {}
    found
}

/// Waits until one more is decided, and returns what that adds.
fn one_more(scene: &Scene, before: EnforceTally) -> EnforceTally {
    assert!(eventually(|| scene.arrivals().asked > before.asked), "{before:?}");
    scene.arrivals()
}

/// Six policies in three modes, three programs that listen, six ways to be called.
#[tokio::test]
async fn every_syn_is_decided_as_the_interpreter_says() {
    let (mut scene, _port) = need!(quiet(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let calls = PEERS
        .map(|(to, from, _)| (Address::new(ip(to), scene.port), from.map(|from| Address::new(ip(from), 0))));
    let unknown = EnforceExe { state: EXE_UNKNOWN, ..EnforceExe::default() };
    let listeners = [
        (0, 1001, of_path(fingerprint, "/bin/a")),
        (1, 1002, of_path(fingerprint, "/bin/b")),
        (2, 4711, unknown),
    ];
    let mut seen = [0; 3];
    for (unit, uid, exe) in listeners {
        let _server = listening(&mut scene, &Who { unit, uid, exe, netns: None });
        let cgroup = id(&scene.units[unit]);
        let listener = Caller::Process { executable: executable(exe), uid, gid: uid, cgroup };
        for rules in RULES {
            for (mode, more) in [
                ("enforce", ""),
                ("enforce", "enforce = { on_unknown = \"deny\" }\n"),
                ("warn", "enforce = { on_unknown = \"deny\" }\n"),
            ] {
                let interpreter = enforce(&mut scene, mode, more, rules);
                for ((to, from), (_, _, peer)) in calls.iter().zip(PEERS) {
                    let before = scene.arrivals();
                    let attempt = Attempt::begin(to, from.as_ref());
                    let after = one_more(&scene, before);
                    let decided = interpreter.arriving(scene.port, ip(peer), listener, boottime_ns());
                    let decided = decided.expect("the port is decided");
                    let mut want = EnforceTally { asked: before.asked + 1, ..before };
                    match decided.decision {
                        _ if decided.denies && decided.passes => want.would_deny += 1,
                        _ if decided.denies => want.denied += 1,
                        Decision::Unknown => want.unknown += 1,
                        Decision::Allowed | Decision::Denied => want.allowed += 1,
                    }
                    assert_eq!(after, want, "{peer} {listener:?} {mode} {more} {rules:?}: {decided:?}");
                    let passes = !decided.denies || decided.passes;
                    assert_eq!(attempt.is_connected(), passes, "{peer} {listener:?} {mode} {rules:?}");
                    seen[decided.decision as usize] += 1;
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "allowed, unknown, denied: {seen:?}");
}

/// With the owner and the cookie of the listener, and once however often it is sent.
#[tokio::test]
async fn a_denied_syn_is_one_record_and_a_count() {
    let (mut scene, _port) = need!(quiet(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let _server = listening(&mut scene, &Who { unit: 0, uid: 1001, exe, netns: None });
    enforce(&mut scene, "enforce", "", &[("10.0.0.0/8", "")]);
    let attempt = Attempt::begin(&Address::new(ip("127.0.0.1"), scene.port), None);
    let repeated = |scene: &Scene| scene.probes.counters().expect("readable").repeated;
    assert!(eventually(|| repeated(&scene) > 0), "it is sent again after a second");
    assert!(!attempt.is_connected());
    let again = Attempt::begin(&Address::new(ip("127.0.0.1"), scene.port), None);
    assert!(eventually(|| scene.arrivals().denied == 2), "another attempt");
    drop((attempt, again));
    let all = records(&mut scene);
    let [first, second] = &all[..] else { panic!("not two records: {all:?}") };
    assert_eq!((first.kind, first.decision), (RecordKind::Refused as u8, SOCKET_DENIED));
    let here = u32::from_ne_bytes([127, 0, 0, 1]);
    assert_eq!((first.family, first.local[0], first.peer[0]), (4, here, here));
    assert!(first.peer_port != 0 && first.peer_port != second.peer_port);
    assert_eq!((first.uid, first.exec_id), (1001, u64::from(first.tgid)), "who listens");
    assert!(first.cookie != 0 && first.cookie == second.cookie, "the listener's");
    let counters = scene.probes.counters().expect("readable");
    let denied = &counters.hooks[Hook::Denied as usize];
    assert_eq!((denied.seen, denied.emitted, counters.arrivals.asked), (2, 2, 2));
}

#[tokio::test]
async fn what_passes_is_marked_to_its_end() {
    let (mut scene, _port) = need!(quiet(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/b");
    let _server = listening(&mut scene, &Who { unit: 0, uid: 1001, exe, netns: None });
    let call = Address::new(ip("127.0.0.1"), scene.port);
    for (mode, rule, decision) in [
        ("warn", ("10.0.0.0/8", ""), SOCKET_WOULD_DENY),
        ("enforce", ("any", "exe = \"/bin/a\""), SOCKET_UNKNOWN),
        ("enforce", ("any", "user = \"etl\""), 0),
    ] {
        enforce(&mut scene, mode, "", &[rule]);
        let before = scene.arrivals();
        let attempt = Attempt::begin(&call, None);
        one_more(&scene, before);
        assert!(attempt.is_connected());
        drop(attempt);
        let mut all = Vec::new();
        let closed = |all: &[FlowRecord]| all.iter().any(|record| record.kind == RecordKind::Closed as u8);
        assert!(eventually(|| {
            all.extend(records(&mut scene));
            closed(&all)
        }));
        assert_eq!(all[0].kind, RecordKind::PassiveEstablished as u8, "{all:?}");
        let says = |record: &&FlowRecord| record.kind != RecordKind::Accepted as u8;
        assert!(all.iter().filter(says).all(|record| record.decision == decision), "{mode}: {all:?}");
    }
}

/// It is older than the programs: nobody is known to listen.
#[tokio::test]
async fn what_an_unknown_listener_accepts_is_marked_too() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut scene = need!(Scene::load(Sizes::default(), port, None));
    scene.probes.watch([port]).expect("watched");
    scene.probes.decide([port]).expect("decided");
    let call = Address::new(ip("127.0.0.1"), port);
    for (mode, rule, decision) in [
        ("warn", ("10.0.0.0/8", ""), SOCKET_WOULD_DENY),
        ("enforce", ("any", "user = \"root\""), SOCKET_UNKNOWN),
        ("enforce", ("any", ""), 0),
    ] {
        enforce(&mut scene, mode, "", &[rule]);
        let before = scene.arrivals();
        let attempt = Attempt::begin(&call, None);
        one_more(&scene, before);
        assert!(attempt.is_connected());
        let all = records(&mut scene);
        assert!(!all.is_empty() && all.iter().all(|record| record.decision == decision), "{mode}: {all:?}");
        drop((attempt, listener.accept().expect("it was connected")));
        assert!(eventually(|| !records(&mut scene).is_empty()), "its end");
    }
}

/// As by the brake, and where a trial ends; and a port without a mode is not asked about.
#[tokio::test]
async fn what_is_not_in_force_refuses_nobody() {
    let (mut scene, _port) = need!(quiet(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let _server = listening(&mut scene, &Who { unit: 0, uid: 1001, exe, netns: None });
    let call = Address::new(ip("127.0.0.1"), scene.port);
    let nobody = &[("10.0.0.0/8", "")];
    enforce(&mut scene, "enforce", "", nobody);
    let refused = Attempt::begin(&call, None);
    assert_eq!(one_more(&scene, EnforceTally::default()).denied, 1);
    // Its client goes on, and gets in with the next repetition.
    scene.clear();
    let before = scene.arrivals();
    assert_eq!(one_more(&scene, before).left, 1);
    assert!(refused.is_connected());
    let before = scene.arrivals();
    scene.probes.decide([]).expect("written");
    let passed = Attempt::begin(&call, None);
    assert!(eventually(|| passed.is_connected()));
    assert_eq!(scene.arrivals(), before);
}

/// Strangers choose how many there are: what is beyond half of the ring is counted in groups.
#[tokio::test]
async fn a_flood_of_denied_syns_is_counted_and_leaves_room() {
    const ALL: u64 = 1_000;
    let small = Sizes { ring_bytes: 1 << 16, tasks: 1_024, execs: 64, ..Sizes::default() };
    let (mut scene, _port) = need!(quiet(small));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let _server = listening(&mut scene, &Who { unit: 0, uid: 1001, exe, netns: None });
    enforce(&mut scene, "enforce", "", &[("10.0.0.0/8", "")]);
    let call = Address::new(ip("127.0.0.1"), scene.port);
    for _ in 0..ALL {
        drop(Attempt::begin(&call, None));
    }
    assert!(eventually(|| scene.arrivals().denied >= ALL));
    let records = records(&mut scene);
    // The client's own are beside them.
    let (_, ring_bytes) = scene.probes.ring_fill();
    assert!(records.len() as u64 * 144 <= ring_bytes / 2 + 1_024, "{} records", records.len());
    let collected = scene.probes.collector().expect("the first to ask").collect();
    assert!(collected.is_whole(), "{collected:?}");
    let counted: u64 = collected.groups.iter().map(|group| group.sums.denied_by_policy).sum();
    assert_eq!(records.len() as u64 + counted, scene.arrivals().denied);
    let hooks = scene.probes.counters().expect("readable").hooks;
    let denied = &hooks[Hook::Denied as usize];
    assert_eq!((denied.emitted, denied.grouped), (records.len() as u64, counted));
}

/// Behind more extension headers than are followed, its TCP header is not found.
#[tokio::test]
async fn extension_headers_let_no_stranger_in() {
    let (mut scene, _port) = need!(quiet(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let _server = listening(&mut scene, &Who { unit: 0, uid: 1001, exe, netns: None });
    let port = scene.port;
    for (peers, denied) in [("10.0.0.0/8", 1), ("::1", 0)] {
        enforce(&mut scene, "enforce", "", &[(peers, "")]);
        for headers in [0, 3, 6, 7, 20] {
            let before = scene.arrivals();
            send_syn(port, headers);
            if denied == 0 {
                continue;
            }
            let after = one_more(&scene, before);
            assert_eq!(after.denied, before.denied + 1, "behind {headers} headers");
        }
    }
    let count = scene.arrivals();
    assert_eq!((count.asked, count.denied), (5, 5), "what passes is decided when it is established");
}
