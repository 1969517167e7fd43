//! What a service is by the catalog: by the name of its executable, and by its port.
//!
//! Belongs here: the decision. Whether the name is only a claim is not decided here (`found`).

use super::listener::{Recognised, Service};
use crate::catalog;
use crate::ledger::Identity;

/// What listens on this port, held by this process.
///
/// An executable of the catalog that is one service and nothing else comes before the port: PostgreSQL on the port of MySQL is
/// PostgreSQL. Where it serves several (LDAP and LDAPS), the port says which, or else it is the first. A runtime, such as
/// `java`, and any other executable leave what the port says. Arguments are never read: what a virtual machine runs is not
/// known.
#[must_use]
pub fn recognise(port: u16, holder: &Identity) -> Service {
    let by_port = catalog::by_port(port);
    let exe = holder.exe.as_deref().map_or("", file_name);
    let mut by_executable = catalog::by_executable(exe).peekable();
    let first = by_executable.peek().copied();
    let both = by_port.filter(|service| by_executable.any(|other| other == *service));
    match (both, first, by_port) {
        (Some(service), ..) => of(service, &[Recognised::Executable, Recognised::Port]),
        (None, Some(service), _) => of(service, &[Recognised::Executable]),
        (None, None, Some(service)) => of(service, &[Recognised::Port]),
        (None, None, None) => Service::default(),
    }
}

/// What is called on this port elsewhere: only its number says so.
#[must_use]
pub fn recognise_remote(port: u16) -> Service {
    catalog::by_port(port).map_or_else(Service::default, |service| of(service, &[Recognised::Port]))
}

/// A service of the catalog that was recognized by these.
pub(super) fn of(service: &catalog::Service, by: &[Recognised]) -> Service {
    Service {
        id: Some(service.id.into()),
        name: Some(service.name.into()),
        by: by.to_vec(),
        why: Some(service.why.into()),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(port: u16, exe: &str) -> (Option<String>, Vec<Recognised>) {
        let holder = Identity { exe: (!exe.is_empty()).then(|| exe.into()), ..Identity::UNKNOWN };
        let service = recognise(port, &holder);
        (service.id.map(|id| id.to_string()), service.by)
    }

    #[test]
    fn a_service_is_recognized_by_executable_and_by_port() {
        use Recognised::{Executable, Port};
        for (port, exe, id, by) in [
            (5432, "/usr/lib/postgresql/15/bin/postgres", "postgresql", &[Executable, Port][..]),
            (5433, "/usr/lib/postgresql/15/bin/postgres", "postgresql", &[Executable]),
            (3306, "/usr/lib/postgresql/15/bin/postgres", "postgresql", &[Executable]),
            (6379, "/opt/cache/bin/fastkv", "redis", &[Port]),
            (6379, "", "redis", &[Port]),
            (9200, "/usr/lib/jvm/java-17/bin/java", "elasticsearch", &[Port]),
            (1389, "/usr/sbin/slapd", "ldap", &[Executable]),
            (636, "/usr/sbin/slapd", "ldaps", &[Executable, Port]),
            (11210, "/opt/couchbase/bin/memcached", "memcached", &[Executable]),
            (5432, "/usr/sbin/haproxy", "postgresql", &[Port]),
        ] {
            assert_eq!(on(port, exe), (Some(id.to_owned()), by.to_vec()), "{port} {exe}");
        }
    }

    #[test]
    fn a_runtime_on_a_port_of_its_own_is_not_recognized() {
        for exe in
            ["/usr/bin/java", "/usr/lib/erlang/erts-13/bin/beam.smp", "/usr/bin/python3.11", "/srv/app", ""]
        {
            assert_eq!(on(8090, exe), (None, Vec::new()), "{exe}");
        }
        assert_eq!(on(443, "/usr/sbin/nginx"), (None, Vec::new()));
    }

    #[test]
    fn what_is_elsewhere_is_known_by_its_port_only() {
        assert_eq!(recognise_remote(3306).by, [Recognised::Port]);
        assert_eq!(recognise_remote(8090), Service::default());
    }
}
