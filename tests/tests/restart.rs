//! A daemon with pins and the one after it: nothing is missed in between, or the gap is reported.
//!
//! What cannot be taken over is promised in `fresh_start.rs`; removing pins, and pins that must not be taken over, in
//! `unpin.rs`.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Start;
use gdprport_tests::event::{Event, at};
use gdprport_tests::log::EventLog;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::takeover::{
    World, check_named, check_reported, gapless, gaps, only_tracepoints_were_away, reasons, start_event,
    times,
};
use gdprport_tests::truth::End;
use gdprport_tests::wait;

#[test]
fn a_killed_daemon_loses_no_connection_made_while_it_was_away() {
    let (mut world, mut first) = World::new("");
    let mut client = Puppet::new();
    // Opened before, closed while away.
    let there = client.connect(format!("127.0.0.1:{}", world.port));
    let here = world.server.accept();
    let before = world.ends(&client, there.address.port());
    for end in &before {
        end.check_owner(&end.event(&mut first.log, "flow.open"));
    }
    let read_before = first.status()["coverage"]["records"].as_u64().expect("records are counted");
    first.kill();

    let mut away: Vec<[End; 2]> = (0..20).map(|_| world.short_connection()).collect();
    client.close(there);
    world.server.close(here);
    // Opened while away, closed after.
    let there = client.connect(format!("127.0.0.1:{}", world.port));
    let here = world.server.accept();
    client.ask(&format!("send {} 300", there.id));
    world.server.ask(&format!("recv {} 300", here.id));

    let mut second = world.daemon();
    assert_eq!(
        start_event(&second.log).at("daemon.previous.adopted"),
        true,
        "{}",
        start_event(&second.log).line()
    );
    away.push(world.ends(&client, there.address.port()));
    client.close(there);
    world.server.close(here);
    away.push(world.short_connection());
    check_reported(&mut second.log, &away);
    for end in &before {
        let close = end.event(&mut second.log, "flow.close");
        check_named(&second.log, end, &close);
        assert_eq!((times(&second.log, "flow.close", end), times(&second.log, "flow.open", end)), (1, 0));
    }
    let gaps = gaps(&second.log);
    assert!(only_tracepoints_were_away(&reasons(&second.log)), "{gaps:?}");
    for gap in gaps.iter().filter(|gap| gap["reason"] == "unwritten") {
        assert_eq!(gap["bound"], "at-most", "{gap}");
        // Counted in bytes: the largest record is four times the smallest.
        assert!(gap["lost"].as_u64().expect("a count") <= 4 * read_before, "{gap}");
    }
    second.interrupt();
}

#[test]
fn a_daemon_that_is_replaced_in_order_leaves_no_gap() {
    let (mut world, mut first) = World::new("");
    let earlier = world.short_connection();
    check_reported(&mut first.log, std::slice::from_ref(&earlier));
    let log = first.stop_keeping_pins();
    let last = log.seen().last().expect("the last event");
    assert_eq!(last.at("daemon.kept"), true, "{}", last.line());

    let away: Vec<[End; 2]> = (0..5).map(|_| world.short_connection()).collect();
    let mut second = world.daemon();
    check_reported(&mut second.log, &away);
    for end in &earlier {
        assert_eq!(times(&second.log, "flow.close", end), 0, "nothing is reported twice");
    }
    let reasons = reasons(&second.log);
    assert!(
        only_tracepoints_were_away(&reasons) && !reasons.contains(&"unwritten".to_owned()),
        "{reasons:?}"
    );
    // The counters go on where the first daemon's ended.
    wait::until("the second daemon has read all that was written for it", || {
        let coverage = &second.status()["coverage"];
        coverage["records"] == coverage["kernel"]["emitted"]
    });
    let third_world = second.stop_keeping_pins();
    assert!(third_world.seen().iter().all(|event| event.kind() != "coverage" || gapless(event)));
    let third = world.daemon();
    assert_eq!(third.port_status(world.port.number())["closed"], 0, "nothing was left to report");
    third.interrupt();
}

