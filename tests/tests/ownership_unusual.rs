//! Sockets that did not become what they are in the usual way have the owner that they have, or are marked, and to be unknown
//! is never the cheaper choice.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::policy::{declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{Puppet, held};
use gdprport_tests::skip::mptcp;
use gdprport_tests::temp::TempDir;
use gdprport_tests::truth::{End, check_violation};
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// As many owners are kept for sockets that have no room for them.
const SPARE: u32 = 1_024;

/// The client's user may not connect by this policy: what is exactly known of it is a violation.
fn roots_only(port: u16) -> String {
    declare("db", port)
        .allow("serving", "in", "any", "")
        .allow("calling", "out", "any", "user = \"root\"")
        .alone()
}

fn as_user(user: &User) -> Puppet {
    Puppet::at(Place::default().user(user))
}

/// TCP MD5 keys fill it, without privileges. The same for who connects, who listens and who accepts.
#[test]
fn a_full_option_memory_hides_nobody() {
    let (port, user) = (Port::free(), User::games());
    let mut daemon = Daemon::with(roots_only(port.number()));
    let (mut server, mut client) = (Puppet::new(), as_user(&user));
    server.ask(&format!("listen-filled 127.0.0.1:{port}"));
    let there = held(&client.ask(&format!("connect-filled 127.0.0.1:{port}")));
    let here = server.accept();
    client.close(there);
    server.close(here);
    let (near, far) = (there.address.port(), port.number());
    let opened = daemon.log.wait("the listener", |event| event.kind() == "listener.open");
    assert_eq!(opened.number("process.pid"), Some(server.pid().into()), "{}", opened.line());
    for kind in ["flow.open", "flow.close"] {
        let end = End::client(client.pid(), client.exe(), &user.name, near, far);
        let event = end.named_exactly(&mut daemon.log, kind);
        assert_eq!(event.reasons(), ["undeclared-process"], "{}", event.line());
        End::of_server(&server, far, near).named_exactly(&mut daemon.log, kind);
    }
    daemon.stop();
}

/// There is no end of sockets, but of room for their owners.
#[test]
fn who_withholds_itself_from_the_kernel_is_unattributable() {
    let (port, user) = (Port::free(), User::games());
    let mut daemon = Daemon::with(roots_only(port.number()));
    let netns = Netns::new();
    // Since Linux 6.8 it is a setting of each namespace, six times as large: this is the smaller default.
    if netns.inside(|| std::fs::exists("/proc/sys/net/core/optmem_max").expect("/proc is mounted")) {
        netns.sysctl("net/core/optmem_max", "20480");
    }
    let client = || Puppet::at(Place::default().netns(&netns).user(&user));
    let (mut server, mut clients) = (Puppet::at(Place::default().netns(&netns)), [client(), client()]);
    server.listen(format!("127.0.0.1:{port}"));
    // Two, as one may not have so many files open.
    for client in &mut clients {
        client.ask(&format!("connect-many-filled 127.0.0.1:{port} {}", (SPARE + 20) / 2));
    }
    let is_violation =
        |event: &Event, reason: &str| event.kind() == "violation" && event.reasons() == [reason];
    daemon.log.wait_count("violations of those beyond", 20, |event| is_violation(event, "unattributable"));
    daemon.log.wait_count("violations of those known", SPARE as usize, |event| {
        is_violation(event, "undeclared-process")
    });
    let event = daemon.log.wait("one of them", |event| is_violation(event, "unattributable"));
    assert_eq!(event.text("severity"), "high", "{}", event.line());
    assert!(event.at("process").is_null(), "{}", event.line());
    assert!(event.line().contains("it filled the option memory of its socket"), "{}", event.line());
    check_violation(&event, "unattributable", "calling", "user");
    daemon.stop();
}

/// Since Linux 5.12 the worker is a thread of the process; before, it is a kernel thread.
#[test]
fn a_worker_of_io_uring_hides_nobody() {
    let (port, user) = (Port::free(), User::games());
    let mut daemon = Daemon::with(roots_only(port.number()));
    let (mut server, mut client) = (Puppet::new(), as_user(&user));
    server.listen(format!("127.0.0.1:{port}"));
    let there = held(&client.ask(&format!("connect-uring 127.0.0.1:{port}")));
    let here = server.accept();
    client.close(there);
    server.close(here);
    let end = End::client(client.pid(), client.exe(), &user.name, there.address.port(), port.number());
    let event = end.event(&mut daemon.log, "flow.close");
    if event.at("process").is_null() {
        check_violation(&event, "unattributable", "calling", "user");
    } else {
        end.check_owner(&event);
        check_violation(&event, "undeclared-process", "calling", "user");
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
    }
    daemon.stop();
}

