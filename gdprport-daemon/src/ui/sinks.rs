//! The deliverer's status and tests of receivers, for people.

use jiff::Timestamp;

use super::format::{bytes, counted, duration, moment, thousands};
use super::screen::Screen;
use super::table::{Cell, Column, fact, table, title, wrap};
use super::tone::Tone;
use crate::control::api::{
    DeliverStatus, FailureStanding, SinkStanding, SinkState, SinkTotals, StampsStanding, TestReply,
};

const SINKS: [Column; 9] = [
    Column::elastic("SINK", 12),
    Column::text("TYPE").spare(3),
    Column::text("STATE"),
    Column::number("WAITING"),
    Column::number("BEHIND"),
    Column::number("DELIVERED"),
    Column::number("FILTERED").spare(4),
    Column::number("REFUSED").spare(1),
    Column::number("LOST"),
];

/// What `sink status` shows.
pub(super) fn show(status: &DeliverStatus, screen: &Screen) -> String {
    let mut text = headline(status, screen);
    let up = seconds(status.started, screen.now);
    let about = format!("gdprport deliver {}, pid {}, up {}", status.version, status.pid, duration(up));
    text.push_str(&format!("  {}\n", Tone::Dim.paint(&about)));
    text.push_str(&spool(status, screen));
    if let Some(refused) = &status.config.refused {
        text.push_str(&title("CONFIGURATION", "refused; the sinks go on as they were"));
        text.push_str(&lines(refused));
    }
    text.push_str(&overview("SINKS", status, screen));
    for sink in &status.sinks {
        text.push_str(&details(sink, is_of_spool(sink, status), screen));
    }
    if let Some(stamps) = &status.timestamps {
        text.push_str(&title("TIMESTAMPS", &counted(stamps.kept, "timestamp")));
        text.push_str(&fact("authority", Tone::Plain, &stamps.place, screen.width));
        text.push_str(&fact("directory", Tone::Plain, &stamps.directory, screen.width));
        let (tone, said) = latest(stamps, screen.now);
        text.push_str(&fact("latest", tone, &said, screen.width));
        if let Some(failure) = &stamps.failure {
            text.push_str(&failed(failure, &failure.why, screen));
        }
    }
    text
}

/// The latest timestamp, in words.
fn latest(stamps: &StampsStanding, now: Timestamp) -> (Tone, String) {
    let Some(last) = &stamps.last else {
        let none = match stamps.failure {
            Some(_) => "none yet",
            None => {
                "none yet: it waits for a checkpoint, which the daemon makes with `enabled = true` in [evidence]"
            }
        };
        return (Tone::Warn, none.to_owned());
    };
    let covers = last.entries.map(|entries| format!(" with {} entries", thousands(entries)));
    let ago = duration(seconds(last.time, now));
    let said = format!("{ago} ago, of checkpoint {}{}", thousands(last.sequence), covers.unwrap_or_default());
    (if stamps.failure.is_some() { Tone::Warn } else { Tone::Good }, said)
}

/// Why nothing works, since when, and when it is tried again.
fn failed(failure: &FailureStanding, why: &str, screen: &Screen) -> String {
    let since = duration(seconds(failure.since, screen.now));
    let next = failure.next.map(|next| duration(seconds(screen.now, next)));
    let next = next.map(|next| format!("; again in {next}")).unwrap_or_default();
    let times = format!("for {since}, {}{next}", counted(failure.attempts, "attempt"));
    fact("error", Tone::Bad, why, screen.width) + &fact("", Tone::Plain, &times, screen.width)
}

/// The part of `daemon status` about the deliverer.
pub(super) fn section(status: &DeliverStatus, screen: &Screen) -> String {
    let mut text = overview("DELIVERY", status, screen);
    if let Some(error) = &status.spool.error {
        text.push_str(&fact("spool", Tone::Bad, error, screen.width));
    }
    for sink in status.sinks.iter().filter(|sink| !is_of_spool(sink, status)) {
        if let Some((tone, why)) = trouble(sink, screen.now) {
            text.push_str(&fact(named(sink), tone, &why, screen.width));
        }
    }
    if let Some(stamps) = &status.timestamps {
        let (tone, said) = latest(stamps, screen.now);
        text.push_str(&fact("timestamp", tone, &said, screen.width));
        if let Some(failure) = &stamps.failure {
            text.push_str(&fact("", Tone::Bad, &failure.why, screen.width));
        }
    }
    text
}

/// Whether it waits for the spool, about which an error stands elsewhere.
fn is_of_spool(sink: &SinkStanding, status: &DeliverStatus) -> bool {
    sink.state == SinkState::NoSpool && status.spool.error.is_some()
}

/// The same where no deliverer answers, though there is a spool for one.
pub(super) fn no_deliverer(why: &str, remedy: Option<&str>, screen: &Screen) -> String {
    let mut text = title("DELIVERY", "");
    text.push_str(&fact("deliverer", Tone::Bad, why, screen.width));
    text.push_str(
        &remedy.map(|remedy| fact("what now", Tone::Plain, remedy, screen.width)).unwrap_or_default(),
    );
    text
}

