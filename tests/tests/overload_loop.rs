//! While the ring buffer stays full the daemon's loop goes on with the rest.
//!
//! On the host alone: the loop is the same on every kernel, and an emulated host has one processor, which the load would have to
//! itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gdprport_tests::child::Place;
use gdprport_tests::counters::count;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// The smallest ring buffer, with room for 455 records.
const SMALL: &str = "limits.ring_bytes = 65536\n";

/// Ends the load, also when an expectation fails.
struct Over<'load>(&'load AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the daemon does once a second must not wait for the load to end.
#[test]
fn a_stranger_is_reported_while_the_ring_buffer_is_full() {
    let (mut server, port) = (Puppet::new(), Port::free());
    let number = port.number();
    let declared = declare("db", number).allow("serving", "in", "any", "").allow(
        "calling",
        "out",
        "any",
        "user = \"root\"",
    );
    let mut daemon = Start::with(declared.alone()).config(SMALL).start();
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    let (nobody, done) = (User::nobody(), AtomicBool::new(false));
    let mut stranger = Puppet::at(Place::default().user(&nobody));
    let to = |total: u64| format!("burst 127.0.0.1:{number} {total} 4 1");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut client, begun) = (Puppet::new(), Instant::now());
                while !done.load(Ordering::Relaxed) && begun.elapsed() < 2 * wait::TIMEOUT {
                    client.ask(&to(500));
                }
            });
        }
        let _over = Over(&done);
        let grouped = |daemon: &Daemon| count(&daemon.status(), "coverage.kernel.grouped");
        wait::until("the ring buffer is full", || grouped(&daemon) > 0);
        stranger.ask(&to(3));
        let violation = daemon.log.wait("a violation", |event| event.is("violation", number));
        assert_eq!(violation.text("process.user"), nobody.name, "{}", violation.line());
        let before = grouped(&daemon);
        wait::until("it is full still", || grouped(&daemon) > before);
    });
    drop(daemon.stop());
}
