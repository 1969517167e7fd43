//! Lines on a byte stream: what was written whole is delivered, and no two events ever share a line.
//!
//! Belongs here: building, writing and counting lines for standard output and files.
//!
//! When a write stops within a line (disk full), that event is lost and its stump stays: an append-only file
//! never shrinks under its readers. The next write begins with a line feed, so that a reader sees one line that
//! is not JSON, and then whole events again.

use std::io::{self, ErrorKind, Write};

use super::{Batch, Format};

/// Larger buffers than this are given back after use: a rare long line must not cost memory for ever.
const KEEP: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Lines {
    format: Format,
    buffer: Vec<u8>,
    /// Where each line ends in the buffer.
    ends: Vec<usize>,
    torn: bool,
}

/// What became of some lines.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) delivered: usize,
    /// Bytes of the delivered lines.
    pub(super) bytes: usize,
    pub(super) error: Option<io::Error>,
}

impl Lines {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, buffer: Vec::new(), ends: Vec::new(), torn: false }
    }

    /// Whether the destination ends within a line, so that the next write has to end that first.
    pub(super) const fn set_torn(&mut self, torn: bool) {
        self.torn = torn;
    }

    /// Whether lines are made from the events themselves.
    pub(super) const fn wants_events(&self) -> bool {
        self.format.wants_events()
    }

    /// Writes one line per event, for the first `count` of a batch.
    pub(super) fn write(&mut self, out: &mut impl Write, batch: &Batch, count: usize) -> Outcome {
        if self.torn
            && let (_, Some(error)) = pour(out, b"\n")
        {
            return Outcome { delivered: 0, bytes: 0, error: Some(error) };
        }
        self.torn = false;
        let (lines, ends) = self.format.lines(batch, count, &mut self.buffer, &mut self.ends);
        let (written, error) = pour(out, lines);
        // Only the line feed missing, the event is there, and the next write brings it.
        let delivered = ends.partition_point(|&end| end - 1 <= written);
        let bytes = if delivered == 0 { 0 } else { ends[delivered - 1] };
        self.torn = written != bytes;
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
        Outcome { delivered, bytes, error }
    }
}

/// Writes as much as possible; returns how much that was, and why it was not all.
fn pour(out: &mut impl Write, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{NumberedLines, together};

    /// A disk with some room.
    struct Disk {
        content: Vec<u8>,
        room: usize,
        step: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room).min(self.step);
            if n == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.content.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn write(lines: &mut Lines, disk: &mut Disk, events: &Batch) -> Outcome {
        lines.write(disk, events, events.len())
    }

    /// The count of delivered events is exact.
    #[test]
    fn wherever_the_disk_fills_up_no_two_events_share_a_line() {
        let events = together(4);
        let lengths: Vec<usize> = (0..4).map(|index| events.line(index).len()).collect();
        let all: usize = lengths.iter().sum();
        for room in (0..=all).step_by(7).chain([lengths[0] - 1, lengths[0], lengths[0] + 1, all]) {
            let mut lines = Lines::new(Format::Native);
            let mut disk = Disk { content: Vec::new(), room, step: 100 };
            let before = write(&mut lines, &mut disk, &events);
            assert_eq!(before.error.is_some(), before.delivered < 4);
            disk.room = usize::MAX;
            let after = write(&mut lines, &mut disk, &events);
            assert_eq!((after.delivered, after.bytes), (4, all), "room {room}");
            let read = NumberedLines::read(&disk.content);
            assert_eq!(read.whole, before.delivered + 4, "room {room}");
            assert!(read.broken <= 1, "room {room}");
        }
    }

    #[test]
    fn a_disk_with_room_for_only_the_line_feed_is_no_longer_torn() {
        let events = together(1);
        let mut lines = Lines::new(Format::Native);
        let mut disk = Disk { content: Vec::new(), room: 5, step: 100 };
        write(&mut lines, &mut disk, &events);
        disk.room = 1;
        assert_eq!(write(&mut lines, &mut disk, &events).delivered, 0);
        disk.room = usize::MAX;
        write(&mut lines, &mut disk, &events);
        assert_eq!(disk.content[5], b'\n');
        assert_eq!(disk.content[6], b'{', "only one line feed");
    }
}
