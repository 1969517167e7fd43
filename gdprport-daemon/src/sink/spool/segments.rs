//! The files of a spool: their names, and which there are.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::frame::{Class, Counts, END, Frame, Header, NoHeader};
use super::walk::{Step, Walk, header};

/// Segments that are looked at. A spool has at most 64 of full size, and one for each hour that it keeps.
const SEGMENTS_MAX: usize = 4_096;

/// Where a segment is. Its name is the index of its first record, so that names sort like indexes.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.spool"))
}

fn first(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".spool")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The first indexes of all segments, in order. Files with other names are somebody else's.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        found.extend(first(&entry?.file_name()));
        if found.len() > SEGMENTS_MAX {
            return Err(io::Error::other(format!("there are more than {SEGMENTS_MAX} segments")));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Opens a segment for reading. Links are not followed, and nothing is waited for.
pub(super) fn open(dir: &Path, first: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let file = options.open(path(dir, first))?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// Opens a segment and reads its header, which has to be the one that its name promises.
pub(super) fn walk(dir: &Path, first: u64) -> io::Result<Result<Walk, NoHeader>> {
    let file = open(dir, first)?;
    Ok(match header(&file)? {
        Ok(header) if header.first == first => Ok(Walk::new(file, header)),
        Ok(_) => Err(NoHeader::Damaged),
        Err(why) => Err(why),
    })
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) header: Header,
    /// Bytes up to the end of its last frame.
    pub(super) bytes: u64,
    pub(super) counts: Counts,
    /// The index behind its last record.
    pub(super) next: u64,
    /// When its last record was appended, ms since 1970; of one without any when it was begun.
    pub(super) last_time: i64,
    /// How it ends.
    pub(super) end: Tail,
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// It was closed in order, with the spool.
    Closed,
    /// It was closed in order, and another one was begun behind it.
    Followed,
    /// Behind a whole frame.
    Open,
    /// Within a frame.
    Torn,
    /// With bytes that are no frame.
    Bad,
}

impl Tail {
    const fn of_end(followed: bool) -> Self {
        if followed { Self::Followed } else { Self::Closed }
    }

    /// Whether it was closed in order.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self, Self::Closed | Self::Followed)
    }
}

impl Summary {
    /// Reads a segment through, from the place of a walk on.
    pub(super) fn go_on(&mut self, walk: &mut Walk) -> io::Result<()> {
        loop {
            match walk.peek()? {
                Step::Frame(frame) => {
                    self.add(&frame);
                    walk.pass(&frame);
                }
                step => {
                    self.end = match step {
                        Step::Torn => Tail::Torn,
                        Step::Bad => Tail::Bad,
                        _ if self.end.is_closed() => self.end,
                        _ => Tail::Open,
                    };
                    self.bytes = walk.at();
                    return Ok(());
                }
            }
        }
    }

    fn add(&mut self, frame: &Frame) {
        self.counts.add(frame.class);
        if frame.class == Class::End {
            self.end = Tail::of_end(frame.followed);
        } else {
            (self.next, self.last_time, self.end) = (frame.index.saturating_add(1), frame.time, Tail::Open);
        }
    }

    /// Of a segment from which nothing was read yet.
    pub(super) const fn begin(header: Header) -> Self {
        Self {
            header,
            bytes: 0,
            counts: Counts { records: 0, ordinary: 0 },
            next: header.first,
            last_time: header.created,
            end: Tail::Open,
        }
    }

    /// What a segment's end says, if it was closed in order; otherwise it is read through.
    pub(super) fn of(walk: &mut Walk) -> io::Result<Self> {
        match Self::by_end(walk)? {
            Some(summary) => Ok(summary),
            None => {
                let mut summary = Self::begin(walk.header);
                summary.go_on(walk)?;
                Ok(summary)
            }
        }
    }

    fn by_end(walk: &Walk) -> io::Result<Option<Self>> {
        use std::os::unix::fs::FileExt as _;
        let length = walk.file().metadata()?.size();
        let Some(at) = length.checked_sub(END as u64) else { return Ok(None) };
        let mut bytes = [0; END];
        match walk.file().read_exact_at(&mut bytes, at) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let header = walk.header;
        let frame = Frame::parse(&bytes, header.seed()).ok().filter(|frame| frame.class == Class::End);
        let counts = Counts::parse(&bytes[END - 16..]);
        Ok(frame.zip(counts).map(|(frame, counts)| Self {
            header,
            bytes: length,
            counts,
            next: frame.index,
            last_time: frame.time,
            end: Tail::of_end(frame.followed),
        }))
    }
}
