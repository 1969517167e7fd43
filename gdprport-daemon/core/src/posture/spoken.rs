//! Which protocol was recognized by its bytes: the evidence of a posture names it.

use crate::model::Posture;

/// A protocol that was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spoken {
    /// Its name for people.
    pub name: &'static str,
    /// The service of the catalog that speaks it; `None`: much else does, or the catalog has none.
    pub service: Option<&'static str>,
}

/// Words that evidence begins with, the protocol's name, and the service.
const BEGINNINGS: &[(&str, &str, Option<&str>)] = &[
    ("HTTP", "HTTP", None),
    ("SSLRequest", "PostgreSQL", Some("postgresql")),
    ("GSSENCRequest", "PostgreSQL", Some("postgresql")),
    ("PostgreSQL ", "PostgreSQL", Some("postgresql")),
    ("MySQL ", "MySQL", Some("mysql")),
    ("TDS ", "TDS", Some("mssql")),
    ("Redis ", "Redis", Some("redis")),
    ("memcached ", "memcached", Some("memcached")),
    ("MongoDB ", "MongoDB", Some("mongodb")),
    ("Cassandra ", "Cassandra", Some("cassandra")),
    ("ClickHouse ", "ClickHouse", Some("clickhouse")),
    ("Bolt ", "Bolt", Some("neo4j")),
    ("Db2 ", "Db2", Some("db2")),
    ("Oracle ", "Oracle", Some("oracle")),
    ("Firebird ", "Firebird", Some("firebird")),
    ("LDAP ", "LDAP", Some("ldap")),
    ("SMTP ", "SMTP", Some("smtp")),
    ("IMAP ", "IMAP", Some("imap")),
    ("POP3 ", "POP3", Some("pop3")),
    ("XMPP ", "XMPP", Some("xmpp")),
    ("NATS ", "NATS", Some("nats")),
    ("AMQP ", "AMQP", Some("amqp")),
    ("MQTT ", "MQTT", Some("mqtt")),
    ("Kafka ", "Kafka", Some("kafka")),
    ("Pulsar ", "Pulsar", Some("pulsar")),
    ("STOMP ", "STOMP", Some("stomp")),
    ("OpenWire ", "OpenWire", Some("openwire")),
    ("DICOM ", "DICOM", Some("dicom")),
    ("HL7 ", "HL7", Some("hl7")),
    ("FTP ", "FTP", Some("ftp")),
    ("SMB ", "SMB", Some("smb")),
    ("NFS ", "NFS", Some("nfs")),
    ("rsync ", "rsync", Some("rsync")),
    ("SSH", "SSH", None),
    ("ManageSieve ", "ManageSieve", None),
    ("NNTP ", "NNTP", None),
    ("IRC ", "IRC", None),
    ("VNC ", "VNC", None),
    ("RDP ", "RDP", None),
    ("SIP ", "SIP", None),
    ("syslog ", "syslog", None),
    ("ZooKeeper ", "ZooKeeper", None),
];

/// The protocol whose bytes were seen; `None`: none is known, such as of TLS from the first byte.
#[must_use]
pub fn spoken(posture: &Posture) -> Option<Spoken> {
    let (_, name, service) = BEGINNINGS.iter().find(|(words, ..)| posture.evidence.starts_with(words))?;
    Some(Spoken { name, service: *service })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::posture::{Side, Tracker};

    #[test]
    fn every_service_that_is_spoken_is_in_the_catalog() {
        for (words, _, service) in BEGINNINGS {
            assert!(service.is_none_or(|id| catalog::by_id(id).is_some()), "{words}");
        }
    }

    #[test]
    fn a_protocol_is_named_by_the_first_bytes_of_its_client() {
        for (client, name) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "HTTP"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis"),
            (b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0", "PostgreSQL"),
            (b"\x10\x0e\0\x04MQTT\x04\0\0\x0a\0\x02ab", "MQTT"),
            (b"@RSYNCD: 31.0\n", "rsync"),
            (b"REGISTER sip:example.org SIP/2.0\r\n", "SIP"),
        ] {
            let mut tracker = Tracker::new(None);
            let _ = tracker.segment(Side::Client, 0, client);
            let posture = tracker.conclude();
            assert_eq!(spoken(&posture).map(|spoken| spoken.name), Some(name), "{posture:?}");
        }
        assert_eq!(spoken(&Posture::unknown("no payload was captured")), None);
    }
}