fn headline(status: &DeliverStatus, screen: &Screen) -> String {
    let count = |state| status.sinks.iter().filter(|sink| sink.state == state).count();
    let (failing, faulty) = (count(SinkState::Failing) + count(SinkState::NoSpool), count(SinkState::Faulty));
    let all = counted((status.sinks.len() - faulty) as u64, "sink");
    let (tone, line) = match (status.sinks.is_empty(), failing, faulty) {
        (true, ..) => (Tone::Warn, "no sink is configured".to_owned()),
        (_, 0, 0) => (Tone::Good, format!("delivering to {all}")),
        (_, 0, faulty) => (Tone::Warn, format!("delivering to {all}; {faulty} left out")),
        (_, failing, 0) => (Tone::Bad, format!("{failing} of {all} cannot deliver")),
        (_, failing, faulty) => (Tone::Bad, format!("{failing} of {all} cannot deliver; {faulty} left out")),
    };
    let mut text = String::new();
    for (i, line) in wrap(&line, usize::from(screen.width).saturating_sub(2)).iter().enumerate() {
        text.push_str(&format!("{}\n", tone.paint(&format!("{} {line}", if i == 0 { "●" } else { " " }))));
    }
    text
}

fn spool(status: &DeliverStatus, screen: &Screen) -> String {
    let spool = &status.spool;
    let remark = match (&spool.error, spool.oldest) {
        (Some(_), _) => String::new(),
        (None, Some(oldest)) => {
            format!("{}, {}, since {}", counted(spool.events, "event"), bytes(spool.bytes), moment(oldest))
        }
        (None, None) => "empty".to_owned(),
    };
    let mut text = title("SPOOL", &remark);
    text.push_str(&fact("directory", Tone::Plain, &spool.path, screen.width));
    if let Some(error) = &spool.error {
        text.push_str(&fact("error", Tone::Bad, error, screen.width));
    }
    text
}

fn overview(name: &str, status: &DeliverStatus, screen: &Screen) -> String {
    let remark = match status.sinks.len() {
        0 => format!("none in {}", status.config.path),
        n => counted(n as u64, "sink"),
    };
    let mut text = title(name, &remark);
    if status.sinks.is_empty() {
        return text;
    }
    let rows: Vec<_> = status
        .sinks
        .iter()
        .map(|sink| {
            let (lag, totals) = (&sink.lag, &sink.totals);
            // Where the spool was never read nobody knows what waits in it.
            let unknown = lag.events == 0 && status.spool.error.is_some();
            let behind = match (unknown, lag.events) {
                (true, _) => "?".to_owned(),
                (false, 0) => "0s".to_owned(),
                (false, _) => duration(lag.seconds),
            };
            vec![
                Cell::new(Tone::Strong, named(sink)),
                Cell::plain(&sink.transport),
                Cell::new(tone(sink.state), sink.state.as_str()),
                if unknown { Cell::new(Tone::Dim, "?") } else { Cell::count(Tone::Plain, lag.events) },
                Cell::new(if lag.events == 0 { Tone::Dim } else { Tone::Plain }, behind),
                Cell::count(Tone::Good, totals.delivered),
                Cell::count(Tone::Plain, totals.filtered),
                Cell::count(Tone::Warn, totals.refused),
                lost_cell(totals),
            ]
        })
        .collect();
    let table = table(&SINKS, &rows, screen.width.saturating_sub(2));
    text.push_str(&table.lines().map(|line| format!("  {line}\n")).collect::<String>());
    text
}

/// As many events or, with a plus, more.
fn lost_cell(totals: &SinkTotals) -> Cell {
    match totals.uncounted {
        0 => Cell::count(Tone::Bad, totals.lost),
        _ => Cell::new(Tone::Bad, format!("{}+", thousands(totals.lost))),
    }
}

/// The same in words.
fn lost_in_all(totals: &SinkTotals) -> String {
    let least = if totals.uncounted > 0 { "at least " } else { "" };
    format!("{least}{}", thousands(totals.lost))
}

const fn tone(state: SinkState) -> Tone {
    match state {
        SinkState::Idle => Tone::Good,
        SinkState::Starting | SinkState::Sending => Tone::Plain,
        SinkState::Failing | SinkState::NoSpool | SinkState::Faulty => Tone::Bad,
    }
}

fn named(sink: &SinkStanding) -> &str {
    if sink.name.is_empty() { "(no name)" } else { &sink.name }
}

