//! Names of containers against lanes that say what the test wants.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use gdprport_core::container::{Stated, text};
use gdprport_core::model::StatedBy;

use super::*;
use crate::host::containers::threads::{CLAIMED_WAITING_MAX, IDLE_NS, STUCK_NS, USERS_MAX};

fn container(id: &str) -> Container {
    Container {
        id: id.into(),
        runtime: Some("docker".into()),
        pod: None,
        claimed_by: None,
        naming: Naming::Unknown,
    }
}

fn claimed(id: &str, uid: u32) -> Container {
    Container { claimed_by: Some(uid), ..container(id) }
}

fn named(name: &str, uid: u32) -> Names {
    Stated { name: text(name, 253), ..Stated::default() }.names(StatedBy { uid, user: None }, false)
}

fn name(naming: &Naming) -> Option<&str> {
    match naming {
        Naming::Known(names) => names.name.as_deref(),
        Naming::Pending | Naming::Unknown => None,
    }
}

const fn directory(id: u64) -> Directory {
    Directory { hierarchy: 0, id }
}

/// Names by what `look` says of a container's id in a lane.
fn names(
    places: &[&str],
    look: impl Fn(&Lane, &str) -> Option<Names> + Send + Sync + 'static,
) -> ContainerNames {
    let look = Arc::new(look);
    let look_in: LookIn = Arc::new(move |lane| {
        let look = Arc::clone(&look);
        Box::new(move |key| look(&lane, &key.id))
    });
    let places = places.iter().map(|place| Lane::Place(Arc::new(place.into()))).collect();
    ContainerNames::with(Some(look_in), places)
}

/// Waits until a container's naming is final.
fn settled(names: &mut ContainerNames, of: &Container, now_ns: u64) -> Naming {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        match names.naming(of, now_ns) {
            Naming::Pending => std::thread::sleep(Duration::from_millis(2)),
            naming => return naming,
        }
    }
    panic!("{of:?} stays pending");
}

/// How many threads there are, and how much they have to do.
fn load(names: &ContainerNames) -> (usize, usize) {
    names.threads.as_ref().map_or((0, 0), Threads::load)
}

/// Waits until no lane has anything to do.
fn idle(names: &mut ContainerNames, now_ns: u64) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        names.collect(now_ns);
        if load(names).1 == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("a lane does not finish");
}

#[test]
fn the_creation_of_a_container_starts_its_look_up() {
    let mut names = names(&[], |_, id| Some(named(id, 0)));
    names.created(&container("orders"), directory(7), 1);
    idle(&mut names, 1);
    assert_eq!(name(&names.naming(&container("orders"), 1)), Some("orders"));
    assert!(!names.late_names_arrived(1), "nobody had to go without");
    assert_eq!(
        names.counters(1),
        ContainerCounters { looked_up: 1, known: 1, ..ContainerCounters::default() }
    );
}

#[test]
fn what_root_says_counts_before_what_another_says() {
    let mut names = names(&["/srv"], |lane, id| match (lane, id) {
        (Lane::Root, "both") => {
            std::thread::sleep(Duration::from_millis(50));
            Some(named("roots", 0))
        }
        (Lane::Place(_), "both" | "other") => Some(named("etls", 5)),
        _ => None,
    });
    assert_eq!(name(&settled(&mut names, &container("both"), 1)), Some("roots"));
    let begun = Instant::now();
    assert_eq!(name(&settled(&mut names, &container("other"), 1)), Some("etls"));
    assert!(begun.elapsed() < Duration::from_secs(2), "after root's first try");
}

/// And once more after a minute, if somebody is interested.
#[test]
fn an_unknown_container_is_tried_a_few_times() {
    static TRIES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let tries = |of: &str| TRIES.lock().expect("nobody panics").iter().filter(|id| *id == of).count();
    let mut names = names(&[], |_, id| {
        TRIES.lock().expect("nobody panics").push(id.to_owned());
        (id == "late" && TRIES.lock().expect("nobody panics").iter().filter(|of| *of == id).count() == 3)
            .then(|| named("late", 0))
    });
    assert_eq!(names.naming(&container("late"), 1), Naming::Pending);
    assert_eq!(names.naming(&container("none"), 1), Naming::Pending);
    assert_eq!(name(&settled(&mut names, &container("late"), 1)), Some("late"));
    assert!(names.late_names_arrived(1));
    assert_eq!(settled(&mut names, &container("none"), 1), Naming::Unknown);
    assert!(names.late_names_arrived(1));
    assert_eq!((tries("late"), tries("none")), (3, 5));
    for now_ns in [AGAIN_NS, AGAIN_NS + 1, 2 * AGAIN_NS, 3 * AGAIN_NS] {
        names.tick(now_ns);
        idle(&mut names, now_ns);
        assert_eq!(names.naming(&container("none"), now_ns), Naming::Unknown);
    }
    idle(&mut names, 3 * AGAIN_NS);
    assert_eq!(tries("none"), 6);
    assert_eq!(names.counters(1).unknown, 1);
}

