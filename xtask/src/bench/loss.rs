//! Completeness and attribution: many connections one by one, eight at a time, and by processes that live for one
//! connection; how many of them each subject reports, and which processes it names.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::context::Context;
use super::effort::Effort;
use super::instrument::Instrument;
use super::memory::Memory;
use super::output::{Named, Truth, named, reported};
use super::subject::{CROWD, ONE_BY_ONE, PROCESSES, Running, Subject};

const WAYS: u32 = 8;

/// How long a monitor may take to report.
const SETTLE: Duration = Duration::from_secs(10);

/// Reports of the connections of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Lines or events that complete reporting would have made.
    pub(crate) expected: u64,
    pub(crate) reported: u64,
}

impl Tally {
    /// The missing part, 0 to 1. Surplus reports do not count.
    pub(crate) fn lost(&self) -> f64 {
        self.expected.saturating_sub(self.reported) as f64 / (self.expected as f64).max(1.0)
    }
}

/// The measurements of one subject.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Completeness {
    pub(crate) one_by_one: Tally,
    pub(crate) crowd: Tally,
    pub(crate) processes: Tally,
    /// Ends of short-lived connections attributed to their own process; `Effort::processes` are expected of each.
    pub(crate) named: Named,
    /// Resident memory after the connections one by one.
    pub(crate) memory: Memory,
    /// The maximum of the three.
    pub(crate) peak: Memory,
}

/// Measures every subject that works here.
pub(crate) fn measure(
    instrument: &mut Instrument,
    context: &Context,
    effort: &Effort,
    subjects: &[Subject],
) -> Result<BTreeMap<Subject, Completeness>> {
    let mut measured = BTreeMap::new();
    for subject in subjects.iter().copied().filter(|subject| subject.per_connection() > 0) {
        let mut completeness = Completeness::default();
        let mut load = |port: u16, order: &Value| load(instrument, context, subject, port, order);
        let order = json!({ "do": "crowd", "port": ONE_BY_ONE, "count": effort.many, "ways": 1 });
        (completeness.one_by_one, completeness.memory, _) = load(ONE_BY_ONE, &order)?;
        let order = json!({ "do": "crowd", "port": CROWD, "count": effort.many, "ways": WAYS });
        (completeness.crowd, completeness.peak, _) = load(CROWD, &order)?;
        let order = json!({
            "do": "processes", "port": PROCESSES, "count": effort.processes, "client": context.client,
        });
        let (tally, memory, reply) = load(PROCESSES, &order)?;
        for memory in [completeness.memory, memory] {
            if memory.resident > completeness.peak.resident {
                completeness.peak = memory;
            }
        }
        completeness.processes = tally;
        let output = fs::read_to_string(subject.output(context)).unwrap_or_default();
        completeness.named = named(subject, &output, PROCESSES, &truth(context, &reply));
        measured.insert(subject, completeness);
    }
    Ok(measured)
}

/// Starts the subject, makes the load, ends the subject and counts what it has reported.
fn load(
    instrument: &mut Instrument,
    context: &Context,
    subject: Subject,
    port: u16,
    order: &Value,
) -> Result<(Tally, Memory, Value)> {
    let running = subject.start(instrument, context)?;
    let reply = instrument.ask(order)?;
    let sent = order["count"].as_u64().unwrap_or_default();
    wait_until_still(&running);
    let memory = running.resident();
    running.stop(instrument)?;
    let text = fs::read(subject.output(context)).unwrap_or_default();
    let reported = reported(subject, &String::from_utf8_lossy(&text), port);
    Ok((Tally { expected: sent * subject.per_connection(), reported }, memory, reply))
}

/// Until its output has not grown for a while.
fn wait_until_still(running: &Running) {
    let length = || fs::metadata(&running.output).map_or(0, |file| file.len());
    let (begun, mut since, mut seen) = (Instant::now(), Instant::now(), length());
    while begun.elapsed() < SETTLE && since.elapsed() < Duration::from_millis(1_500) {
        std::thread::sleep(Duration::from_millis(50));
        if length() != seen {
            (since, seen) = (Instant::now(), length());
        }
    }
}

/// From the clients' own output, `PID PORT` each.
fn truth(context: &Context, reply: &Value) -> Truth {
    let mut truth = Truth {
        client_exe: context.client.display().to_string(),
        server_exe: context.bench.display().to_string(),
        server: reply["server"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default(),
        ..Truth::default()
    };
    for line in reply["clients"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut fields = line.split_whitespace();
        let (Some(pid), Some(port)) = (fields.next(), fields.next()) else { continue };
        if let (Ok(pid), Ok(port)) = (pid.parse(), port.parse()) {
            truth.clients.entry(port).or_default().insert(pid);
            truth.count += 1;
        }
    }
    truth
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn more_than_expected_hides_no_loss_and_is_none() {
        assert_eq!(Tally { expected: 100, reported: 80 }.lost(), 0.2);
        assert_eq!(Tally { expected: 100, reported: 120 }.lost(), 0.0);
        assert_eq!(Tally::default().lost(), 0.0);
    }
}
