//! Searching a growing file for a text, reading each byte once.

use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How often `text`, which is within one line, occurs in the complete lines of the file at `path`; returns once that is
/// `expected` or more, or after `limit`. Waits for the file if it does not exist yet.
pub(crate) fn count(path: &str, text: &[u8], expected: u64, limit: Duration) -> u64 {
    let begun = Instant::now();
    let (mut counted, mut rest, mut file) = (0, Vec::new(), None);
    while counted < expected && begun.elapsed() < limit {
        if file.is_none() {
            file = File::open(path).ok();
        }
        let read = file.as_mut().map_or(0, |file| file.take(1 << 20).read_to_end(&mut rest).unwrap_or(0));
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        counted += occurrences(&rest[..end], text);
        rest.drain(..end);
        if read == 0 {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
    counted
}

fn occurrences(bytes: &[u8], text: &[u8]) -> u64 {
    let Some(first) = text.first() else { return 0 };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.filter(|(at, _)| bytes[*at..].starts_with(text)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_a_text_is_counted() {
        let lines = b"{\"kind\":\"daemon.start\"}\n{\"kind\":\"flow.open\"}\n{\"kind\":\"flow.open\"}\n";
        assert_eq!(occurrences(lines, b"\"flow.open\""), 2);
        assert_eq!(occurrences(lines, b""), 0);
    }

    #[test]
    fn a_missing_file_is_waited_for_until_the_limit() {
        assert_eq!(count("/nonexistent", b"x", 1, Duration::from_millis(5)), 0);
    }
}