/// One sink. `of_spool`: what is wrong with it is said of the spool.
fn details(sink: &SinkStanding, of_spool: bool, screen: &Screen) -> String {
    let mut text = title(named(sink), "");
    if sink.state == SinkState::Faulty {
        text.push_str(&fact("left out", Tone::Bad, "its configuration has mistakes:", screen.width));
        text.push_str(&lines(sink.problems.as_deref().unwrap_or_default()));
        return text;
    }
    let receiver = format!("{} in {}", sink.place, sink.encoding);
    text.push_str(&fact("receiver", Tone::Plain, &receiver, screen.width));
    if let Some(failure) = &sink.failure {
        let why = if of_spool { "the spool cannot be read, see above" } else { &failure.why };
        text.push_str(&failed(failure, why, screen));
    }
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    if sink.lag.events > 0 {
        let (events, size) = (counted(sink.lag.events, "event"), bytes(sink.lag.bytes));
        add(
            "waiting",
            Tone::Plain,
            &format!("{events}, {size}, the oldest for {}", duration(sink.lag.seconds)),
        );
    }
    let totals = &sink.totals;
    let last = sink.delivered_at.map(|at| format!(", the last {} ago", duration(seconds(at, screen.now))));
    let delivered = format!(
        "{}, {} since {}{}",
        counted(totals.delivered, "event"),
        bytes(totals.bytes),
        moment(totals.since),
        last.unwrap_or_default()
    );
    add("delivered", Tone::Plain, &delivered);
    if totals.filtered > 0 {
        add("filtered", Tone::Plain, &format!("{} left out by its filter", thousands(totals.filtered)));
    }
    if let Some(refused) = &sink.refused {
        let last = format!("the last {} ({}): {}", moment(refused.at), refused.kind, refused.why);
        add("refused", Tone::Warn, &format!("{} by the receiver; {last}", thousands(totals.refused)));
    } else if totals.refused > 0 {
        add("refused", Tone::Warn, &format!("{} by the receiver", thousands(totals.refused)));
    }
    if let Some(lost) = &sink.lost {
        let count = match (lost.bound, lost.events) {
            (None, events) => thousands(events),
            (Some(_), 0) => "an unknown number".to_owned(),
            (Some(_), events) => format!("at least {}", thousands(events)),
        };
        let last = format!(
            "the last: {count} ({}) from {} to {}",
            lost.reason,
            moment(lost.since),
            moment(lost.until)
        );
        add("lost", Tone::Bad, &format!("{} before they were sent; {last}", lost_in_all(totals)));
    } else if totals.lost + totals.uncounted > 0 {
        add("lost", Tone::Bad, &format!("{} before they were sent", lost_in_all(totals)));
    }
    add("began", Tone::Dim, &sink.began);
    if let Some(problems) = &sink.problems {
        add("changed", Tone::Warn, "its new configuration has mistakes; it goes on as it was:");
        text.push_str(&lines(problems));
    }
    text
}

/// What is wrong with a sink, in one line.
fn trouble(sink: &SinkStanding, now: Timestamp) -> Option<(Tone, String)> {
    if let Some(failure) = &sink.failure {
        return Some((Tone::Bad, format!("{} (for {})", failure.why, duration(seconds(failure.since, now)))));
    }
    if sink.problems.is_some() {
        return Some((Tone::Bad, "its configuration has mistakes: see `gdprport sink status`".to_owned()));
    }
    let totals = &sink.totals;
    (totals.lost + totals.uncounted + totals.refused > 0).then(|| {
        let since = moment(totals.since);
        (
            Tone::Warn,
            format!("{} lost, {} refused since {since}", lost_in_all(totals), thousands(totals.refused)),
        )
    })
}

/// What `sink test` shows; `deliverer`: it was sent by the deliverer, not by this command.
pub(super) fn tested(reply: &TestReply, deliverer: bool, screen: &Screen) -> String {
    let TestReply { name, place, transport, encoding, kind, id, took_ms, .. } = reply;
    let (tone, line) = match &reply.why {
        None => (Tone::Good, format!("● it arrived, in {took_ms} ms")),
        Some(_) => (Tone::Bad, format!("● it did not arrive, after {took_ms} ms")),
    };
    let mut text = format!("{}\n", tone.paint(&line));
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    add("sink", Tone::Plain, &format!("{name}, {transport} to {place}"));
    add("event", Tone::Plain, &format!("{kind} {id} in {encoding}"));
    if let Some(answer) = &reply.answer {
        add("answer", Tone::Plain, answer);
    }
    if let Some(why) = &reply.why {
        add("error", Tone::Bad, why);
        let what_now = if deliverer {
            format!(
                "nothing is lost: events wait in the spool, and the deliverer tries again by itself. Mend what the error names \
                 (in gdprport.toml: `sudo systemctl reload gdprport-deliver`), then `sudo gdprport sink test {name}`"
            )
        } else {
            format!(
                "no deliverer runs, so this command sent it. Mend what the error names, then `sudo gdprport sink test {name}` \
                 again"
            )
        };
        add("what now", Tone::Plain, &what_now);
    }
    text
}

/// Text of several lines, indented, as it is.
fn lines(text: &str) -> String {
    let indented = |line| format!("    {}", super::format::clean(line));
    text.lines().map(|line| format!("{}\n", indented(line).trim_end())).collect()
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second().saturating_sub(from.as_second())).unwrap_or(0)
}

#[cfg(test)]
mod tests;
