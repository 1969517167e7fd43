//! Users by their number, and where their homes are.
//!
//! The file is read before anything else is asked: a directory service may hang, and only a thread of that user's own may
//! wait for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uzers::os::unix::UserExt as _;

use crate::host::configured;

/// The user database that every host has (passwd(5)).
const PASSWD: &str = "/etc/passwd";

/// Bytes that it may have: thirty thousand users.
const PASSWD_MAX: u64 = 4 << 20;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: Arc<str>,
    pub(super) home: PathBuf,
}

/// The user of this number in the file; does not wait.
pub(super) fn in_file(uid: u32) -> Option<User> {
    let bytes = configured::read(Path::new(PASSWD), PASSWD_MAX).ok()?;
    find(&String::from_utf8_lossy(&bytes), uid)
}

/// The user of this number in the file or the host's directory service, which may take any time.
pub(super) fn anywhere(uid: u32) -> Option<User> {
    in_file(uid).or_else(|| {
        let user = uzers::get_user_by_uid(uid)?;
        let name = user.name().to_string_lossy();
        Some(User { name: Arc::from(name), home: user.home_dir().to_owned() })
    })
}

fn find(passwd: &str, uid: u32) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        let home = fields.nth(2)?;
        let found = number.parse() == Ok(uid) && !name.is_empty() && home.starts_with('/');
        found.then(|| User { name: Arc::from(name), home: PathBuf::from(home) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_and_broken_lines_are_none() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nbroken\netl:x:x5:5::/e:\n:x:6:6::/e:\nrel:x:7:7::home:\n\
                      etl:x:5:5:ETL,,,:/home/etl:/bin/sh\n";
        assert_eq!(find(passwd, 5), Some(User { name: "etl".into(), home: "/home/etl".into() }));
        assert_eq!([find(passwd, 6), find(passwd, 7), find(passwd, 8)], [None, None, None]);
        assert_eq!(in_file(0).map(|root| root.name.to_string()), Some("root".to_owned()));
    }
}
