//! The built-in catalog: well-known services that usually carry personal data.
//!
//! Belongs here: the table and its two look-ups. What a policy makes of it is `policy`'s. Chosen with care: a
//! port that many unrelated programs use by default (80, 443, 8080, 8443, 9000) would drown the rest and is left
//! out, and so are stores of configuration rather than of people (etcd, Consul). Numbers are those of the IANA
//! service-name registry or, where a project never registered one, the default of its own configuration file.

/// How a service starts TLS on its port, if it does at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsStart {
    /// From the first byte, or never on that connection.
    Direct,
    /// The connection starts in plaintext and asks for the upgrade (STARTTLS, `SSLRequest`, `StartTLS` extension).
    InBand,
    /// Both are in use, so that the first bytes decide.
    Either,
    /// The protocol has no TLS of its own.
    None,
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The identifier used as `protocol` in a policy: lower case, stable.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The TCP ports it listens on by default, ascending, never empty.
    pub ports: &'static [u16],
    /// File names of the executables that usually serve it.
    pub executables: &'static [&'static str],
    /// How it negotiates TLS.
    pub tls: TlsStart,
}

const fn service(
    id: &'static str,
    name: &'static str,
    ports: &'static [u16],
    executables: &'static [&'static str],
    tls: TlsStart,
) -> Service {
    Service { id, name, ports, executables, tls }
}

/// Every service, ascending by identifier.
pub const SERVICES: &[Service] = &[
    service("amqp", "AMQP", &[5672], &["beam.smp", "qpidd", "artemis"], TlsStart::Either),
    service("amqps", "AMQP over TLS", &[5671], &["beam.smp", "qpidd", "artemis"], TlsStart::Direct),
    service("cassandra", "Apache Cassandra, ScyllaDB", &[9042, 9142], &["java", "scylla"], TlsStart::Direct),
    service(
        "clickhouse",
        "ClickHouse",
        &[8123, 9440],
        &["clickhouse", "clickhouse-server"],
        TlsStart::Direct,
    ),
    service("couchbase", "Couchbase", &[11207, 11210], &["memcached"], TlsStart::Direct),
    service("couchdb", "Apache CouchDB", &[5984, 6984], &["beam.smp"], TlsStart::Direct),
    service("db2", "IBM Db2", &[50000, 50001], &["db2sysc"], TlsStart::Direct),
    service(
        "dicom",
        "DICOM (medical images)",
        &[104, 2762, 11112],
        &["storescp", "Orthanc"],
        TlsStart::Direct,
    ),
    service("elasticsearch", "Elasticsearch, OpenSearch", &[9200, 9300], &["java"], TlsStart::Direct),
    service("firebird", "Firebird", &[3050], &["firebird"], TlsStart::None),
    service("hl7", "HL7 over MLLP (health records)", &[2575], &["java", "mirth"], TlsStart::Direct),
    service("imap", "IMAP", &[143], &["dovecot", "imap-login", "imapd"], TlsStart::InBand),
    service("imaps", "IMAP over TLS", &[993], &["dovecot", "imap-login", "imapd"], TlsStart::Direct),
    service("influxdb", "InfluxDB", &[8086], &["influxd"], TlsStart::Direct),
    service("kafka", "Apache Kafka", &[9092, 9093], &["java", "redpanda"], TlsStart::Direct),
    service("ldap", "LDAP", &[389, 3268], &["slapd", "ns-slapd"], TlsStart::InBand),
    service("ldaps", "LDAP over TLS", &[636, 3269], &["slapd", "ns-slapd"], TlsStart::Direct),
    service("memcached", "memcached", &[11211], &["memcached"], TlsStart::Direct),
    service("mongodb", "MongoDB", &[27017, 27018, 27019], &["mongod", "mongos"], TlsStart::Direct),
    service("mqtt", "MQTT", &[1883], &["mosquitto", "beam.smp"], TlsStart::Direct),
    service("mqtts", "MQTT over TLS", &[8883], &["mosquitto", "beam.smp"], TlsStart::Direct),
    service("mssql", "Microsoft SQL Server", &[1433], &["sqlservr"], TlsStart::Either),
    service("mysql", "MySQL, MariaDB", &[3306, 33060], &["mysqld", "mariadbd"], TlsStart::InBand),
    service("nats", "NATS", &[4222, 6222], &["nats-server"], TlsStart::Either),
    service("neo4j", "Neo4j (Bolt)", &[7687], &["java"], TlsStart::Direct),
    service("openwire", "Apache ActiveMQ (OpenWire)", &[61616, 61617], &["java"], TlsStart::Direct),
    service("oracle", "Oracle Database", &[1521, 2484], &["oracle", "tnslsnr"], TlsStart::Direct),
    service("pop3", "POP3", &[110], &["dovecot", "pop3-login", "pop3d"], TlsStart::InBand),
    service("pop3s", "POP3 over TLS", &[995], &["dovecot", "pop3-login", "pop3d"], TlsStart::Direct),
    service("postgresql", "PostgreSQL", &[5432, 6432], &["postgres", "pgbouncer"], TlsStart::Either),
    service("pulsar", "Apache Pulsar", &[6650, 6651], &["java"], TlsStart::Direct),
    service("redis", "Redis, Valkey", &[6379, 6380], &["redis-server", "valkey-server"], TlsStart::Direct),
    service("smtp", "SMTP", &[25], &["master", "smtpd", "exim4", "sendmail"], TlsStart::InBand),
    service("smtps", "Mail submission over TLS", &[465], &["master", "smtpd", "exim4"], TlsStart::Direct),
    service("solr", "Apache Solr", &[8983], &["java"], TlsStart::Direct),
    service("stomp", "STOMP", &[61613, 61614], &["java", "beam.smp"], TlsStart::Direct),
    service("submission", "Mail submission", &[587], &["master", "smtpd", "exim4"], TlsStart::InBand),
    service("xmpp", "XMPP", &[5222, 5269], &["beam.smp", "prosody"], TlsStart::InBand),
];

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
    fn every_service_has_a_name_and_an_executable() {
        for service in SERVICES {
            assert!(!service.name.is_empty() && !service.executables.is_empty(), "{}", service.id);
            assert!(service.executables.iter().all(|exe| !exe.contains('/')), "{}", service.id);
        }
    }

    #[test]
    fn ports_that_everybody_uses_are_left_out() {
        for port in [22, 80, 443, 3000, 5000, 8000, 8080, 8443, 9000] {
            assert_eq!(by_port(port), None, "port {port}");
        }
    }
}