#[test]
fn a_user_whose_state_hangs_delays_nobody_else() {
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let hang = Mutex::new(hang);
    let mut names = names(&[], move |lane, id| match lane {
        Lane::User(5) => {
            let _ = hang.lock().expect("nobody panics").recv();
            Some(named(id, 5))
        }
        Lane::User(uid) => Some(named(id, *uid)),
        Lane::Root => Some(named(id, 0)),
        Lane::Place(_) => None,
    });
    for number in 0..1_000 {
        let naming = names.naming(&claimed(&format!("hung-{number}"), 5), 1);
        let waits = number < CLAIMED_WAITING_MAX;
        assert_eq!(naming, if waits { Naming::Pending } else { Naming::Unknown });
    }
    assert_eq!(names.counters(1).dropped, 1_000 - CLAIMED_WAITING_MAX as u64);
    assert_eq!(name(&settled(&mut names, &container("orders"), 1)), Some("orders"));
    assert_eq!(name(&settled(&mut names, &claimed("web", 6), 1)), Some("web"));
    assert_eq!(names.counters(1 + STUCK_NS).stuck, 1);
    drop(release);
    idle(&mut names, 1);
    assert_eq!(name(&names.naming(&claimed("hung-0", 5), 1)), Some("hung-0"));
    assert_eq!(names.counters(1 + STUCK_NS).stuck, 0);
}

#[test]
fn threads_of_users_are_bounded_and_end() {
    let mut names = names(&[], |_, id| Some(named(id, 5)));
    for uid in 1..=USERS_MAX as u32 + 1 {
        names.naming(&claimed("web", uid), 1);
    }
    idle(&mut names, 1);
    assert_eq!((load(&names).0, names.counters(1).dropped), (USERS_MAX, 1));
    let late = claimed("web", USERS_MAX as u32 + 1);
    assert_eq!(names.naming(&late, 1), Naming::Unknown);
    names.tick(1 + IDLE_NS);
    assert_eq!(load(&names).0, 1, "its own, now that there is room");
    idle(&mut names, 1 + IDLE_NS);
    assert_eq!(name(&names.naming(&late, 1 + IDLE_NS)), Some("web"));
}

#[test]
fn what_changes_later_is_counted_and_not_taken_over() {
    static NOW: Mutex<&str> = Mutex::new("orders");
    let mut names = names(&[], |_, _| Some(named(*NOW.lock().expect("nobody panics"), 0)));
    let orders = container("1");
    let shown = settled(&mut names, &orders, 1);
    let again = |names: &mut ContainerNames, now_ns| {
        names.tick(now_ns);
        idle(names, now_ns);
        names.counters(now_ns).renamed
    };
    assert_eq!(again(&mut names, 1 + RECHECK_NS), 0);
    *NOW.lock().expect("nobody panics") = "billing";
    assert_eq!(again(&mut names, 1 + 2 * RECHECK_NS), 1);
    assert_eq!(again(&mut names, 1 + 3 * RECHECK_NS), 1, "once");
    assert_eq!(names.naming(&orders, 1), shown);
    // Its runtime starts it again.
    names.created(&orders, directory(8), 2);
    names.created(&orders, directory(9), 3);
    assert_eq!(name(&settled(&mut names, &orders, 3)), Some("billing"));
    assert_eq!(names.counters(3).renamed, 2);
    assert_eq!(name(&shown), Some("orders"), "what was reported stays");
}

#[test]
fn five_thousand_containers_at_once_are_all_named() {
    let mut names = names(&[], |_, id| Some(named(id, 0)));
    let all: Vec<Container> = (0..5_000).map(|number| container(&number.to_string())).collect();
    for container in &all {
        names.created(container, directory(1), 1);
    }
    idle(&mut names, 1);
    for container in &all {
        assert_eq!(name(&names.naming(container, 1)), Some(&*container.id));
    }
    let counters = names.counters(1);
    assert_eq!((counters.looked_up, counters.known, counters.dropped), (5_000, 5_000, 0));
}

#[test]
fn switched_off_nothing_is_looked_up() {
    let mut names =
        ContainerNames::new(&Places { lookup: false, state: vec!["/".into()] }, &ShownLabels::default());
    names.created(&container("orders"), directory(7), 1);
    assert_eq!(names.naming(&container("orders"), 1), Naming::Unknown);
    assert_eq!((load(&names).0, names.counters(1)), (0, ContainerCounters::default()));
}
