//! The archive format of an initial file system (Documentation/driver-api/early-userspace/buffer-format.rst): the
//! part of it that a few plain files need. The kernel unpacks consecutive archives one over the other.

/// An archive under construction.
#[derive(Debug, Default)]
pub(super) struct CpioArchive {
    bytes: Vec<u8>,
    files: u32,
}

impl CpioArchive {
    /// Adds a directory; its parent must have been added.
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, 0o40_755, &[]);
    }

    /// Adds a file that everyone may read and execute.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, 0o100_755, content);
    }

    /// The archive with its trailer.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    /// Header of thirteen numbers of eight hexadecimal digits, the name, the content; each padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.files += 1;
        let size = u32::try_from(content.len()).expect("files of an initial file system are small");
        let name_size = u32::try_from(path.len() + 1).expect("names are short");
        // inode, mode, uid, gid, links, mtime, size, device (major, minor), special (major, minor), name, check.
        let numbers = [self.files, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for number in numbers {
            self.bytes.extend_from_slice(format!("{number:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::CpioArchive;

    #[test]
    fn entries_are_aligned_and_end_with_the_trailer() {
        let mut archive = CpioArchive::default();
        archive.directory("bin");
        archive.file("bin/x", b"12345");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let heads: Vec<usize> =
            (0..bytes.len()).filter(|at| at % 4 == 0 && bytes[*at..].starts_with(b"070701")).collect();
        assert_eq!(heads.len(), 3);
        assert_eq!(&bytes[heads[1] + 14..heads[1] + 22], b"000081ED", "a regular file of mode 755");
        assert_eq!(&bytes[heads[1] + 54..heads[1] + 62], b"00000005");
        assert_eq!(&bytes[heads[2] + 110..heads[2] + 120], b"TRAILER!!!");
    }
}
