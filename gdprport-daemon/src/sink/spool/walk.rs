//! Going through a segment's frames, one after the other, in a file that may grow meanwhile.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;

use super::frame::{Frame, HEADER, Header, NoFrame, NoHeader};

/// Bytes that are read at once. A record that is longer gets as many as it has, at most
/// [`LINE_MAX`](super::frame::LINE_MAX), until the next one.
const PIECE: usize = 64 * 1024;

/// What comes next in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Frame(Frame),
    /// Its end, behind the last whole frame, as far as it is written.
    End,
    /// A beginning of a frame: it is being written, or was when the writer ended.
    Torn,
    /// No frame.
    Bad,
}

/// A place in a segment.
#[derive(Debug)]
pub(super) struct Walk {
    file: File,
    pub(super) header: Header,
    seed: u32,
    /// Where the next frame begins.
    at: u64,
    /// What was read from there on stands in it, from `done` to `end`.
    buffer: Vec<u8>,
    done: usize,
    end: usize,
}

/// Reads the header of a file.
pub(super) fn header(file: &File) -> io::Result<Result<Header, NoHeader>> {
    let mut bytes = [0; HEADER];
    let mut read = 0;
    while read < HEADER {
        match file.read_at(&mut bytes[read..], read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Header::parse(&bytes[..read]))
}

impl Walk {
    /// At the first frame of a segment.
    pub(super) fn new(file: File, header: Header) -> Self {
        Self { file, header, seed: header.seed(), at: HEADER as u64, buffer: Vec::new(), done: 0, end: 0 }
    }

    /// The file.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Where the next frame begins.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// The next frame; the same again until it is [passed](Self::pass).
    pub(super) fn peek(&mut self) -> io::Result<Step> {
        loop {
            let there = &self.buffer[self.done..self.end];
            let needed = match Frame::parse(there, self.seed) {
                Ok(frame) => return Ok(Step::Frame(frame)),
                Err(NoFrame::Short(needed)) => needed,
                Err(NoFrame::Bad) => {
                    self.forget();
                    return Ok(Step::Bad);
                }
            };
            if !self.read(needed)? {
                let torn = self.end > self.done;
                // The writer may take back what it began, so that other bytes stand there the next time.
                self.forget();
                return Ok(if torn { Step::Torn } else { Step::End });
            }
        }
    }

    /// The payload of the frame that was peeked at last.
    pub(super) fn payload(&self, frame: &Frame) -> &[u8] {
        &self.buffer[self.done + frame.whole() - frame.length..self.done + frame.whole()]
    }

    /// Goes behind the frame that was peeked at last.
    pub(super) fn pass(&mut self, frame: &Frame) {
        self.done += frame.whole();
        self.at += frame.whole() as u64;
        if self.done >= self.end {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if self.buffer.len() > PIECE {
            self.buffer = Vec::new();
        }
        (self.done, self.end) = (0, 0);
    }

    /// Reads on, into room for so many bytes; returns whether there were any more.
    fn read(&mut self, needed: usize) -> io::Result<bool> {
        if self.buffer.len() < needed {
            let mut larger = vec![0; needed.max(PIECE)];
            let there = &self.buffer[self.done..self.end];
            larger[..there.len()].copy_from_slice(there);
            self.buffer = larger;
        } else {
            self.buffer.copy_within(self.done..self.end, 0);
        }
        (self.done, self.end) = (0, self.end - self.done);
        loop {
            match self.file.read_at(&mut self.buffer[self.end..], self.at + self.end as u64) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
