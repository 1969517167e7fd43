//! A kernel without memory for what the programs keep: the loss is reported, and costs no connection.

use gdprport_tests::child::Place;
use gdprport_tests::counters;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::netns::Netns;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
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

/// The connection itself is not affected.
#[test]
fn an_owner_the_kernel_cannot_keep_is_unknown_and_counted() {
    let (port, netns) = (Port::free(), Netns::new());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let memory = OptionMemory::of(&netns, 16);
    let (mut server, mut client) =
        (Puppet::at(Place::default().netns(&netns)), Puppet::at(Place::default().netns(&netns)));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    drop(memory);
    client.close(there);
    server.close(here);

    for (direction, local, peer) in
        [("out", there.address.port(), port.number()), ("in", port.number(), there.address.port())]
    {
        let event = daemon.log.flow("flow.close", direction, local, peer);
        let attribution = event.at("process.attribution");
        assert!(attribution.is_null() || attribution == "unknown", "{}", event.line());
    }
    let status = daemon.status();
    let unkept = status["coverage"]["kernel"]["owners_unkept"].as_u64().expect("a number");
    // At the bind and the connect, and once more when each connection is established and when listening begins.
    assert!(unkept >= 4, "{}", status["coverage"]);
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
