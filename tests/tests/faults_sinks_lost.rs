//! What a sink lost comes back as sums: its own stream adds up to what was published, and a stranger in it is named.

use std::collections::BTreeMap;

use gdprport_tests::counters;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::{declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::spool;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// By port, and outcome or kind: opened, closed, failed, updated, violations, findings, bytes sent and received.
type Account = BTreeMap<(u16, String), [u64; 8]>;

/// As a reader of one stream does it.
fn account<'a>(events: impl IntoIterator<Item = &'a Event>) -> Account {
    let mut account = Account::new();
    for event in events {
        let place = match event.kind() {
            "flow.open" => 0,
            "flow.close" => 1,
            "flow.fail" => 2,
            "flow.update" | "flow.posture" => 3,
            "violation" if event.at("flow").is_object() => 4,
            "finding" => 5,
            "flow.summary" => 8,
            // Its counters are those of the daemon, and a later one has them too.
            "coverage" => continue,
            other => {
                account.entry((event.port().unwrap_or(0), other.to_owned())).or_default()[0] += 1;
                continue;
            }
        };
        let outcome = event.text("verdict.outcome").to_owned();
        let sums = account.entry((event.port().expect("of a port"), outcome)).or_default();
        let number = |path: &str| event.number(path).unwrap_or(0);
        if place == 8 {
            let fields = [
                "opened",
                "closed",
                "failed",
                "updated",
                "violations",
                "findings",
                "bytes_sent",
                "bytes_received",
            ];
            let fields = fields.map(|field| number(&format!("summary.{field}")));
            sums.iter_mut().zip(fields).for_each(|(sum, more)| *sum += more);
            continue;
        }
        sums[place] += 1;
        if place == 1 {
            sums[6] += number("flow.bytes_sent");
            sums[7] += number("flow.bytes_received");
        }
    }
    account
}

fn lost(daemon: &Daemon) -> u64 {
    let status = daemon.status();
    let sinks = status["sinks"].as_array().cloned().unwrap_or_default();
    let file = sinks.iter().find(|sink| sink["name"].as_str().is_some_and(|name| name.starts_with("file")));
    file.and_then(|sink| sink["dropped"]["io-error"].as_u64()).unwrap_or(0)
}

/// The spool, which works all the time, has what was published.
#[test]
fn what_the_file_lost_is_summed_up_once_it_is_back() {
    let (dir, good, bad) = (TempDir::new(), Port::free(), Port::free());
    let (place, spooled) = (dir.join("log"), dir.join("spool"));
    std::fs::create_dir(&place).expect("a fresh directory");
    let path = place.join("events.ndjson");
    let text = policy([open(good.number()), declare("bad", bad.number()).allow("serving", "in", "any", "")]);
    let config = format!("[spool]\nenabled = true\npath = {:?}\n", spooled.display().to_string());
    let mut daemon = Start::with(text).config(&config).events_to(&path).start();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    for port in [&good, &bad] {
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
    }
    let mut burst = |port: &Port, count: u32| {
        client.ask(&format!("burst 127.0.0.1:{port} {count} 1"));
    };
    let mut sender = Puppet::new();
    burst(&good, 3);
    daemon.log.wait_count("flow.close", 6, |event| event.is("flow.close", good.number()));
    std::fs::remove_dir_all(&place).expect("root may");
    wait::until("the loss is counted", || {
        burst(&good, 5);
        lost(&daemon) > 0
    });
    let before = lost(&daemon);
    burst(&good, 40);
    burst(&bad, 30);
    for _ in 0..5 {
        let held = sender.connect(format!("127.0.0.1:{bad}"));
        sender.ask(&format!("send {} 1000", held.id));
        sender.close(held);
    }
    wait::until("the strangers are lost", || lost(&daemon) >= before + 4 * (40 + 35) + 35);
    std::fs::create_dir(&place).expect("it was removed");
    let mut fresh = EventLog::at(&path);
    wait::until("the sums come", || {
        burst(&good, 1);
        fresh.refresh().iter().any(|event| event.text("summary.overload.why") == "sink-lost")
    });
    assert!(daemon.terminate().success());
    // Held open by this test, the deleted file can still be read.
    daemon.log.refresh();
    fresh.refresh();
    fresh.check();
    let published: Vec<Event> =
        spool::read(&spooled).iter().map(|record| Event::parse(record.line.trim_end())).collect();
    let written = || daemon.log.seen().iter().chain(fresh.seen());
    assert_eq!(account(&published), account(written()), "written and summed up are all");
    counters::print(&format!("{:?}", account(written())));
    assert_eq!(
        account(fresh.seen())[&(bad.number(), "violation".to_owned())][6],
        5_000,
        "bytes that were sent"
    );

    let of_losses = |event: &&Event| event.text("overload.why") == "sink-lost";
    let stranger = written().find(of_losses).expect("a stranger is no number alone");
    assert_eq!((stranger.kind(), stranger.port()), ("violation", Some(bad.number())));
    assert_eq!((stranger.text("severity"), stranger.reasons()), ("medium", vec!["undeclared-direction"]));
    assert_eq!(stranger.text("flow.peer.ip"), "127.0.0.1");
    assert!(!stranger.text("process.exe").is_empty() && stranger.number("overload.connections") > Some(20));
    let sums: Vec<&Event> =
        written().filter(|event| event.text("summary.overload.why") == "sink-lost").collect();
    assert!(sums.len() < 20, "{} sums", sums.len());
    for sum in sums {
        let of = ["sink", "reason"].map(|field| sum.text(&format!("summary.overload.{field}")));
        assert_eq!(of, ["file", "io-error"]);
        assert_ne!(sum.text("agent.run"), published[0].text("agent.run"), "of a run of its own");
    }
    assert!(published.iter().all(|event| event.text("summary.overload.why").is_empty()), "nobody else's");
}
