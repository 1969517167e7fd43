//! The published schema of events, checked against what the daemon wrote.

use std::path::PathBuf;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::event::Event;

/// The path of the schema in the checkout.
fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/event.schema.json")
}

fn validator() -> &'static Validator {
    static COMPILED: OnceLock<Validator> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let path = path();
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("cannot read the event schema {}: {e}", path.display()));
        let schema: Value = serde_json::from_str(&text).expect("the event schema is JSON");
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("the event schema is a schema")
    })
}

/// Checks every event against the schema, on all processors.
///
/// # Panics
/// When one does not fit; with what is wrong and the event.
#[track_caller]
pub(crate) fn check(events: &[Event]) {
    let validator = validator();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = events.len().div_ceil(threads).max(1);
    let problem = std::thread::scope(|scope| {
        let parts: Vec<_> = events
            .chunks(share)
            .map(|part| scope.spawn(|| part.iter().find_map(|e| problem(validator, e))))
            .collect();
        parts.into_iter().find_map(|part| part.join().expect("validating does not panic"))
    });
    if let Some(problem) = problem {
        panic!("{problem}");
    }
}

fn problem(validator: &Validator, event: &Event) -> Option<String> {
    let value: Value = serde_json::from_str(event.line()).expect("the line was read as JSON before");
    let wrong =
        validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect::<Vec<_>>();
    (!wrong.is_empty()).then(|| format!("does not fit the schema ({}): {}", wrong.join("; "), event.line()))
}
