//! Standard output, for pipes and terminals.
//!
//! A reader that closes its end of the pipe (`| head -1`) ends this sink and nothing else: every later event is
//! counted as lost with reason `closed`, and the daemon lives. That needs `SIGPIPE` to be ignored, which Rust's
//! start-up code does for every program that does not ask for the opposite.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::destination::Target;
use super::lines::Lines;
use super::report::{Failure, Report};
use super::{Batch, Format, Sink, SinkError};

impl Sink {
    /// A sink on this process's standard output.
    ///
    /// # Errors
    /// If standard output is closed, or the thread cannot be started.
    pub fn stdout(capacity: NonZeroUsize, format: Format) -> Result<Self, SinkError> {
        // A descriptor of its own, so that nothing in the process can buffer or lock what is written here.
        let fd = io::stdout().as_fd().try_clone_to_owned().map_err(|source| SinkError::Stdout { source })?;
        Self::stream("stdout", capacity, fd, format)
    }

    fn stream(
        name: &'static str,
        capacity: NonZeroUsize,
        fd: OwnedFd,
        format: Format,
    ) -> Result<Self, SinkError> {
        Self::spawn(name, capacity, Stream { out: Patient(File::from(fd)), lines: Lines::new(format) })
    }
}

struct Stream {
    out: Patient,
    lines: Lines,
}

impl Target for Stream {
    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        let outcome = self.lines.write(&mut self.out, batch, count);
        let failure = outcome.error.map(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::Closed("the reader of standard output is gone".to_owned()),
            _ => Failure::Io(format!("standard output: {error}")),
        });
        Report { delivered: outcome.delivered, bytes: outcome.bytes, skipped: Vec::new(), failure }
    }

    fn wants_events(&self) -> bool {
        self.lines.wants_events()
    }
}

/// Waits where the stream is full, even if whoever shares it has made it non-blocking.
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sink::testing::{NumberedLines, dropped, published, wait_until};

    const CAPACITY: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn a_reader_gets_every_event_in_order() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let sink = Sink::stream("stdout", CAPACITY, writer.into(), Format::Native).expect("a thread");
        for event in published(1_000) {
            sink.push(&event);
        }
        let reading = std::thread::spawn(move || {
            let mut content = Vec::new();
            reader.read_to_end(&mut content).expect("readable");
            content
        });
        let stats = sink.finish(soon());
        let content = reading.join().expect("the reader ends with the writer");
        let read = NumberedLines::read(&content);
        assert_eq!((read.whole, read.broken), (1_000, 0));
        assert!(read.in_order);
        assert_eq!((stats.counts.delivered, stats.bytes), (1_000, content.len() as u64));
    }

    #[test]
    fn a_non_blocking_pipe_loses_nothing() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("a pipe can be non-blocking");
        let sink = Sink::stream("stdout", CAPACITY, writer.into(), Format::Native).expect("a thread");
        for event in published(1_000) {
            sink.push(&event);
        }
        sink.drain();
        let mut content = Vec::new();
        while content.iter().filter(|&&byte| byte == b'\n').count() < 1_000 {
            let mut part = [0; 65_536];
            let n = reader.read(&mut part).expect("readable");
            content.extend_from_slice(&part[..n]);
        }
        assert_eq!(NumberedLines::read(&content).whole, 1_000);
        assert_eq!(sink.finish(soon()).counts.delivered, 1_000);
    }

    #[test]
    fn a_closed_pipe_ends_only_its_sink_and_losses_are_counted() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let sink = Sink::stream("stdout", CAPACITY, writer.into(), Format::Native).expect("a thread");
        drop(reader);
        for event in published(10) {
            sink.push(&event);
        }
        wait_until(|| sink.stats().closed);
        for event in published(5) {
            sink.push(&event);
        }
        let stats = sink.finish(soon());
        assert_eq!(dropped(&stats), [("closed", 15)]);
        assert_eq!((stats.counts.received, stats.counts.delivered, stats.counts.queued), (15, 0, 0));
        assert_eq!(stats.last_error.as_deref(), Some("the reader of standard output is gone"));
    }

    #[test]
    fn a_full_device_is_counted_per_event_and_does_not_end_the_sink() {
        let full = File::options().write(true).open("/dev/full").expect("every Linux has /dev/full");
        let sink = Sink::stream("stdout", CAPACITY, full.into(), Format::Native).expect("a thread");
        for event in published(10) {
            sink.push(&event);
        }
        let stats = sink.finish(soon());
        assert_eq!(dropped(&stats), [("io-error", 10)]);
        assert!(stats.last_error.expect("an error").contains("No space left"));
    }

    /// The events that it did not read are counted.
    #[test]
    fn a_reader_that_never_reads_cannot_delay_the_shutdown() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let sink = Sink::stream("stdout", CAPACITY, writer.into(), Format::Native).expect("a thread");
        for event in published(1_000) {
            sink.push(&event);
        }
        let stats = sink.finish(Instant::now() + Duration::from_millis(50));
        let counts = &stats.counts;
        assert_eq!((counts.received, counts.queued), (1_000, 0));
        assert_eq!(dropped(&stats), [("deadline", 1_000 - counts.delivered)]);
        drop(reader);
    }

    #[test]
    fn human_lines_are_what_the_renderer_writes() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let render = Box::new(|event: &gdprport_core::event::Event, line: &mut Vec<u8>| {
            line.extend_from_slice(event.seq.to_string().as_bytes());
        });
        let sink = Sink::stream("stdout", CAPACITY, writer.into(), Format::Human(render)).expect("a thread");
        for event in published(3) {
            sink.push(&event);
        }
        sink.finish(soon());
        let mut content = String::new();
        reader.read_to_string(&mut content).expect("UTF-8");
        assert_eq!(content, "1\n2\n3\n");
    }
}
