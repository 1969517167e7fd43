//! The part of the status about the spool: what waits in it for receivers, and what had to be removed.

use super::format::{bytes, moment, thousands};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::{SinkStatus, SpoolStatus};

/// How the spool is; nothing if none is written.
pub(super) fn spool(sinks: &[SinkStatus], screen: &Screen) -> String {
    let mut text = String::new();
    for (sink, spool) in sinks.iter().filter_map(|sink| sink.spool.as_ref().map(|spool| (sink, spool))) {
        let SpoolStatus { records, bytes: size, max_bytes, oldest, removed, removed_kept } = spool;
        let remark = oldest.map_or_else(|| "empty".to_owned(), |oldest| format!("since {}", moment(oldest)));
        text.push_str(&title("SPOOL", &remark));
        let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
        add("directory", Tone::Plain, sink.counts.name.strip_prefix("spool:").unwrap_or(&sink.counts.name));
        let holds = format!("{} events, {} of {}", thousands(*records), bytes(*size), bytes(*max_bytes));
        add("holds", Tone::Plain, &holds);
        if *removed > 0 {
            let what =
                format!("{} ordinary events, the oldest, for want of room or by age", thousands(*removed));
            add("removed", Tone::Plain, &what);
        }
        if *removed_kept > 0 {
            let what = format!(
                "{} events that are kept longest; see `max_size` in [spool]",
                thousands(*removed_kept)
            );
            add("removed", Tone::Warn, &what);
        }
        if let Some(error) = &sink.last_error {
            add("error", Tone::Bad, error);
        }
    }
    text
}
