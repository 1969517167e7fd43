//! A kernel without memory for what the programs keep: the loss is reported, and costs no connection.

use gdprport_tests::child::Place;
use gdprport_tests::counters;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::netns::Netns;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::truth::End;
use gdprport_tests::wait;

/// The bytes that one socket may hold besides its buffers; its BPF storage is charged to them.
///
/// A setting of each network namespace since 6.8, of the host before: there the tests of a machine must run one at a
/// time. The old value is restored on drop.
struct OptionMemory<'a> {
    /// The namespace that has a setting of its own.
    netns: Option<&'a Netns>,
    before: String,
}

impl<'a> OptionMemory<'a> {
    const FILE: &'static str = "/proc/sys/net/core/optmem_max";

    fn of(netns: &'a Netns, bytes: u32) -> Self {
        let own = netns.inside(|| std::fs::exists(Self::FILE).expect("/proc is mounted"));
        let mut this = Self { netns: own.then_some(netns), before: String::new() };
        this.before = this.inside(|| std::fs::read_to_string(Self::FILE).expect("the setting can be read"));
        this.set(&bytes.to_string());
        this
    }

    fn set(&self, value: &str) {
        self.inside(|| std::fs::write(Self::FILE, value).expect("root may set it"));
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.netns {
            Some(netns) => netns.inside(work),
            None => work(),
        }
    }
}

impl Drop for OptionMemory<'_> {
    fn drop(&mut self) {
        self.set(self.before.trim());
    }
}

/// The kernel side has room for this many owners besides.
const SPARE: usize = 1_024;

/// The limit is the host's: that nothing fits is nobody's doing, so what it leaves unknown is undecided.
#[test]
fn an_owner_the_kernel_cannot_keep_is_unknown_and_counted() {
    let (port, netns) = (Port::free(), Netns::new());
    let policy = declare("db", port.number()).allow("serving", "in", "any", "user = \"root\"").allow(
        "calling",
        "out",
        "any",
        "user = \"root\"",
    );
    let mut daemon = Daemon::with(policy.alone());
    let memory = OptionMemory::of(&netns, 16);
    let (mut server, mut client) =
        (Puppet::at(Place::default().netns(&netns)), Puppet::at(Place::default().netns(&netns)));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    client.close(there);
    server.close(here);
    let (near, far) = (there.address.port(), port.number());
    End::of_client(&client, near, far).named_exactly(&mut daemon.log, "flow.close");
    End::of_server(&server, far, near).named_exactly(&mut daemon.log, "flow.close");

    // Both ends of each need one.
    for _ in 0..6 {
        client.ask(&format!("connect-many 127.0.0.1:{port} 100"));
        server.ask("accept-many 100");
    }
    drop(memory);
    let open = |event: &Event| event.kind() == "flow.open";
    daemon.log.wait_count("all are reported", 2 + 1_200, open);
    let unknown = |event: &Event| open(event) && event.at("process").is_null();
    let beyond = daemon.log.count(unknown);
    assert!((1_200 - SPARE..=1_200 - SPARE + 4).contains(&beyond), "{beyond}");
    for event in daemon.log.seen().iter().filter(|event| unknown(event)) {
        assert_eq!(event.text("verdict.outcome"), "undecided", "{}", event.line());
    }
    client.ask("close-many");
    server.ask("close-many");
    let status = daemon.status();
    let unkept = status["coverage"]["kernel"]["owners_unkept"].as_u64().expect("a number");
    assert!(unkept >= beyond as u64, "{}", status["coverage"]);
    wait::until("the log names the remedy", || {
        let log = daemon.stderr();
        log.contains("no memory for the owner of a socket") && log.contains("net.core.optmem_max")
    });
    let log = daemon.stop();
    assert_eq!(
        counters::reported_lost(&log, "owners-unkept"),
        unkept,
        "the stream reports how many, and from when to when"
    );
}