/// One daemon takes over from another in the middle of a burst.
#[test]
fn connections_during_a_takeover_are_each_reported_once() {
    const EACH: usize = 1_000;
    let (mut world, mut daemon) = World::new("");
    let port = world.port.number();
    world.server.ask("serve");
    let mut client = Puppet::new();
    let (mut daemons, mut made) = (Vec::new(), 0);
    for takeover in 1..=3 {
        client.send(&format!("burst 127.0.0.1:{port} {EACH} 2"));
        made += EACH;
        // Somewhere in the burst.
        daemon.log.wait_count("some ends", 50, |event| event.is("flow.close", port));
        assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.stderr());
        let next = world.daemon();
        assert_eq!(start_event(&next.log).at("daemon.previous.adopted"), true, "takeover {takeover}");
        daemons.push(std::mem::replace(&mut daemon, next));
        assert_eq!(client.reply(), EACH.to_string());
    }
    wait::until("all are served", || world.server.ask("served") == made.to_string());
    wait::until("the last daemon has read everything", || daemon.port_status(port)["open"] == 0);
    let mut logs = vec![daemon.interrupt()];
    for mut daemon in daemons {
        daemon.log.refresh();
        logs.push(std::mem::replace(&mut daemon.log, EventLog::at(std::path::Path::new("/dev/null"))));
    }
    let mut ends = std::collections::HashSet::new();
    let closes = logs.iter().flat_map(EventLog::seen).filter(|event| event.is("flow.close", port));
    for event in closes {
        assert!(ends.insert(event.text("flow.cookie").to_owned()), "reported twice: {}", event.line());
        assert_ne!(event.text("flow.outcome"), "lost", "{}", event.line());
    }
    for log in &logs {
        assert!(only_tracepoints_were_away(&reasons(log)), "{:?}", gaps(log));
        assert!(!reasons(log).contains(&"unwritten".to_owned()), "{:?}", gaps(log));
    }
    assert_eq!(ends.len(), 2 * made);
}

#[test]
fn processes_that_came_and_went_while_nobody_watched_are_named() {
    let (mut world, mut first) = World::new("");
    first.kill();
    let mut away = Vec::new();
    let programs = ["alpha", "beta"].map(|name| ProgramCopy::new("puppet", name));
    for program in &programs {
        let mut client = Puppet::run(&program.path(), Place::default());
        let there = client.connect(format!("127.0.0.1:{}", world.port));
        let here = world.server.accept();
        client.close(there);
        world.server.close(here);
        away.push(End::of_client(&client, there.address.port(), world.port.number()));
        client.kill();
    }
    let mut second = world.daemon();
    for end in &away {
        let close = end.event(&mut second.log, "flow.close");
        check_named(&second.log, end, &close);
        assert_eq!(close.text("process.attribution"), "exact", "{}", close.line());
    }
    second.interrupt();
}

