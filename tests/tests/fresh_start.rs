//! What an earlier daemon left and cannot be used is removed, the daemon starts afresh, and reports the gap in between.

use gdprport_tests::event::at;
use gdprport_tests::takeover::{World, check_reported, gapless, start_event};

/// Starts a second daemon that cannot use what the first one left; the gap is reported with begin and end, and only the
/// second one watches.
#[track_caller]
fn check_fresh_start(world: &mut World, why: &str, refusal: &str) {
    let mut second = world.daemon();
    let first_event = start_event(&second.log).clone();
    assert_eq!(first_event.at("daemon.previous.adopted"), false, "{}", first_event.line());
    let refused = first_event.text("daemon.previous.refused");
    assert!(refused.contains(refusal), "{refused}");
    let reason = format!("not-adopted:{why}");
    let gap = second.log.wait("the gap", |event| event.kind() == "coverage" && !gapless(event));
    let gap = gap.at("coverage.gaps").as_array().and_then(|gaps| gaps.first()).cloned().expect("a gap");
    assert_eq!((&gap["reason"], &gap["bound"]), (&reason.into(), &"at-least".into()), "{gap}");
    assert_eq!(&gap["from"], first_event.at("daemon.previous.noted"), "{gap}");
    assert!(at(&gap, "from").as_str() < at(&gap, "to").as_str(), "{gap}");
    assert!(second.stderr().contains("started fresh"), "{}", second.stderr());
    // Until the listener is found, only an accept shows whose it is.
    let port = world.port.number();
    second.log.wait("listener.open", |event| event.is("listener.open", port));
    // If hooks of the first daemon were still attached, they would write into a ring without a reader.
    let ends = world.short_connection();
    check_reported(&mut second.log, &[ends]);
    second.interrupt();
    assert!(!world.fs.pins().exists());
}

#[test]
fn another_abi_is_not_adopted_and_the_gap_is_reported() {
    let (mut world, mut first) = World::new("");
    first.kill();
    world.fs.change_checkpoint(4, 1);
    check_fresh_start(&mut world, "abi", "its ABI is version 1");
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    #[test]
    fn maps_of_another_size_are_not_adopted_and_the_gap_is_reported() {
        let (mut world, mut first) = World::new("");
        first.kill();
        "[limits]\ntasks = 1000\n".clone_into(&mut world.config);
        check_fresh_start(&mut world, "layout", "its map TASKS is");
    }

    #[test]
    fn damaged_pins_are_not_adopted_and_the_gap_is_reported() {
        for (damage, why, refusal) in [
            ("maps/HANDOVER", "damaged", "what it noted about itself is missing"),
            ("maps/OWNERS", "layout", "it had no map OWNERS"),
        ] {
            let (mut world, mut first) = World::new("");
            first.kill();
            std::fs::remove_file(world.fs.pins().join(damage)).expect("a pin is a file");
            check_fresh_start(&mut world, why, refusal);
        }
        let (mut world, mut first) = World::new("");
        first.kill();
        world.fs.change_checkpoint(8, 0);
        check_fresh_start(&mut world, "damaged", "stopped before everything was pinned");
        std::fs::create_dir(world.fs.pins()).expect("a directory");
        gdprport_tests::temp::set_mode(&world.fs.pins(), 0o700);
        std::fs::create_dir(world.fs.pins().join("something")).expect("a directory");
        check_fresh_start(&mut world, "damaged", "what it noted about itself is missing");
    }
}
