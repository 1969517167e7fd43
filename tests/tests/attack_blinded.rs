//! Nobody hides connections from a daemon that lists the sockets of the host, nor has live ones reported as gone; and what
//! ends without a record is found.

use std::os::fd::AsRawFd as _;

use gdprport_tests::bpf::CallbackReset;
use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::netns::Netns;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{HeldStream, Puppet};
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// Connections within a namespace, and somebody there whose sockets hold hundreds of keys each.
struct Blinded {
    port: Port,
    server: Puppet,
    client: Puppet,
    streams: Vec<(HeldStream, HeldStream)>,
    netns: Netns,
}

impl Blinded {
    fn new() -> Self {
        let (netns, port) = (Netns::new(), Port::free());
        let [mut server, mut client] = [(); 2].map(|()| Puppet::at(Place::default().netns(&netns)));
        server.listen(format!("127.0.0.1:{port}"));
        let connect = |_| {
            let there = client.connect(format!("127.0.0.1:{port}"));
            (there, server.accept())
        };
        let streams = (0..5).map(connect).collect();
        Self { port, server, client, streams, netns }
    }

    /// An unprivileged process that fills the namespace with such sockets.
    fn blind(&self) -> Puppet {
        let mut holder = Puppet::at(Place::default().netns(&self.netns).user(&User::nobody()));
        let keys: u32 = holder.ask("keys 40").parse().expect("a number of keys");
        assert!(keys > 500, "a row of {keys} keys fits into the kernel's buffer");
        holder
    }
}

fn health(daemon: &Daemon) -> Value {
    daemon.status()["health"].take()
}

#[test]
fn sockets_with_hundreds_of_keys_hide_no_connection_at_start() {
    let blinded = Blinded::new();
    let _holder = blinded.blind();
    let daemon = Daemon::with(open(blinded.port.number()).alone());
    wait::until("all ten ends are in the table", || daemon.port_status(blinded.port.number())["open"] == 10);
    assert!(daemon.status()["coverage"]["unseen"].as_object().is_some_and(serde_json::Map::is_empty));
    daemon.stop();
}

/// What predates the daemon is polled, what began later is compared now and then.
#[test]
fn sockets_with_hundreds_of_keys_end_no_connection() {
    let mut blinded = Blinded::new();
    let number = blinded.port.number();
    let daemon = Daemon::with(open(number).alone());
    wait::until("those that predate it are in the table", || daemon.port_status(number)["open"] == 10);
    blinded.client.connect(format!("127.0.0.1:{number}"));
    blinded.server.accept();
    wait::until("a new one too", || daemon.port_status(number)["open"] == 12);
    let _holder = blinded.blind();
    // One of them ends unseen by the daemon's kernel side: when that is found out, the others were looked at twice.
    let (client, _) = blinded.streams[0];
    blinded.client.close(client);
    wait::until("the one that ended is closed", || daemon.port_status(number)["closed"] != 0);
    std::thread::sleep(std::time::Duration::from_secs(13));
    assert_eq!(daemon.port_status(number)["open"], 11, "{}", daemon.port_status(number));
    assert_eq!(daemon.status()["coverage"]["end_missed"], 0);
    daemon.stop();
}

/// A thread may be in a network namespace of its own.
#[test]
fn connections_of_a_thread_in_its_own_namespace_are_found() {
    let (netns, port) = (Netns::new(), Port::free());
    let mut puppet = Puppet::new();
    let handle = format!("/proc/{}/fd/{}", std::process::id(), netns.handle().as_raw_fd());
    puppet.ask(&format!("pair-in-thread {handle} 127.0.0.1:{port}"));
    drop(netns);
    let daemon = Daemon::with(open(port.number()).alone());
    wait::until("both ends are in the table", || daemon.port_status(port.number())["open"] == 2);
    daemon.stop();
}

/// Lets another program set these flags and no others once a connection is established, and closes it.
#[track_caller]
fn ends_are_found(flags: u8) {
    let mut pair = Pair::new();
    let port = pair.port.number();
    let reset = CallbackReset::on(port, flags);
    let connection = pair.connect();
    drop(reset);
    pair.close(&connection);
    for end in [&connection.client, &connection.server] {
        let event = end.event(&mut pair.daemon.log, "flow.close");
        let outcome = event.text("flow.outcome");
        assert!(["lost", "closed"].contains(&outcome), "{flags}: {}", event.line());
    }
    assert_eq!(pair.daemon.port_status(port)["open"], 0);
    let missed = pair.daemon.status()["coverage"]["end_missed"].as_u64().expect("a number");
    assert!(missed > 0, "nothing else shows the ends");
    assert_ne!(health(&pair.daemon)["state"], "healthy");
    pair.daemon.log.wait("the gap", |event| {
        event.kind() == "coverage" && event.at("coverage.gaps").to_string().contains("end-unseen")
    });
    pair.daemon.stop();
}

#[test]
fn flows_end_even_if_another_program_resets_callbacks() {
    ends_are_found(0);
}

/// `BPF_SOCK_OPS_RTT_CB_FLAG`: as a program does that measures round trips.
#[test]
fn flows_end_even_if_another_program_wants_its_own_callbacks() {
    ends_are_found(8);
}
