//! The part of the status about the evidence log: what it holds, and the public key that somebody else has to know.

use super::format::{moment, thousands};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::EvidenceStatus;

/// How the log is; nothing if none is kept.
pub(super) fn evidence(status: Option<&EvidenceStatus>, screen: &Screen) -> String {
    let Some(EvidenceStatus { path, key, size, checkpoint, problem }) = status else { return String::new() };
    let remark = checkpoint.as_ref().map_or_else(
        || "no checkpoint yet".to_owned(),
        |last| format!("checkpoint {}, {}", last.sequence, moment(last.time)),
    );
    let mut text = title("EVIDENCE", &remark);
    let mut add = |name, tone, value: &str| text.push_str(&fact(name, tone, value, screen.width));
    add("directory", Tone::Plain, path);
    add("signed", Tone::Plain, &format!("{} entries", thousands(*size)));
    if let Some(key) = key {
        add("public key", Tone::Plain, key);
    }
    if let Some(problem) = problem {
        add("error", Tone::Bad, problem);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::CheckpointStatus;

    #[test]
    fn the_status_of_a_log_shows_its_public_key() {
        let status = EvidenceStatus {
            path: "/var/lib/gdprport/evidence".to_owned(),
            key: Some("gdprport/db1.example.org+0a1b2c3d+AQ".to_owned()),
            size: 70_000,
            checkpoint: Some(CheckpointStatus {
                sequence: 41,
                time: "2026-11-30T01:02:03Z".parse().expect("a time"),
                reason: "heartbeat".to_owned(),
            }),
            problem: Some("the log cannot be written".to_owned()),
        };
        let screen = Screen { width: 80, now: jiff::Timestamp::UNIX_EPOCH };
        let shown = evidence(Some(&status), &screen);
        for part in ["70,000 entries", "gdprport/db1.example.org+0a1b2c3d+AQ", "cannot be written", "41"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(evidence(None, &screen), "");
    }
}
