//! Whose word something is: who can have written it.

use rustix::fs::Stat;

/// Mode bits: the group or everybody may write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bit of a directory: only the owner of an entry, or of the directory, removes or replaces it.
const STICKY: u32 = 0o1000;

/// The user who, beside root, can have written something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u32);

impl Word {
    /// Nobody but root can.
    pub(super) const ROOT: Self = Self(0);

    /// More than one other can.
    pub(super) const ANYBODY: Self = Self(u32::MAX);

    /// Root and this user can.
    pub(super) const fn of(uid: u32) -> Self {
        Self(uid)
    }

    /// Of the file or directory that this is about, and of what it lies in.
    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (0, uid) | (uid, 0) => Self(uid),
            (one, two) if one == two => self,
            _ => Self::ANYBODY,
        }
    }

    /// 0 if only root can, [`u32::MAX`] if more than one other can.
    pub(super) const fn uid(self) -> u32 {
        self.0
    }
}

/// Who can write to a file, or make entries of a directory be others.
pub(super) fn of_entry(stat: &Stat) -> Word {
    let sticky = is_directory(stat) && stat.st_mode & STICKY != 0;
    let others = stat.st_mode & OTHERS_WRITE != 0 && !sticky;
    if others { Word::ANYBODY } else { Word::of(stat.st_uid) }
}

/// Who can have put an entry into a directory: where anybody may add one, a file system that anybody has mounted there
/// shows the owners that it likes.
pub(super) fn of_step(directory: &Stat, entry: &Stat) -> Word {
    let open = directory.st_mode & OTHERS_WRITE != 0;
    if open && directory.st_dev != entry.st_dev { Word::ANYBODY } else { of_entry(entry) }
}

const fn is_directory(stat: &Stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_users_on_the_way_are_anybody() {
        let [root, etl, web] = [0, 5, 6].map(Word::of);
        assert_eq!((root.and(root), root.and(etl), etl.and(root)), (Word::ROOT, etl, etl));
        assert_eq!((etl.and(etl), etl.and(web), Word::ANYBODY.and(etl)), (etl, Word::ANYBODY, Word::ANYBODY));
    }
}
