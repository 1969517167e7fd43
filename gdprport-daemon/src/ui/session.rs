//! The SSH connection that a command is typed into, and whether a policy would let its user in again.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use gdprport_core::enforce::{Caller, Clock, Fingerprint, Interpreter, expected, lower};
use gdprport_core::policy::{ActivePolicy, DnsNames, Policy};
use jiff::Timestamp;

use super::table::wrap;
use super::tone::Tone;

/// How many processes above this one are looked at.
const ABOVE: usize = 32;

/// Bytes of a process's environment that are read.
const ENVIRONMENT_MAX: u64 = 1 << 20;

/// Where whoever types this comes from, and the port that he called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    from: IpAddr,
    port: u16,
}

impl Session {
    /// That of this process, or of the ones above it: `sudo` takes the variable away. `None`: nobody came by SSH, as far as is known.
    #[must_use]
    pub(super) fn current() -> Option<Self> {
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
                let text = environment.split('\0').find_map(|line| line.strip_prefix("SSH_CONNECTION="))?;
                Self::parse(text)
            });
            if found.is_some() {
                return found;
            }
            // Behind the name, which may have any character, are the state and the parent (proc_pid_stat(5)).
            let stat = read(&place.join("stat"))?;
            pid = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        }
        None
    }

    /// A warning, if the policy would not let another connection from there in, whoever listens; empty if it would.
    #[must_use]
    pub(super) fn warning(&self, policy: Policy, width: usize) -> String {
        if !self.is_denied(policy) {
            return String::new();
        }
        let line = format!(
            "You are here by SSH from {} to port {}, and no rule of this policy lets that in: this connection stays open, but you can open no \
             other. Add a rule with direction = \"in\", or do not close it before you have confirmed",
            self.from, self.port
        );
        wrap(&line, width).iter().map(|line| Tone::Bad.paint(line) + "\n").collect()
    }

    fn is_denied(&self, policy: Policy) -> bool {
        const GENERATION: u32 = 1;
        let known = expected(&policy);
        let active = ActivePolicy::new(Arc::new(policy), DnsNames::default());
        let clock = Clock { now: Timestamp::now(), boot_ns: 1 };
        let Ok((tables, _)) = lower(&active, &known, clock, Fingerprint::new([0, 0]), GENERATION) else {
            return false;
        };
        let mut kernel = Interpreter::default();
        kernel.load(&tables);
        kernel.activate(GENERATION);
        let decided = kernel.arriving(self.port, self.from, Caller::Unknown, 1);
        decided.is_some_and(|decided| decided.denies && !decided.passes)
    }
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(ENVIRONMENT_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use gdprport_core::policy::{Source, compile};

    use super::*;

    fn session() -> Session {
        Session { from: "192.0.2.7".parse().expect("an address"), port: 22 }
    }

    #[test]
    fn it_is_found_above_sudo() {
        let proc = tempfile::tempdir().expect("a directory");
        for (pid, parent, environ) in [
            (30, 20, "USER=root"),
            (20, 10, "A=b\0SSH_CONNECTION=::ffff:192.0.2.7 50122 192.0.2.1 22\0TERM=x"),
        ] {
            let place = proc.path().join(pid.to_string());
            std::fs::create_dir(&place).expect("a fresh directory");
            std::fs::write(place.join("environ"), environ).expect("written");
            std::fs::write(place.join("stat"), format!("{pid} (a) b) S {parent} 1 1")).expect("written");
        }
        assert_eq!(Session::above(proc.path(), 30), Some(session()));
        assert_eq!(Session::above(proc.path(), 10), None);
        assert_eq!(Session::parse("fe80::1%eth0 1 fe80::2 2222").map(|found| found.port), Some(2222));
        assert_eq!(Session::parse("nonsense"), None);
    }

    #[test]
    fn who_cannot_come_back_is_warned() {
        let policy = |mode: &str, peers: &str| {
            let text = format!(
                "version = 1\n[[port]]\nname = \"ssh\"\nport = 22\nmode = \"{mode}\"\n[[port.allow]]\nrole = \"admin\"\n\
                 direction = \"in\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/sbin/sshd\" }}\n"
            );
            compile(&[Source { name: "policy.toml".to_owned(), text }]).expect("a policy")
        };
        let said = session().warning(policy("enforce", "198.51.100.0/24"), 80);
        assert!(said.contains("192.0.2.7 to port 22"), "{said}");
        for (mode, peers) in
            [("enforce", "192.0.2.0/24"), ("warn", "198.51.100.0/24"), ("observe", "198.51.100.0/24")]
        {
            assert_eq!(session().warning(policy(mode, peers), 80), "", "{mode} {peers}");
        }
    }
}
