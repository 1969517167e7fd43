//! Every protocol that is known by its first bytes: one row each.
//!
//! A new one is one file (or one function in its family's file) and one row. Rows are asked in this order; no two may
//! recognise the same bytes, so that the order decides nothing but which is asked first.

use super::protocols::{
    amqp, db2, files, ftp, http, ldap, mail, mssql, mysql, nats, news, other, postgresql, queue, remote,
    sieve, smb, store, xmpp,
};
use super::reading::{Dialogue, Reading};
use super::upgrade;
use crate::catalog;

pub(super) struct Row {
    /// The services of the catalog that speak it, by identifier; empty if it is no service of the catalog.
    pub services: &'static [&'static str],
    reader: RowReader,
}

/// How a protocol is read.
enum RowReader {
    /// It can be upgraded, or both sides are needed to know it.
    Dialogue(fn(&Dialogue<'_>) -> Reading),
    /// The client's first bytes are enough, and then it is plaintext: whether they match, and the protocol's name.
    Plain(fn(&[u8], bool) -> Option<bool>, &'static str),
    /// The client's first bytes are enough, but do not show whether it is encrypted: whether they match, and why not.
    Opaque(fn(&[u8], bool) -> Option<bool>, &'static str),
}

impl Row {
    /// Asks this protocol's parser.
    pub(super) fn read(&self, dialogue: &Dialogue<'_>) -> Reading {
        let (matches, name) = match self.reader {
            RowReader::Dialogue(read) => return read(dialogue),
            RowReader::Plain(matches, name) | RowReader::Opaque(matches, name) => (matches, name),
        };
        match (matches(dialogue.client, dialogue.declared), &self.reader) {
            (Some(false), _) => Reading::Foreign,
            (None, _) => Reading::open("too few bytes of the client to tell the protocol"),
            (Some(true), RowReader::Opaque(..)) => Reading::Never(name.into()),
            (Some(true), _) => upgrade::plaintext(format!("{name} without TLS")),
        }
    }

    /// Whether a service with this identifier speaks the protocol.
    pub(super) fn serves(&self, service: &str) -> bool {
        self.services.contains(&service)
    }
}

const fn dialogue(services: &'static [&'static str], read: fn(&Dialogue<'_>) -> Reading) -> Row {
    Row { services, reader: RowReader::Dialogue(read) }
}

const fn plain(
    services: &'static [&'static str],
    matches: fn(&[u8], bool) -> Option<bool>,
    name: &'static str,
) -> Row {
    Row { services, reader: RowReader::Plain(matches, name) }
}

const fn opaque(
    services: &'static [&'static str],
    matches: fn(&[u8], bool) -> Option<bool>,
    why: &'static str,
) -> Row {
    Row { services, reader: RowReader::Opaque(matches, why) }
}

/// Web services, and databases that are used through HTTP.
const WEB: &[&str] = &["clickhouse", "couchdb", "elasticsearch", "influxdb", "solr"];

pub(super) const ROWS: &[Row] = &[
    dialogue(&["postgresql"], postgresql::read),
    dialogue(&["mysql"], mysql::read),
    dialogue(&["mssql"], mssql::read),
    dialogue(&["smtp", "smtps", "submission"], mail::smtp),
    dialogue(&["imap", "imaps"], mail::imap),
    dialogue(&["pop3", "pop3s"], mail::pop3),
    dialogue(&["ldap", "ldaps"], ldap::read),
    dialogue(&["ftp", "ftps"], ftp::read),
    dialogue(&[], sieve::read),
    dialogue(&[], news::nntp),
    dialogue(&[], news::irc),
    dialogue(&[], remote::vnc),
    dialogue(&[], remote::rdp),
    dialogue(&["smb"], smb::read),
    dialogue(&["xmpp"], xmpp::read),
    dialogue(&["nats"], nats::read),
    dialogue(&["amqp", "amqps"], amqp::read),
    dialogue(&[], other::ssh),
    dialogue(&["db2"], db2::read),
    dialogue(WEB, http::http1),
    plain(WEB, http::preface, "HTTP/2 preface"),
    plain(&["redis"], store::redis, "Redis command"),
    plain(&["memcached"], store::memcached_text, "memcached command"),
    plain(&["couchbase", "memcached"], store::memcached_binary, "memcached or Couchbase request"),
    plain(&["mongodb"], store::mongodb, "MongoDB message"),
    plain(&["cassandra"], store::cassandra, "Cassandra frame"),
    plain(&["elasticsearch"], store::elasticsearch, "Elasticsearch transport message"),
    plain(&["clickhouse"], store::clickhouse, "ClickHouse hello"),
    plain(&["neo4j"], store::bolt, "Bolt handshake"),
    plain(&["kafka"], queue::kafka, "Kafka request"),
    plain(&["mqtt", "mqtts"], queue::mqtt, "MQTT CONNECT"),
    plain(&["stomp"], queue::stomp, "STOMP frame"),
    plain(&["openwire"], queue::openwire, "OpenWire wire format"),
    plain(&["pulsar"], queue::pulsar, "Pulsar CONNECT"),
    plain(&["dicom"], other::dicom, "DICOM association request"),
    plain(&["hl7"], other::hl7, "HL7 message"),
    plain(&["rsync"], files::rsync, "rsync greeting"),
    plain(&[], other::syslog, "syslog message"),
    plain(&[], other::sip, "SIP request"),
    plain(&[], other::zookeeper, "ZooKeeper request"),
    opaque(
        &["oracle"],
        other::oracle,
        "Oracle TNS without TLS: Oracle's own encryption is agreed on later, not read",
    ),
    opaque(
        &["nfs"],
        files::nfs,
        "NFS without TLS from the start: Kerberos or TLS is agreed on call by call, not read",
    ),
    opaque(
        &["firebird"],
        other::firebird,
        "Firebird without TLS: its own encryption is agreed on later, not read",
    ),
];

/// A service of the catalog that a port is declared to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol(&'static str);

impl Protocol {
    /// The service with this identifier in the catalog.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        catalog::by_id(id).map(|service| Self(service.id))
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_catalog_is_known_by_its_bytes() {
        for service in catalog::SERVICES {
            assert!(ROWS.iter().any(|row| row.serves(service.id)), "{} has no row", service.id);
        }
    }

    #[test]
    fn every_service_in_the_table_is_in_the_catalog() {
        for id in ROWS.iter().flat_map(|row| row.services) {
            assert!(catalog::by_id(id).is_some(), "{id}");
        }
    }
}
