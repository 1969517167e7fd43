//! The table of services. Ports are those of the IANA service-name registry or, where a project never registered one, the
//! default of its own configuration file.

use super::service::{Service, TlsStart};

const fn service(
    id: &'static str,
    name: &'static str,
    ports: &'static [u16],
    tls: TlsStart,
    why: &'static str,
) -> Service {
    Service { id, name, ports, executables: &[], runtimes: &[], tls, why }
}

impl Service {
    /// Executables that are it and nothing else.
    const fn is(self, executables: &'static [&'static str]) -> Self {
        Self { executables, ..self }
    }

    /// Executables that serve it and much else.
    const fn by(self, runtimes: &'static [&'static str]) -> Self {
        Self { runtimes, ..self }
    }
}

/// Every service, ascending by identifier.
pub const SERVICES: &[Service] = &[
    service(
        "amqp",
        "AMQP",
        &[5672],
        TlsStart::Either,
        "Messages between applications, often about customers.",
    )
    .is(&["qpidd"])
    .by(&["beam.smp", "java"]),
    service(
        "amqps",
        "AMQP over TLS",
        &[5671],
        TlsStart::Direct,
        "Messages between applications, often about customers.",
    )
    .is(&["qpidd"])
    .by(&["beam.smp", "java"]),
    service(
        "cassandra",
        "Apache Cassandra, ScyllaDB",
        &[9042, 9142],
        TlsStart::Direct,
        "A database for large applications with many users.",
    )
    .is(&["scylla"])
    .by(&["java"]),
    service(
        "clickhouse",
        "ClickHouse",
        &[8123, 9440],
        TlsStart::Direct,
        "Analytics, often of what single users did.",
    )
    .is(&["clickhouse", "clickhouse-server"]),
    service(
        "couchbase",
        "Couchbase",
        &[11207, 11210],
        TlsStart::Direct,
        "A database of documents, such as user profiles and sessions.",
    )
    .by(&["memcached"]),
    service(
        "couchdb",
        "Apache CouchDB",
        &[5984, 6984],
        TlsStart::Direct,
        "A database of documents, often synchronized with devices of users.",
    )
    .by(&["beam.smp"]),
    service("db2", "IBM Db2", &[50000, 50001], TlsStart::Direct, "A database of business applications.")
        .is(&["db2sysc"]),
    service(
        "dicom",
        "DICOM (medical images)",
        &[104, 2762, 11112],
        TlsStart::Direct,
        "Medical images with the names of patients.",
    )
    .is(&["storescp", "Orthanc"])
    .by(&["java"]),
    service(
        "elasticsearch",
        "Elasticsearch, OpenSearch",
        &[9200, 9300],
        TlsStart::Direct,
        "A search index of customers, documents or logs.",
    )
    .by(&["java"]),
    service("firebird", "Firebird", &[3050], TlsStart::None, "A database of business applications.")
        .is(&["firebird"]),
    service("ftp", "FTP", &[21], TlsStart::InBand, "Files that people upload and download.").is(&[
        "vsftpd",
        "proftpd",
        "pure-ftpd",
    ]),
    service("ftps", "FTP over TLS", &[990], TlsStart::Direct, "Files that people upload and download.")
        .is(&["vsftpd", "proftpd", "pure-ftpd"]),
    service("hl7", "HL7 over MLLP (health records)", &[2575], TlsStart::Direct, "Records of patients.")
        .by(&["java"]),
    service("imap", "IMAP", &[143], TlsStart::InBand, "Mailboxes.")
        .is(&["imap-login"])
        .by(&["dovecot", "master", "imapd"]),
    service("imaps", "IMAP over TLS", &[993], TlsStart::Direct, "Mailboxes.")
        .is(&["imap-login"])
        .by(&["dovecot", "master", "imapd"]),
    service(
        "influxdb",
        "InfluxDB",
        &[8086],
        TlsStart::Direct,
        "Measurements, often of devices that belong to people.",
    )
    .is(&["influxd"]),
    service(
        "kafka",
        "Apache Kafka",
        &[9092, 9093],
        TlsStart::Direct,
        "Streams of events, often about what users did.",
    )
    .is(&["redpanda"])
    .by(&["java"]),
    service("ldap", "LDAP", &[389, 3268], TlsStart::InBand, "A directory of people and accounts.")
        .is(&["slapd", "ns-slapd"])
        .by(&["samba", "java"]),
    service("ldaps", "LDAP over TLS", &[636, 3269], TlsStart::Direct, "A directory of people and accounts.")
        .is(&["slapd", "ns-slapd"])
        .by(&["samba", "java"]),
    service(
        "memcached",
        "memcached",
        &[11211],
        TlsStart::Direct,
        "A cache of an application, often with the sessions of users.",
    )
    .is(&["memcached"]),
    service(
        "mongodb",
        "MongoDB",
        &[27017, 27018, 27019],
        TlsStart::Direct,
        "A database of documents, such as user profiles.",
    )
    .is(&["mongod", "mongos"]),
    service("mqtt", "MQTT", &[1883], TlsStart::Direct, "Messages of devices, often in homes and vehicles.")
        .is(&["mosquitto"])
        .by(&["beam.smp", "java"]),
    service(
        "mqtts",
        "MQTT over TLS",
        &[8883],
        TlsStart::Direct,
        "Messages of devices, often in homes and vehicles.",
    )
    .is(&["mosquitto"])
    .by(&["beam.smp", "java"]),
    service(
        "mssql",
        "Microsoft SQL Server",
        &[1433],
        TlsStart::Either,
        "A database of business applications.",
    )
    .is(&["sqlservr"]),
    service(
        "mysql",
        "MySQL, MariaDB",
        &[3306, 33060],
        TlsStart::InBand,
        "A database of websites and shops, with their users.",
    )
    .is(&["mysqld", "mysqld-debug", "mariadbd"]),
    service(
        "nats",
        "NATS",
        &[4222, 6222],
        TlsStart::Either,
        "Messages between applications, often about customers.",
    )
    .is(&["nats-server"]),
    service(
        "neo4j",
        "Neo4j (Bolt)",
        &[7687],
        TlsStart::Direct,
        "A database of relations, often between people.",
    )
    .by(&["java"]),
    service("nfs", "NFS", &[2049], TlsStart::InBand, "Home directories and other files that are shared.")
        .is(&["ganesha.nfsd"]),
    service(
        "openwire",
        "Apache ActiveMQ (OpenWire)",
        &[61616, 61617],
        TlsStart::Direct,
        "Messages between applications, often about customers.",
    )
    .by(&["java"]),
    service(
        "oracle",
        "Oracle Database",
        &[1521, 2484],
        TlsStart::Direct,
        "A database of business applications.",
    )
    .is(&["oracle", "tnslsnr"]),
    service("pop3", "POP3", &[110], TlsStart::InBand, "Mailboxes.")
        .is(&["pop3-login"])
        .by(&["dovecot", "master", "pop3d"]),
    service("pop3s", "POP3 over TLS", &[995], TlsStart::Direct, "Mailboxes.")
        .is(&["pop3-login"])
        .by(&["dovecot", "master", "pop3d"]),
    service(
        "postgresql",
        "PostgreSQL",
        &[5432, 6432],
        TlsStart::Either,
        "A database of applications, with their users and customers.",
    )
    .is(&["postgres", "pgbouncer"]),
    service(
        "pulsar",
        "Apache Pulsar",
        &[6650, 6651],
        TlsStart::Direct,
        "Streams of events, often about what users did.",
    )
    .by(&["java"]),
    service(
        "redis",
        "Redis, Valkey",
        &[6379, 6380],
        TlsStart::Direct,
        "A cache or queue of an application, often with sessions of users.",
    )
    // On Debian `redis-server` is a link to the file of its checker, which is all that the kernel shows.
    .is(&[
        "redis-server",
        "redis-check-rdb",
        "valkey-server",
        "valkey-check-rdb",
        "keydb-server",
        "dragonfly",
    ]),
    service("rsync", "rsync", &[873], TlsStart::None, "Copies and backups of files.").is(&["rsync"]),
    service(
        "smb",
        "SMB (shared folders)",
        &[139, 445],
        TlsStart::None,
        "Folders that are shared in an office.",
    )
    .is(&["smbd"]),
    service("smtp", "SMTP", &[25], TlsStart::InBand, "Mail on its way.")
        .is(&["smtpd", "exim4", "exim", "sendmail"])
        .by(&["master"]),
    service("smtps", "Mail submission over TLS", &[465], TlsStart::Direct, "Mail on its way.")
        .is(&["smtpd", "exim4", "exim"])
        .by(&["master"]),
    service("solr", "Apache Solr", &[8983], TlsStart::Direct, "A search index of customers or documents.")
        .by(&["java"]),
    service(
        "stomp",
        "STOMP",
        &[61613, 61614],
        TlsStart::Direct,
        "Messages between applications, often about customers.",
    )
    .by(&["java", "beam.smp"]),
    service("submission", "Mail submission", &[587], TlsStart::InBand, "Mail on its way.")
        .is(&["smtpd", "exim4", "exim", "sendmail"])
        .by(&["master"]),
    service("xmpp", "XMPP", &[5222, 5269], TlsStart::InBand, "Chat messages and contacts.")
        .is(&["prosody"])
        .by(&["beam.smp", "java"]),
];
