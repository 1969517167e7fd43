//! A daemon that is killed at any moment: each batch is there as a whole or not at all.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gdprport_core::ledger::{Entry, Note, NoteKind, RunEnd};

use super::super::Settings;
use super::samples::{at, batch, began, edge};
use super::scene::{EAGER, Scene, sums};

/// Where the child writes its ledger.
const PATH: &str = "GDPRPORT_TEST_LEDGER";
/// Rows of a batch.
const ROWS: i64 = 23;
/// How often it is killed.
const KILLS: u64 = 40;

/// Writes batches as fast as it can until it is killed. Each has a note, and 23 rows.
#[test]
#[ignore = "on demand: the child of the test below"]
fn write_until_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let mut settings = Settings::new(Path::new(&path));
    settings.max_wal = 1 << 20;
    let ledger = super::super::Ledger::open_with(settings, EAGER).expect("nobody else writes it");
    super::scene::offer(&ledger, vec![began(0, "r", "b")]);
    println!("ready");
    for n in 0.. {
        let edges = (0..ROWS).map(|row| edge(&format!("10.{}.{row}.1", n % 50), 1, 1)).collect();
        let note = Note { at: at(1), kind: NoteKind::ClockSet, text: "n".into() };
        let mut next = batch(1 + n / 1_000, edges);
        next.entries.push(Entry::Note(note));
        super::scene::offer(&ledger, vec![next]);
    }
}

#[test]
fn a_killed_daemon_leaves_whole_batches() {
    let scene = Scene::new();
    let mut before = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "ledger::tests::kill::write_until_killed"])
            .env(PATH, scene.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let ready = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert!(ready.map_while(Result::ok).any(|line| line.contains("ready")), "it writes");
        // Moments that differ, without chance: from the first commit to many.
        std::thread::sleep(Duration::from_micros(kill * 37 % 41 * 1_500));
        child.kill().expect("it runs");
        child.wait().expect("it ended");

        let said: String =
            scene.sql().query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
        assert_eq!(said, "ok");
        let all = scene.all();
        let batches = all.notes.iter().filter(|note| note.kind == NoteKind::ClockSet).count() as u64;
        assert_eq!(sums(&all).opened, batches * ROWS.unsigned_abs(), "whole batches");
        assert!(batches >= before, "nothing that was committed is lost");
        before = batches;
    }
    assert_eq!(scene.asides("bad").len(), 0);
    assert!(before > KILLS, "{before} batches");
    let runs = scene.all().runs;
    assert!(runs.len() > 10, "{} were killed after their first commit", runs.len());
    assert!(runs.iter().rev().skip(1).all(|run| run.end == Some(RunEnd::Killed)));
}
