//! Looking services up: by identifier, port and executable.

use super::service::Service;
use super::services::SERVICES;

/// The service with this identifier. O(log n).
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Service> {
    SERVICES.binary_search_by(|service| service.id.cmp(id)).ok().map(|index| &SERVICES[index])
}

/// The service that listens on this port by default. Linear in the catalog: for load time, not per event.
#[must_use]
pub fn by_port(port: u16) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.ports.contains(&port))
}

/// The services that an executable of this file name is, ascending by identifier; none for a runtime. A version at its end
/// does not matter: `redis-server-7.2` and `postgres15` are what they are without. Linear in the catalog.
pub fn by_executable(file_name: &str) -> impl Iterator<Item = &'static Service> {
    let bare = without_version(file_name);
    SERVICES.iter().filter(move |service| {
        service.executables.iter().any(|executable| [file_name, bare].contains(executable))
    })
}

/// A file name without the version that some packages add: digits and dots, after a `-` or `_` or nothing.
fn without_version(file_name: &str) -> &str {
    let end = file_name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if end.len() == file_name.len() { file_name } else { end.trim_end_matches(['-', '_']) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn identifiers_are_sorted_unique_and_lower_case() {
        assert!(
            SERVICES.is_sorted_by(|a, b| a.id < b.id),
            "binary search needs ascending, unique identifiers"
        );
        for service in SERVICES {
            assert!(
                service.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                "{}",
                service.id
            );
            assert_eq!(by_id(service.id), Some(service));
        }
        assert_eq!(by_id("http"), None);
    }

    #[test]
    fn a_port_belongs_to_one_service_only() {
        let mut owner = HashMap::new();
        for service in SERVICES {
            assert!(!service.ports.is_empty(), "{} has no port", service.id);
            assert!(service.ports.is_sorted_by(|a, b| a < b), "{} ports ascend", service.id);
            for port in service.ports {
                assert_eq!(owner.insert(port, service.id), None, "port {port} is claimed twice");
                assert_eq!(by_port(*port), Some(service));
            }
        }
    }

    #[test]
    fn every_service_has_a_name_a_reason_and_an_executable() {
        for service in SERVICES {
            let Service { id, name, executables, runtimes, why, .. } = service;
            assert!(!name.is_empty() && why.ends_with('.') && why.len() <= 72, "{id}: {why}");
            assert!(!executables.is_empty() || !runtimes.is_empty(), "{id}");
            assert!(executables.iter().chain(*runtimes).all(|exe| !exe.contains('/')), "{id}");
        }
    }

    fn known(file_name: &str) -> Vec<&'static str> {
        by_executable(file_name).map(|service| service.id).collect()
    }

    #[test]
    fn an_executable_that_serves_much_else_identifies_nothing() {
        for service in SERVICES {
            for executable in service.executables {
                assert!(known(executable).contains(&service.id), "{executable}");
            }
            let alone = |runtime: &&str| known(runtime).contains(&service.id);
            assert!(!service.runtimes.iter().any(alone), "{}: {:?}", service.id, service.runtimes);
        }
        for runtime in ["java", "beam.smp", "master", "python3", "node", "docker-proxy", "sshd", ""] {
            assert_eq!(known(runtime), Vec::<&str>::new(), "{runtime}");
        }
    }

    #[test]
    fn a_version_in_a_file_name_does_not_matter() {
        for name in ["redis-server", "redis-server-7", "redis-server-7.2.4", "redis-server7", "keydb-server"]
        {
            assert_eq!(known(name), ["redis"], "{name}");
        }
        assert_eq!(known("postgres15"), ["postgresql"]);
        assert_eq!(known("redis-check-rdb"), ["redis"], "what Debian links redis-server to");
        assert_eq!(known("slapd"), ["ldap", "ldaps"]);
        assert_eq!(known("exim4"), ["smtp", "smtps", "submission"], "its own number is no version");
        for other in ["redis-server-x", "my-postgres", "postgres_exporter", "mysqld_exporter-1.0", "15", "-"]
        {
            assert_eq!(known(other), Vec::<&str>::new(), "{other}");
        }
    }

    #[test]
    fn ports_that_everybody_uses_are_left_out() {
        for port in [22, 80, 443, 3000, 5000, 8000, 8080, 8443, 9000] {
            assert_eq!(by_port(port), None, "port {port}");
        }
    }

    /// The end-to-end tests take their ports from here (`tests/src/ports.rs`): a number must mean nothing by itself.
    #[test]
    fn no_service_has_a_port_of_the_tests() {
        let taken =
            SERVICES.iter().flat_map(|service| service.ports).find(|port| (12_000..27_000).contains(*port));
        assert_eq!(taken, None);
    }
}