#[test]
fn an_overload_while_no_daemon_runs_is_counted_exactly() {
    let (mut world, mut first) = World::new("[limits]\nring_bytes = 65536\n");
    let (port, total) = (world.port.number(), 500_u64);
    first.log.wait("listener.open", |event| event.is("listener.open", port));
    first.kill();
    world.server.ask("serve");
    let mut client = Puppet::new();
    client.ask(&format!("burst 127.0.0.1:{port} {total} 1"));
    wait::until("all are served", || world.server.ask("served") == total.to_string());

    let mut second = world.daemon();
    // Every end is in one `flow.close`, or in `closed` of a sum of those that the kernel side has counted. Of those that it has
    // counted apart, since their opening was described, it is `lost`, unless the kernel's notice of the socket's end was read.
    let of_sum = |path: &str, all: &[Event]| -> u64 {
        let sums = all.iter().filter(|event| {
            event.kind() == "flow.summary" && event.at("summary.overload.why") == "kernel-overload"
        });
        sums.map(|event| event.number(path).unwrap_or_default()).sum()
    };
    let closes = |all: &[Event]| all.iter().filter(|event| event.is("flow.close", port)).count() as u64;
    wait::until("all ends are known", || {
        let all = second.log.refresh();
        let summed = of_sum("summary.closed", all);
        summed > 0 && closes(all) + summed == 2 * total
    });
    let all = second.log.refresh();
    let lost = |event: &&Event| event.is("flow.close", port) && event.text("flow.outcome") == "lost";
    let lost = all.iter().filter(lost).count() as u64;
    let apart = of_sum("summary.overload.ends_of_described", all);
    assert!(lost <= apart, "{lost} ends are lost, {apart} were counted apart");
    let gap = "a gap of what was counted";
    second.log.wait(gap, |event| {
        let reason = |gap: &serde_json::Value| gap["reason"] == "kernel-overload";
        event.at("coverage.gaps").as_array().is_some_and(|gaps| gaps.iter().any(reason))
    });
    let gap =
        gaps(&second.log).into_iter().find(|gap| gap["reason"] == "kernel-overload").expect("just seen");
    assert!(gap["bound"].is_null() && at(&gap, "from").as_str() < at(&gap, "to").as_str(), "{gap}");
    let noted = start_event(&second.log).at("daemon.previous.noted");
    assert_eq!(&gap["from"], noted, "from the last time all was reported");
    let status = second.status();
    let kernel = &status["coverage"]["kernel"];
    let dropped: u64 =
        kernel["dropped"].as_object().expect("counts").values().filter_map(serde_json::Value::as_u64).sum();
    let reported: u64 = gaps(&second.log)
        .iter()
        .filter(|gap| gap["bound"].is_null())
        .filter_map(|gap| gap["lost"].as_u64())
        .sum();
    assert_eq!(dropped, reported, "{kernel}");
    second.interrupt();
}

#[test]
fn a_hook_whose_pin_is_gone_is_attached_again_and_named() {
    let (mut world, mut first) = World::new("");
    first.kill();
    std::fs::remove_file(world.fs.pins().join("links/gp_bind4")).expect("a pin is a file");
    let mut second = world.daemon();
    assert_eq!(start_event(&second.log).at("daemon.previous.adopted"), true);
    let ends = world.short_connection();
    check_reported(&mut second.log, &[ends]);
    assert!(reasons(&second.log).contains(&"hook-away:cgroup/bind4".to_owned()), "{:?}", gaps(&second.log));
    second.kill();
    let third = world.daemon().interrupt();
    assert!(!reasons(&third).contains(&"hook-away:cgroup/bind4".to_owned()), "it was pinned again");
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    #[test]
    fn a_port_no_longer_declared_is_not_watched_after_a_restart() {
        let (mut world, mut first) = World::new("");
        first.kill();
        let old = std::mem::replace(&mut world.port, Port::free());
        let mut second = world.daemon();
        let emitted = || second.status()["coverage"]["kernel"]["emitted"].as_u64().expect("a count");
        let before = emitted();
        world.server.ask("serve");
        let mut client = Puppet::new();
        client.ask(&format!("burst 127.0.0.1:{old} 200 1"));
        wait::until("all are served", || world.server.ask("served") == "200");
        // Each would have made five records. The ends of connections that a formerly watched listener accepts are
        // still written.
        assert!(emitted() - before < 400, "{} records", emitted() - before);
        second.log.refresh();
        assert_eq!(second.log.count(|event| event.is("flow.open", old.number())), 0);
        second.interrupt();
    }

    #[test]
    fn status_shows_where_it_is_pinned() {
        let (world, first) = World::new("");
        let pins = &first.status()["pins"];
        assert_eq!(pins["directory"], world.fs.pins().display().to_string());
        assert!(pins["hooks"].as_u64() >= Some(10) && pins["adopted"].is_null(), "{pins}");
        first.stop_keeping_pins();
        let second = world.daemon();
        assert_eq!(second.status()["pins"]["adopted"], true);
        let shown = second.ask(["daemon", "status"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("taken over"), "{shown}");
        second.interrupt();
        let without = Start::without_policy().start();
        assert!(without.status()["pins"].is_null());
        without.stop();
    }
}
