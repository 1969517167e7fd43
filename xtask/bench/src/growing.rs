//! Looking for a text in a file while it is written: as it grows, each byte once.

use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

/// How often the end of the file is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// How often `text`, which is within one line, stands in the whole lines of the file at `path`; returns once that is
/// `expected` or more, or when `limit` is over. A file that is not there yet is waited for.
pub fn count(path: &str, text: &[u8], expected: u64, limit: Duration) -> u64 {
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
            std::thread::sleep(LOOK);
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
    fn a_text_is_found_as_often_as_it_stands_there() {
        let lines = b"{\"kind\":\"daemon.start\"}\n{\"kind\":\"flow.open\"}\n{\"kind\":\"flow.open\"}\n";
        assert_eq!(occurrences(lines, b"\"flow.open\""), 2);
        assert_eq!(occurrences(lines, b""), 0);
    }

    #[test]
    fn a_file_that_does_not_come_is_not_waited_for_longer_than_was_said() {
        assert_eq!(count("/nonexistent", b"x", 1, Duration::from_millis(5)), 0);
    }
}
