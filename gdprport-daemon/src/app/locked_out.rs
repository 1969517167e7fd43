//! Whether whoever puts a policy in force by SSH could come back under it.

use std::net::IpAddr;
use std::sync::Arc;

use gdprport_core::enforce::{Caller, Clock, Fingerprint, Interpreter, expected, lower};
use gdprport_core::policy::{ActivePolicy, DnsNames, Policy, Source, compile};
use jiff::Timestamp;

use crate::host::ssh::SshConnection;

/// The address that this command's SSH connection comes from and the port that it called, if the policy would let no other connection
/// from there in, whoever listens. `policy`: valid files.
#[must_use]
pub(crate) fn locked_out(policy: &[Source]) -> Option<(IpAddr, u16)> {
    let SshConnection { from, port } = SshConnection::current()?;
    is_denied(compile(policy).ok()?, from, port).then_some((from, port))
}

/// By the kernel's own algorithm.
fn is_denied(policy: Policy, from: IpAddr, port: u16) -> bool {
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
    let decided = kernel.arriving(port, from, Caller::Unknown, 1);
    decided.is_some_and(|decided| decided.denies && !decided.passes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_come_back_is_known() {
        let denied = |mode: &str, peers: &str| {
            let text = format!(
                "version = 1\n[[port]]\nname = \"ssh\"\nport = 22\nmode = \"{mode}\"\n[[port.allow]]\nrole = \"admin\"\n\
                 direction = \"in\"\npeers = [\"{peers}\"]\nprocess = {{ exe = \"/usr/sbin/sshd\" }}\n"
            );
            let policy = compile(&[Source { name: "policy.toml".to_owned(), text }]).expect("a policy");
            is_denied(policy, "192.0.2.7".parse().expect("an address"), 22)
        };
        assert!(denied("enforce", "198.51.100.0/24"));
        assert!(!denied("enforce", "192.0.2.0/24"));
        assert!(!denied("warn", "198.51.100.0/24"));
        assert!(!denied("observe", "198.51.100.0/24"));
    }
}
