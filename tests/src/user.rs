//! Users of this host, from `/etc/passwd`.

use crate::skip::Missing;

/// A user of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group's id.
    pub gid: u32,
    /// Primary group's name.
    pub group: String,
}

impl User {
    /// Looks `name` up in `/etc/passwd`.
    ///
    /// # Errors
    /// [`Missing`] when the host has no such user.
    pub fn named(name: &str) -> Result<Self, Missing> {
        let find = |file: &str, matches: &dyn Fn(&[&str]) -> bool| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.lines()
                .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
                .find(|f| f.len() > 3 && matches(&f.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        let missing = || Missing { what: format!("this host has no user {name}") };
        let entry = find("/etc/passwd", &|f| f[0] == name).ok_or_else(missing)?;
        let (uid, gid) = (entry[2].parse().map_err(|_| missing())?, entry[3].parse().map_err(|_| missing())?);
        let group = find("/etc/group", &|f| f[2] == entry[3]).map_or_else(String::new, |f| f[0].clone());
        Ok(Self { name: name.to_owned(), uid, gid, group })
    }

    /// A user that every Debian has and that no server of the tests runs as.
    ///
    /// # Panics
    /// When `/etc/passwd` lacks it.
    #[must_use]
    pub fn games() -> Self {
        Self::named("games").expect("every Debian has the user games")
    }

    /// Another such user.
    ///
    /// # Panics
    /// When `/etc/passwd` lacks it.
    #[must_use]
    pub fn backup() -> Self {
        Self::named("backup").expect("every Debian has the user backup")
    }

    /// The user that owns nothing.
    ///
    /// # Panics
    /// When `/etc/passwd` lacks it.
    #[must_use]
    pub fn nobody() -> Self {
        Self::named("nobody").expect("every Debian has the user nobody")
    }
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: plain system call that cannot fail.
    unsafe { libc::geteuid() == 0 }
}
