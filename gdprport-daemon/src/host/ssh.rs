//! The SSH connection that a command is typed into.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use super::pid::parse_stat;

/// How many processes above this one are looked at.
const ABOVE: usize = 32;

/// Bytes of a file of `/proc` that are read: an environment may be large.
const BYTES_MAX: u64 = 1 << 20;

/// Where whoever types comes from, and the port that he called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SshConnection {
    pub(crate) from: IpAddr,
    pub(crate) port: u16,
}

impl SshConnection {
    /// That of this process, or of the ones above it: `sudo` takes the variable away. `None`: nobody came by SSH, as far as is known.
    #[must_use]
    pub(crate) fn current() -> Option<Self> {
        let own = std::env::var("SSH_CONNECTION").ok().and_then(|text| Self::parse(&text));
        own.or_else(|| Self::above(Path::new("/proc"), std::os::unix::process::parent_id()))
    }

    /// `SSH_CONNECTION` (ssh(1)): address and port of the client, then of the server.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let from: IpAddr = words.next()?.split('%').next()?.parse().ok()?;
        let port = words.nth(2)?.trim().parse().ok()?;
        Some(Self { from: from.to_canonical(), port })
    }

    fn above(proc: &Path, first: u32) -> Option<Self> {
        let mut pid = first;
        for _ in 0..ABOVE {
            if pid <= 1 {
                return None;
            }
            let place = proc.join(pid.to_string());
            let found = read(&place.join("environ")).and_then(|environment| {
                let text = String::from_utf8_lossy(&environment);
                Self::parse(text.split('\0').find_map(|line| line.strip_prefix("SSH_CONNECTION="))?)
            });
            if found.is_some() {
                return found;
            }
            pid = parse_stat(&read(&place.join("stat"))?)?.ppid;
        }
        None
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_above_sudo() {
        let proc = tempfile::tempdir().expect("a directory");
        let from = "192.0.2.7".parse().expect("an address");
        for (pid, parent, environ) in [
            (30, 20, "USER=root"),
            (20, 10, "A=b\0SSH_CONNECTION=::ffff:192.0.2.7 50122 192.0.2.1 22\0TERM=x"),
        ] {
            let place = proc.path().join(pid.to_string());
            std::fs::create_dir(&place).expect("a fresh directory");
            std::fs::write(place.join("environ"), environ).expect("written");
            let stat = format!("{pid} (a) b) S {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8912 1");
            std::fs::write(place.join("stat"), stat).expect("written");
        }
        assert_eq!(SshConnection::above(proc.path(), 30), Some(SshConnection { from, port: 22 }));
        assert_eq!(SshConnection::above(proc.path(), 10), None);
        assert_eq!(SshConnection::parse("fe80::1%eth0 1 fe80::2 2222").map(|found| found.port), Some(2222));
        assert_eq!(SshConnection::parse("nonsense"), None);
    }
}
