//! Records to try things with, and where the files are.

use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_core::encode::Encoding;
use gdprport_core::event::{Body, Event, Violation, samples};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Reason, ReasonId, Verdict};
use serde_json::Value;

/// A file of `packaging/siem`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/siem").join(name)
}

/// Its text.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An event as one record.
pub(crate) fn record(encoding: Encoding, event: &Event) -> String {
    let mut record = Vec::new();
    encoding.write(event, &mut record);
    String::from_utf8(record).expect("records are UTF-8")
}

/// An event as a document of ECS.
pub(crate) fn document(event: &Event) -> Value {
    serde_json::from_str(&record(Encoding::Ecs, event)).expect("ECS is JSON")
}

/// A violation of a flow for this reason.
pub(crate) fn violation(id: ReasonId) -> Event {
    let reasons = vec![Reason { id, detail: "as in a test".to_owned() }];
    let mut flow = samples::forbidden();
    flow.verdict = Shared::new(Verdict::Violation { reasons, nearest: None });
    samples::stamper().stamp(samples::now(), Body::Violation(Box::new(Violation::Flow(flow))))
}

/// Runs a program to its end.
///
/// # Panics
/// If it fails, with what it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?} {}:\n{out}\n{err}", output.status);
    out + &err
}
