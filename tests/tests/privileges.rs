//! What a daemon may do, and what it does not see without a right. The units are `packaging.rs`'s.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::netns::Netns;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::rights::{capabilities, of_threads, wait_until_as_documented};
use gdprport_tests::truth::End;
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// What the service has (`packaging/gdprport.service`).
const SERVICE: &str = "CAP_BPF CAP_PERFMON CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SYS_ADMIN";

/// Each thread has what the page says, no program can gain anything, and a filter of system calls holds for all.
#[track_caller]
fn as_the_page_says(daemon: &Daemon, by_root: bool) {
    wait_until_as_documented(daemon.pid(), by_root);
    let threads = of_threads(daemon.pid());
    assert!(threads.iter().all(|thread| thread.seccomp == 2), "{threads:?}");
    assert!(threads.iter().all(|thread| thread.bounding == capabilities(SERVICE)), "{threads:x?}");
    for name in ["gdprport", "control", "ledger", "sink", "accounts", "names"] {
        assert!(threads.iter().any(|thread| thread.thread == name), "{name}: {threads:?}");
    }
}

#[test]
fn every_thread_has_the_rights_that_the_page_says() {
    let daemon = Start::with(open(Port::free().number()).alone()).spool().start();
    as_the_page_says(&daemon, true);
    let doctor = String::from_utf8(daemon.ask(["doctor"]).stdout).expect("text");
    assert!(doctor.contains("system calls that it never makes are refused"), "{doctor}");
    assert!(!doctor.contains("without CAP_"), "{doctor}");
    daemon.stop();
}

/// As `gdprport.service`: nothing is missed, neither of other users nor in other network namespaces, nor in a restart.
#[test]
fn a_user_of_its_own_with_capabilities_sees_everything() {
    let (port, netns, games, fs) = (Port::free(), Netns::new(), User::games(), BpfFs::new());
    std::os::unix::fs::chown(fs.path(), Some(games.uid), Some(games.gid)).expect("root may");
    let mut inside = Puppet::at(Place::default().netns(&netns));
    inside.listen(format!("127.0.0.1:{port}"));
    let start = || Start::with(open(port.number()).alone()).spool().user(&games).pins(&fs.pins()).start();
    let mut daemon = start();
    let event = daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    End::of_server(&inside, port.number(), 0).check_owner(&event);
    assert_eq!(event.number("process.netns"), Some(netns.inode()), "{}", event.line());

    let (mut server, mut client) = (Puppet::new(), Puppet::at(Place::default().user(&User::backup())));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let local = there.address.port();
    End::client(client.pid(), client.exe(), "backup", local, port.number())
        .named_exactly(&mut daemon.log, "flow.open");
    as_the_page_says(&daemon, false);
    let status = daemon.status();
    assert_eq!(status["health"]["state"], "healthy", "{}", status["health"]);
    daemon.terminate();

    let mut next = start();
    let began = next.log.seen().first().expect("its start").clone();
    assert_eq!(began.at("daemon.previous.adopted"), true, "{}", began.line());
    client.close(there);
    server.close(here);
    End::of_server(&server, port.number(), local).event(&mut next.log, "flow.close");
    next.interrupt();
    assert!(std::fs::read_dir(fs.pins()).map_or(0, Iterator::count) == 0, "nothing stays pinned");
}

/// It starts, says what it does not see, and so do its health and `doctor`.
#[test]
fn without_a_capability_it_says_what_it_does_not_see() {
    let netns = Netns::new();
    let mut inside = Puppet::at(Place::default().netns(&netns));
    inside.listen("127.0.0.1:0");
    for name in ["sys_ptrace", "dac_read_search", "sys_admin"] {
        let script = format!("exec setpriv --bounding-set=-{name} --inh-caps=-{name} -- \"$0\" \"$@\"");
        let daemon = Start::with(open(Port::free().number()).alone()).prepare(&script).start();
        let status = daemon.status();
        let capability = format!("CAP_{}", name.to_uppercase());
        assert_eq!(status["without"][0]["capability"], capability, "{}", status["without"]);
        let says = format!("without {capability} {}", status["without"][0]["cost"].as_str().expect("a text"));
        let reasons = status["health"]["reasons"].as_array().expect("reasons");
        assert!(reasons.iter().any(|reason| *reason == says), "{reasons:?}");
        assert_eq!(status["health"]["state"], "degraded");
        let doctor: serde_json::Value =
            serde_json::from_slice(&daemon.ask(["doctor", "--json"]).stdout).expect("JSON");
        let checks = doctor["checks"].as_array().expect("checks");
        assert!(checks.iter().any(|check| check["found"] == says), "{doctor}");
        if name == "sys_admin" {
            let unseen = |status: &serde_json::Value| {
                status["coverage"]["unseen"]["namespaces-unseen"].as_u64().is_some_and(|count| count > 0)
            };
            wait::until("its sockets are counted as not seen", || unseen(&daemon.status()));
        }
        drop(daemon);
    }
}

#[test]
fn what_the_daemon_refuses_itself_can_be_switched_off() {
    let off = "[sandbox]\nsystem_calls = false\nfiles = false\n";
    let daemon = Start::without_policy().config(off).start();
    wait_until_as_documented(daemon.pid(), true);
    assert!(of_threads(daemon.pid()).iter().all(|thread| thread.seccomp == 0));
    let doctor = String::from_utf8(daemon.ask(["doctor"]).stdout).expect("text");
    for words in ["system_calls = false", "files = false"] {
        assert!(doctor.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{doctor}");
    }
    daemon.stop();
}
