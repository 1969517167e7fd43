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
    /// What was read from there on.
    buffer: Vec<u8>,
    /// What of it lies behind.
    done: usize,
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
        Self { file, header, seed: header.seed(), at: HEADER as u64, buffer: Vec::new(), done: 0 }
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
            let there = &self.buffer[self.done..];
            let needed = match Frame::parse(there, self.seed) {
                Ok(frame) => return Ok(Step::Frame(frame)),
                Err(NoFrame::Short(needed)) => needed,
                Err(NoFrame::Bad) => {
                    self.forget();
                    return Ok(Step::Bad);
                }
            };
            if !self.read(needed)? {
                let torn = self.buffer.len() > self.done;
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
        if self.done >= self.buffer.len() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(PIECE);
        self.done = 0;
    }

    /// Reads on until so many bytes are there; returns whether there is any more.
    fn read(&mut self, needed: usize) -> io::Result<bool> {
        self.buffer.drain(..self.done);
        self.done = 0;
        let there = self.buffer.len();
        self.buffer.resize(needed.max(PIECE), 0);
        loop {
            match self.file.read_at(&mut self.buffer[there..], self.at + there as u64) {
                Ok(read) => {
                    self.buffer.truncate(there + read);
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(there);
                    return Err(error);
                }
            }
        }
    }
}
