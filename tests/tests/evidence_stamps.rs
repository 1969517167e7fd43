//! Checkpoints of a real daemon that an authority stamps through a real deliverer, and what a verifier says of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use gdprport_tests::commands::{path, text};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::deliver::Deliverer;
use gdprport_tests::evidence::EvidenceLog;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::{Fake, Mood, Reply, Tsa};
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon with an evidence log and a spool in this directory.
fn daemon(dir: &TempDir, port: &Port) -> Daemon {
    let config = format!(
        "[evidence]\nenabled = true\npath = \"{0}/log\"\nkey = \"{0}/log.key\"\n[spool]\nenabled = true\npath = \"{0}/spool\"\n\
         sync = \"never\"\n",
        dir.path().display()
    );
    Start::with(open(port.number()).key("emit = \"every\"").alone()).config(&config).start()
}

/// The configuration of a deliverer that has checkpoints stamped.
fn config(dir: &TempDir, url: &str, ca: &Path) -> String {
    format!(
        "[spool]\npath = \"{}\"\n[deliver.timestamps]\nurl = \"{url}/tsr\"\nca = \"{}\"\n",
        dir.join("spool").display(),
        ca.display()
    )
}

/// What is known of timestamps once this holds.
#[track_caller]
fn known(deliverer: &Deliverer, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, || holds(&deliverer.status()["timestamps"]));
    deliverer.status()["timestamps"].clone()
}

/// The one file with this ending.
fn only(dir: &Path, end: &str) -> PathBuf {
    let all = fs::read_dir(dir).expect("a directory").filter_map(Result::ok).map(|entry| entry.path());
    let mut found = all.filter(|path| path.extension().is_some_and(|extension| extension == end));
    let one = found.next().expect("one");
    assert_eq!(found.next(), None, "one alone");
    one
}

#[test]
fn a_stamped_checkpoint_is_verified_by_two_programs() {
    let tsa = need!(Tsa::new());
    let trusted = tsa.trusted();
    let (dir, port) = (TempDir::new(), Port::free());
    let first = daemon(&dir, &port);
    let fake = Fake::start(tsa);
    let deliverer = Deliverer::start(&config(&dir, &fake.url(), &trusted));
    let standing = known(&deliverer, "a checkpoint is stamped", |known| known["stamped"] == 1);
    assert_eq!((&standing["kept"], &standing["failure"]), (&1.into(), &Value::Null), "{standing:#}");
    assert_eq!(fake.distinct().len(), 1, "it is asked once");
    let shown = text(&deliverer.ask(["sink", "status"]).stdout);
    assert!(shown.contains("TIMESTAMPS") && shown.contains("of checkpoint 0"), "{shown}");
    let stamps = deliverer.join("state/stamps");
    let (stamp, note) = (only(&stamps, "tsr"), only(&stamps, "note"));
    drop(first.stop());

    let log = EvidenceLog::of(&dir.join("log"));
    let verified = |log: &EvidenceLog, stamps: &Path| {
        log.verified_with(&["--tsa", path(&trusted), "--stamps", path(stamps)])
    };
    let (fine, said) = verified(&log, &stamps);
    assert!(fine, "{said:#}");
    assert_eq!((&said["timestamps"]["count"], &said["elsewhere"]), (&1.into(), &0.into()), "{said:#}");
    let latest = &said["timestamps"]["latest"];
    assert_eq!((&latest["authority"], &latest["entries"]), (&"tsa".into(), &standing["last"]["entries"]));
    assert!(Tsa::accepts(&stamp, &note, &trusted), "openssl accepts it too");

    // By nobody who is trusted; of another text; without its note; none at all.
    let found = |said: &Value| said["findings"][0]["what"].as_str().unwrap_or_default().to_owned();
    let other = need!(Tsa::new());
    let (fine, said) = log.verified_with(&["--tsa", path(&other.trusted()), "--stamps", path(&stamps)]);
    assert_eq!((fine, &*found(&said)), (false, "timestamp"), "{said:#}");
    let copy = TempDir::new();
    fs::copy(&stamp, copy.join("a.tsr")).expect("a copy");
    let (fine, said) = verified(&log, copy.path());
    assert_eq!((fine, &*found(&said)), (false, "timestamp"), "{said:#}");
    copy.write("a.note", &log.checkpoint());
    let (fine, said) = verified(&log, copy.path());
    assert_eq!((fine, &*found(&said)), (false, "timestamp"), "{said:#}");
    assert!(!Tsa::accepts(&stamp, &copy.join("a.note"), &trusted), "neither does openssl");
    let (fine, said) = verified(&log, &copy.join("none"));
    assert!(!fine && said.to_string().contains("there are no timestamps in"), "{said}");

    // The log is made anew by the same key.
    fs::rename(dir.join("log"), dir.join("before")).expect("root may");
    drop(daemon(&dir, &port).stop());
    let (fine, said) = verified(&EvidenceLog::of(&dir.join("log")), &stamps);
    assert!(!fine && ["forked", "rolled-back"].contains(&&*found(&said)), "{said:#}");
    deliverer.stop();
}

#[test]
fn no_answer_and_no_authority_are_said_and_stop_no_sink() {
    let tsa = need!(Tsa::new());
    let trusted = tsa.trusted();
    let (dir, port) = (TempDir::new(), Port::free());
    let daemon = daemon(&dir, &port);
    let fake = Fake::start(tsa);
    fake.next([Mood::Answer(Reply::text(200, "<html>sign in</html>"))]);
    let sinks = Fake::start(gdprport_tests::receivers::Plain::default());
    let sink = format!("[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"{}\"\n", sinks.url());
    let deliverer = Deliverer::start(&(config(&dir, &fake.url(), &trusted) + &sink));
    let failing = |known: &Value| known["failure"]["attempts"] == 1;
    let standing = known(&deliverer, "the answer is refused", failing);
    let why = standing["failure"]["why"].as_str().expect("a sentence");
    assert!(why.contains("its answer is not kept: its frame cannot be read"), "{why}");
    deliverer.wait_until_idle("a");
    assert!(!sinks.distinct().is_empty());

    // Another file, by a reload; it is said at once.
    deliverer.rewrite(&(config(&dir, &fake.url(), &dir.join("none.pem")) + &sink));
    deliverer.reload();
    let standing = known(&deliverer, "the file is missed", failing);
    let why = standing["failure"]["why"].as_str().expect("a sentence");
    assert!(why.starts_with("ca ") && why.contains("none.pem: No such file"), "{why}");
    assert!(deliverer.stderr().contains("none.pem: No such file"), "{}", deliverer.stderr());
    deliverer.rewrite(&config(&dir, &fake.url(), &trusted));
    deliverer.reload();
    let standing = known(&deliverer, "a checkpoint is stamped", |known| known["stamped"] == 1);
    assert_eq!(standing["failure"], Value::Null, "{standing:#}");
    drop(daemon.stop());
    deliverer.stop();
}
