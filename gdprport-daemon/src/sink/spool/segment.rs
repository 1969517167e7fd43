//! The segment that is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::frame::{self, Class, Counts, HEADER, Header};
use super::segments::{self, Summary, Tail};

/// What a segment that is being made is called until it is whole. One is made at a time.
pub(super) const UNFINISHED: &str = "unfinished.tmp";

/// Larger buffers than this are given back after use.
const KEEP: usize = 256 << 10;

/// A segment that is written.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    pub(super) header: Header,
    seed: u32,
    /// Bytes up to the end of its last whole frame.
    pub(super) bytes: u64,
    pub(super) counts: Counts,
    /// The index behind its last record.
    pub(super) next: u64,
    /// When its last record was appended, ms since 1970.
    pub(super) last_time: i64,
    /// Frames that are appended together.
    buffer: Vec<u8>,
    /// Whether there are bytes behind the last whole frame.
    torn: bool,
}

/// A record to append.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) class: Class,
    pub(super) index: u64,
    /// ms since 1970.
    pub(super) time: i64,
    pub(super) line: &'a [u8],
}

impl Segment {
    /// Begins a segment: its file has a header as soon as it has its name.
    pub(super) fn create(dir: &Path, header: Header) -> io::Result<Self> {
        let unfinished = dir.join(UNFINISHED);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o640);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&unfinished)?;
        file.write_all_at(&header.encode(), 0)?;
        let path = segments::path(dir, header.first);
        let mut segment = Self::over(file, path, header);
        segment.bytes = HEADER as u64;
        Ok(segment)
    }

    /// Gives a segment that was begun its name, in place of a file that has it.
    pub(super) fn publish(&self) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        fs::rename(dir.join(UNFINISHED), &self.path)?;
        File::open(dir)?.sync_all()
    }

    /// Goes on with a segment that is there.
    pub(super) fn go_on(dir: &Path, summary: &Summary) -> io::Result<Self> {
        let path = segments::path(dir, summary.header.first);
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path)?;
        file.set_len(summary.bytes)?;
        let mut segment = Self::over(file, path, summary.header);
        (segment.bytes, segment.counts) = (summary.bytes, summary.counts);
        (segment.next, segment.last_time) = (summary.next, summary.last_time);
        Ok(segment)
    }

    fn over(file: File, path: PathBuf, header: Header) -> Self {
        Self {
            file,
            path,
            header,
            seed: header.seed(),
            bytes: 0,
            counts: Counts::default(),
            next: header.first,
            last_time: header.created,
            buffer: Vec::new(),
            torn: false,
        }
    }

    /// Appends records with one call; returns how many are whole, and why not all are. Of one that is not, nothing stays.
    pub(super) fn append<'a>(
        &mut self,
        entries: impl Iterator<Item = Entry<'a>> + Clone,
    ) -> (usize, Option<io::Error>) {
        self.buffer.clear();
        for Entry { class, index, time, line } in entries.clone() {
            frame::append(&mut self.buffer, self.seed, class, index, time, line);
        }
        let (written, error) = self.write();
        // A rare long line must not cost memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
        let (mut done, mut end) = (0, 0);
        for Entry { class, index, time, line } in entries {
            end += frame::FRAME + line.len();
            if end > written {
                break;
            }
            done += 1;
            self.bytes += (frame::FRAME + line.len()) as u64;
            self.counts.add(class);
            (self.next, self.last_time) = (index + 1, time);
        }
        if error.is_some() {
            self.give_back();
        }
        (done, error)
    }

    /// Appends that it is closed in order. `followed`: another one is begun behind it.
    pub(super) fn end(&mut self, followed: bool) -> io::Result<()> {
        self.buffer.clear();
        let (next, time) = (self.next, self.last_time);
        frame::append_end(&mut self.buffer, self.seed, followed, next, time, self.counts);
        let (written, error) = self.write();
        match error {
            None => self.bytes += written as u64,
            Some(_) => self.give_back(),
        }
        error.map_or(Ok(()), Err)
    }

    /// Makes it as short as it was.
    pub(super) fn shorten(&self, before: &Summary) {
        // What then still stands behind its end are whole records, or a torn one, which `recover` removes.
        let _ = self.file.set_len(before.bytes);
    }

    /// Puts all that was written on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// What it holds, and how it ends.
    pub(super) const fn summary(&self, end: Tail) -> Summary {
        Summary {
            header: self.header,
            bytes: self.bytes,
            counts: self.counts,
            next: self.next,
            last_time: self.last_time,
            end,
        }
    }

    /// Whether its file still has its name.
    pub(super) fn is_there(&self) -> bool {
        let (Ok(open), Ok(there)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (there.dev(), there.ino())
    }

    fn write(&mut self) -> (usize, Option<io::Error>) {
        if self.torn
            && let Err(error) = self.file.set_len(self.bytes)
        {
            return (0, Some(error));
        }
        self.torn = false;
        let mut written = 0;
        while written < self.buffer.len() {
            match self.file.write_at(&self.buffer[written..], self.bytes + written as u64) {
                Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
                Ok(n) => written += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (written, Some(error)),
            }
        }
        (written, None)
    }

    /// Removes what is behind the last whole frame; if that fails, before the next one is written.
    fn give_back(&mut self) {
        self.torn = self.file.set_len(self.bytes).is_err();
    }
}