/// By `listen` on a socket that was not bound, and by `bind` to port 0.
#[test]
fn a_server_that_names_no_port_is_known() {
    let (first, netns) = (24_000_u16, Netns::new());
    netns.sysctl("net/ipv4/ip_local_port_range", &format!("{first} {}", first + 3));
    let mut daemon = Daemon::with(policy((0..4).map(|n| open(first + n))));
    for how in ["listen-anywhere", "listen-anywhere 127.0.0.1:0"] {
        let mut server = Puppet::at(Place::default().netns(&netns));
        let at: std::net::SocketAddr = server.ask(how).parse().expect("an address");
        let opened = daemon.log.wait("the listener", |event| {
            event.kind() == "listener.open" && event.number("process.pid") == Some(server.pid().into())
        });
        assert_eq!(opened.number("listener.local.port"), Some(at.port().into()), "{how}: {}", opened.line());
        // From a port out of the range, which is watched at both ends.
        let mut client = Puppet::at(Place::default().netns(&netns));
        netns.sysctl("net/ipv4/ip_local_port_range", "30000 40000");
        let there = client.connect(format!("127.0.0.1:{}", at.port()));
        netns.sysctl("net/ipv4/ip_local_port_range", &format!("{first} {}", first + 3));
        let here = server.accept();
        client.close(there);
        server.close(here);
        let end = End::of_server(&server, at.port(), there.address.port());
        end.named_exactly(&mut daemon.log, "flow.close");
    }
    daemon.stop();
}

/// One process connected it, another has it now, dissolved the connection and listens.
#[test]
fn a_listener_is_not_who_once_connected_its_socket() {
    let (dir, port, other) = (TempDir::new(), Port::free(), Port::free());
    let mut daemon = Daemon::with(policy([open(port.number()), open(other.number())]));
    let (mut target, mut maker, mut taker) = (Puppet::new(), Puppet::new(), Puppet::new());
    target.listen(format!("127.0.0.1:{other}"));
    let made = held(&maker.ask(&format!("connect-from 127.0.0.1:{port} 127.0.0.1:{other}")));
    let path = dir.join("passing");
    taker.send(&format!("take {}", path.display()));
    wait::until("the taker listens", || path.exists());
    maker.ask(&format!("give {} {}", path.display(), made.id));
    let taken = held(&taker.reply());
    maker.close(made);
    taker.ask(&format!("dissolve-and-listen {}", taken.id));
    let mut client = Puppet::new();
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = taker.accept();
    client.close(there);
    taker.close(here);
    let end = End::of_server(&taker, port.number(), there.address.port());
    end.named_exactly(&mut daemon.log, "flow.close");
    daemon.stop();
}

/// Whichever of them listens first: that one is not the listener's owner for its siblings.
#[test]
fn workers_that_listen_for_themselves_own_what_they_accept() {
    let port = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.ask(&format!("bind 127.0.0.1:{port}"));
    let workers: Vec<u32> =
        server.ask("prefork-listening 3").split(' ').map(|pid| pid.parse().expect("a pid")).collect();
    daemon.log.wait("the listener", |event| {
        event.kind() == "listener.open" && event.number("process.pid") == Some(server.pid().into())
    });
    for _ in 0..12 {
        let there = client.connect(format!("127.0.0.1:{port}"));
        let worker = client.ask(&format!("recv-line {}", there.id)).parse().expect("the worker's pid");
        assert!(workers.contains(&worker));
        client.close(there);
        let end = End::server(worker, server.exe(), "root", port.number(), there.address.port());
        end.named_exactly(&mut daemon.log, "flow.close");
    }
    daemon.stop();
}

/// The process connects the first one, a worker of the kernel the second.
#[test]
fn all_paths_of_an_mptcp_connection_are_their_makers() {
    need!(mptcp());
    let (port, user, pair) = (Port::free(), User::games(), VethPair::new());
    pair.right.ip(&["addr", "add", "10.77.0.3/24", "dev", "veth0"]);
    for end in [&pair.left, &pair.right] {
        end.ip(&["mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2"]);
    }
    pair.right.ip(&["mptcp", "endpoint", "add", "10.77.0.3", "dev", "veth0", "subflow"]);
    let mut daemon = Daemon::with(roots_only(port.number()));
    let mut server = Puppet::at(Place::default().netns(&pair.left));
    let mut client = Puppet::at(Place::default().netns(&pair.right).user(&user));
    server.ask(&format!("listen-mptcp {}:{port}", VethPair::LEFT));
    let there = held(&client.ask(&format!("connect-mptcp {}:{port}", VethPair::LEFT)));
    let here = server.accept();
    // The second path is opened once data was exchanged.
    client.ask(&format!("send {} 1000", there.id));
    server.ask(&format!("recv {} 1000", here.id));
    let of = |direction: &'static str| {
        move |event: &Event| event.kind() == "flow.open" && event.ends(direction).is_some()
    };
    daemon.log.wait_count("both paths at the client", 2, of("out"));
    daemon.log.wait_count("both paths at the server", 2, of("in"));
    client.close(there);
    server.close(here);
    daemon.log.wait_count("their ends", 4, |event| event.kind() == "flow.close");
    for event in daemon.log.seen().iter().filter(|event| event.kind() == "flow.close") {
        let (puppet, user) =
            if event.ends("out").is_some() { (&client, &*user.name) } else { (&server, "root") };
        assert_eq!(event.number("process.pid"), Some(puppet.pid().into()), "{}", event.line());
        assert_eq!(event.text("process.user"), user, "{}", event.line());
        let declared = event.text("verdict.outcome") == "declared";
        assert_eq!(declared, event.ends("in").is_some(), "{}", event.line());
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
    }
    daemon.stop();
}
