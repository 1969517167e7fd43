//! Dialogues written from the protocols' documents: what the captures do not have. Every string is made up.

use super::*;
use Part::{C, ClientHello as Hello, S, ServerHello as Answer};
use PostureState::{
    EncryptedOther, Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unknown, Unrecognised,
    WeakTls,
};

/// One piece of a dialogue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// From the client.
    C(&'static [u8]),
    /// From the server.
    S(&'static [u8]),
    /// The client's first bytes of TLS 1.3.
    ClientHello,
    /// The server's.
    ServerHello,
}

/// A dialogue and what is to be read: the declared service, the parts, the state, part of the evidence.
pub(super) type Written = (Option<&'static str>, &'static [Part], PostureState, &'static str);

const GREETING: &[u8] =
    b"\x2c\0\0\0\x0a8.0.36\0\x01\0\0\0abcdefgh\0\xff\xff\x21\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0abcd\0";
pub(super) const ASK: &[u8] = b"\x12\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x01";
const ASK_OFF: &[u8] = b"\x12\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x00";
pub(super) const ON: &[u8] = b"\x04\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x01";
const OFF: &[u8] = b"\x04\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x00";
const UNSUPPORTED: &[u8] = b"\x04\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x02";
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x05\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const ROOT: &[u8] = b"\x30\x25\x02\x01\x04\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00";
const DONE: &[u8] = b"\x30\x0c\x02\x01\x04\x65\x07\x0a\x01\0\x04\0\x04\0";
const XMPP: &[u8] =
    b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client' version='1.0'>";
const FEATURES: &[u8] = b"<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
const STARTTLS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const SSL2: &[u8] = b"\x80\x1c\x01\0\x02\0\x03\0\0\0\x10\x07\0\xc00123456789abcdef";

/// Every dialogue, by kind.
#[rustfmt::skip]
pub(super) const WRITTEN: &[Written] = &[
    // Databases that upgrade in band.
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\x02\x10\x60token"), S(b"\0\0\0\x80\x60token")], EncryptedOther, "GSSENCRequest accepted, GSSAPI packets by both"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\x02\x10\x60token"), S(b"\0\0\0\x80\xa1token")], EncryptedOther, "GSSAPI packets by both"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\x02\x10\x60token")], Unknown, "the answer to a GSSAPI packet was not seen"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\x02\x10\x60token"), S(b"R\0\0\0\x08")], Unknown, "was not answered by one"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0")], Plaintext, "GSSENCRequest accepted by the server, the client went on in plaintext"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\0\x08\x04\xd2\x16\x2f")], Plaintext, "GSSENCRequest accepted by the server, the client went on in plaintext"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G"), C(b"\0\0\x02\x10token"), S(b"\0\0\0\x80\x60token")], Plaintext, "GSSENCRequest accepted by the server, the client went on in plaintext"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"G")], Unknown, "no GSSAPI packet"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"N"), C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S"), Hello, Answer], StarttlsUpgraded, "SSLRequest accepted, then ServerHello: TLS 1.3"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x30"), S(b"N"), C(b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0")], StarttlsRefused, "GSSENCRequest refused by the server, the client went on"),
    (None, &[C(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x34\x56\x78\x9a\xbc")], Plaintext, "CancelRequest"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S"), C(b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0")], Plaintext, "SSLRequest accepted by the server, the client went on in plaintext"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"EFATAL")], StarttlsRefused, "SSLRequest refused"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x2f")], Unknown, "the answer was not seen"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x2f"), Hello], StarttlsUpgraded, "SSLRequest, then TLS ClientHello"),
    (None, &[S(GREETING), C(b"\x20\0\0\x01\x8d\xae\xff\x01\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), Hello, Answer], StarttlsUpgraded, "MySQL CLIENT_SSL, then ServerHello"),
    (None, &[S(GREETING), C(b"\x20\0\0\x01\x8d\xa6\xff\x01\0\0\0\x01\xff\0\0\0")], Plaintext, "without CLIENT_SSL, which the server offers"),
    (None, &[S(GREETING), C(b"\x2c\0\0\x01\x8d\xae\xff\x01\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0someone\0\0\0\0\0"), Hello, Answer], Plaintext, "with CLIENT_SSL, sent before TLS"),
    (Some("mysql"), &[S(b"\x10\0\0\0\xff\x10\x04Too many")], Unknown, "refused the connection"),
    (Some("mysql"), &[S(GREETING)], Unknown, "the client's reply to the greeting was not seen"),
    (Some("mysql"), &[C(b"\x01\0\0\0\x01"), S(b"\x05\0\0\0\x0b\x08\x05\x1a\0\x02\0\0\0\x02\x0a"), C(b"\x0f\0\0\0\x02\x0a\x0c\x0a\x0a\x0a\x03tls\x12\x03\x01\x02\x03"), S(b"\x01\0\0\0\0"), Hello, Answer], StarttlsUpgraded, "MySQL X Protocol tls capability, then"),
    (None, &[C(b"\x0f\0\0\0\x02\x0a\x0c\x0a\x0a\x0a\x03tls\x12\x03\x01\x02\x03"), S(b"\x02\0\0\0\x01\x08")], StarttlsRefused, "MySQL X Protocol tls capability refused"),
    (None, &[C(b"\x12\0\0\0\x04\x0a\x07MYSQL41\x12\x04user")], Plaintext, "X Protocol authentication"),
    // Sql server settles encryption in prelogin.
    (Some("mssql"), &[C(ASK), S(UNSUPPORTED)], StarttlsRefused, "TDS PRELOGIN encryption refused"),
    (Some("mssql"), &[C(ASK_OFF), S(OFF)], Plaintext, "only the login is encrypted"),
    (None, &[C(ASK_OFF), S(UNSUPPORTED)], Plaintext, "not supported by the server"),
    (None, &[C(ASK), S(ON)], Unknown, "the TLS handshake was not seen"),
    // Mail and files.
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 SIZE\r\n"), C(b"MAIL FROM:<a@example.org>\r\n")], Plaintext, "SMTP MAIL without STARTTLS"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n"), S(b"250 mx\r\n"), C(b"STARTTLS\r\n"), S(b"454 4.7.0 no\r\n")], StarttlsRefused, "SMTP STARTTLS refused by the server"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n"), S(b"250 mx\r\n"), C(b"STARTTLS\r\n"), S(b"454 no\r\n"), C(b"AUTH PLAIN AGEAYg==\r\n")], StarttlsRefused, "the client went on in plaintext"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n"), S(b"250 mx\r\n"), C(b"STARTTLS\r\n"), S(b"220 go\r\n"), C(b"MAIL FROM:<a@b>\r\n")], Plaintext, "accepted by the server, the client went on in plaintext"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\nSTARTTLS\r\n"), Hello], StarttlsUpgraded, "SMTP STARTTLS, then TLS ClientHello"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n")], Unknown, "neither STARTTLS nor a command with data"),
    (None, &[S(b"220 mx\r\n"), C(b"PROXY TCP4 192.0.2.1 192.0.2.2 5 25\r\nEHLO a\r\n"), S(b"250 mx\r\n"), C(b"STARTTLS\r\n"), S(b"220 go\r\n"), Hello, Answer], StarttlsUpgraded, "SMTP STARTTLS, then ServerHello"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a1 LOGIN someone secret\r\n")], Plaintext, "IMAP LOGIN without STARTTLS"),
    (None, &[S(b"* OK ready\r\n"), C(b"a1 STARTTLS\r\n"), S(b"a1 NO\r\n"), C(b"a2 AUTHENTICATE PLAIN\r\n")], StarttlsRefused, "IMAP STARTTLS refused by the server, the client"),
    (None, &[S(b"+OK\r\n"), C(b"CAPA\r\n"), S(b"+OK\r\nSTLS\r\n.\r\n"), C(b"USER someone\r\n")], Plaintext, "POP3 USER without STLS"),
    (None, &[S(b"+OK\r\n"), C(b"CAPA\r\n"), S(b"+OK\r\nSTLS\r\n.\r\n"), C(b"STLS\r\n"), S(b"+OK\r\n"), Hello, Answer], StarttlsUpgraded, "POP3 STLS, then ServerHello"),
    (None, &[S(b"220 ftp\r\n"), C(b"USER anonymous\r\n")], Plaintext, "FTP USER without AUTH TLS"),
    (None, &[S(b"220 ftp\r\n"), C(b"AUTH TLS\r\n"), S(b"502 no\r\n"), C(b"USER a\r\n")], StarttlsRefused, "FTP AUTH TLS refused by the server, the client went on"),
    (None, &[S(b"220 ftp\r\n"), C(b"AUTH GSSAPI\r\n")], Unknown, "neither AUTH TLS nor a command with data"),
    // Directories and chat.
    (Some("ldap"), &[C(b"\x30\x1e\x02\x01\x01\x60\x19\x02\x01\x03\x04\x0ccn=a,dc=b,dc\x80\x06secret")], Plaintext, "LDAP simple bind without StartTLS"),
    (None, &[C(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"), S(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0"), C(START_TLS), S(b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\0\x04\0\x04\0"), Hello, Answer], StarttlsUpgraded, "LDAP StartTLS, then ServerHello"),
    (None, &[C(b"\x30\x1a\x02\x01\x04\x77\x15\x80\x0b2.16.840.1.1\x81\x06secret"), C(START_TLS), S(b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\0\x04\0\x04\0"), Hello, Answer], Plaintext, "LDAP extended operation with a value without StartTLS"),
    (None, &[C(b"\x30\x1e\x02\x01\x04\x77\x19\x80\x171.3.6.1.4.1.4203.1.11.3"), C(START_TLS), S(b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\0\x04\0\x04\0"), Hello, Answer], StarttlsUpgraded, "LDAP StartTLS, then ServerHello"),
    (None, &[C(START_TLS), S(b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\x02\x04\0\x04\0")], StarttlsRefused, "LDAP StartTLS refused"),
    (None, &[C(START_TLS), S(b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\x02\x04\0\x04\0"), C(b"\x30\x1e\x02\x01\x06\x60\x19\x02\x01\x03\x04\x0ccn=a,dc=b,dc\x80\x06secret")], StarttlsRefused, "went on in plaintext"),
    (None, &[C(b"\x30\x18\x02\x01\x01\x60\x13\x02\x01\x03\x04\0\xa3\x0c\x04\x0aGSS-SPNEGO")], Unknown, "LDAP SASL bind: it can encrypt"),
    (Some("ldap"), &[C(b"\x30\x26\x02\x01\x01\x60\x21\x02\x01\x03\x04\0\xa3\x1a\x04\x0dSCRAM-SHA-256\x04\x09n,,n=a,r=")], Plaintext, "LDAP SASL bind without StartTLS"),
    (None, &[C(b"\x30\x16\x02\x01\x01\x60\x11\x02\x01\x03\x04\0\xa3\x0a\x04\x08GSSAPI-X")], Unknown, "LDAP SASL bind: it can encrypt"),
    (Some("ldap"), &[C(ROOT), S(DONE)], Unknown, "neither StartTLS nor an operation with data"),
    (Some("ldap"), &[C(b"\x30\x84\0\0\0\x20\x02\x01\x02\x63\x84\0\0\0\x17\x04\x05dc=ab\x0a\x01\x02")], Plaintext, "LDAP search without StartTLS"),
    (Some("xmpp"), &[C(XMPP), S(FEATURES), C(STARTTLS), S(b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")], StarttlsRefused, "XMPP starttls refused"),
    (None, &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGE=</auth>")], Plaintext, "XMPP authentication without starttls"),
    (None, &[C(XMPP), S(FEATURES), C(b"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'><initial-response>biws</initial-response></authenticate>")], Plaintext, "XMPP authentication without starttls"),
    (None, &[C(XMPP), S(FEATURES)], Unknown, "neither starttls nor a stanza"),
    // Queues that upgrade in band.
    (Some("nats"), &[S(b"INFO {\"tls_required\":true} \r\n"), Hello, Answer], StarttlsUpgraded, "NATS INFO, then ServerHello: TLS 1.3"),
    (None, &[S(b"INFO {\"tls_required\":false} \r\n"), C(b"CONNECT {\"user\":\"someone\"}\r\n")], Plaintext, "NATS CONNECT in plaintext"),
    (Some("amqp"), &[C(b"AMQP\x02\x01\0\0"), S(b"AMQP\x02\x01\0\0"), Hello, Answer], StarttlsUpgraded, "AMQP TLS header, then ServerHello"),
    (Some("amqp"), &[C(b"AMQP\x02\x01\0\0"), S(b"AMQP\x03\x01\0\0")], StarttlsRefused, "AMQP TLS header refused"),
    (None, &[C(b"AMQP\0\0\x09\x01")], Plaintext, "AMQP 0-9-1 header"),
    (None, &[C(b"AMQP\0\x01\0\0")], Plaintext, "AMQP 1.0 header"),
    // Plain protocols are known by their first bytes.
    (None, &[C(b"GET /customers?name=someone HTTP/1.1\r\n")], Plaintext, "HTTP/1 request"),
    (None, &[C(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")], Plaintext, "HTTP/2 preface"),
    (None, &[C(b"CONNECT db:443 HTTP/1.1\r\n")], Unknown, "HTTP CONNECT"),
    (Some("redis"), &[C(b"PING\r\n")], Plaintext, "Redis command"),
    (Some("redis"), &[C(b"client setname app\r\n")], Plaintext, "Redis command"),
    (Some("redis"), &[C(b"CONFIG GET *\r\n")], Plaintext, "Redis command"),
    (Some("redis"), &[C(b"DEL customer:1\r\n")], Plaintext, "Redis command"),
    (None, &[C(b"*1\r\n$4\r\nPING\r\n")], Plaintext, "Redis command"),
    (None, &[C(b"get key\r\n")], Plaintext, "memcached command"),
    (None, &[C(b"\x80\x1f\0\0\0\0\0\0\0\0\0\x10")], Plaintext, "memcached or Couchbase request"),
    (None, &[C(b"\x3a\x01\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0")], Plaintext, "MongoDB message"),
    (None, &[C(b"\x3a\x01\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0")], Plaintext, "MongoDB message"),
    (None, &[C(b"\x05\0\0\0\x05\0\0\0\0")], Plaintext, "Cassandra frame"),
    (None, &[C(b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0")], Plaintext, "Cassandra frame"),
    (None, &[C(b"ES\0\0\0\x35\0\0\0\0\0\0\0\x01")], Plaintext, "Elasticsearch transport"),
    (None, &[C(b"\0\x11ClickHouse client\x18")], Plaintext, "ClickHouse hello"),
    (None, &[C(b"\x60\x60\xb0\x17\0\x04\x04\x05")], Plaintext, "Bolt handshake"),
    (None, &[C(b"\0\0\0\x23\0\x12\0\x03\0\0\0\x01\0\x07rdkafka")], Plaintext, "Kafka request"),
    (None, &[C(b"\0\0\0\x23\0\x03\0\0\0\0\0\x01\xff\xff\0\0\0\0")], Plaintext, "Kafka request"),
    (Some("kafka"), &[C(b"\0\0\0\x23\0\x01\0\x0b\0\0\0\x01\0\x07rdkafka")], Plaintext, "Kafka request"),
    (None, &[C(b"\x10\x1a\0\x04MQTT\x04\x02\0\x3c")], Plaintext, "MQTT CONNECT"),
    (None, &[C(b"CONNECT\nlogin:someone\n")], Plaintext, "STOMP frame"),
    (None, &[C(b"\0\0\x01\x46\x01ActiveMQ\0\0\0\x0c")], Plaintext, "OpenWire"),
    (None, &[C(b"\0\0\0\x20\0\0\0\x1c\x08\x02\x12\x18")], Plaintext, "Pulsar CONNECT"),
    (None, &[C(b"\0\x6a\xd0\x41\0\x01\0\x64\x10\x41")], Unknown, "how the client authenticates was not seen"),
    (None, &[C(b"\x01\0\0\0\0\xcd\0\x01\0\0")], Plaintext, "DICOM"),
    (None, &[C(b"\x0bMSH|^~\\&|")], Plaintext, "HL7"),
    (None, &[C(b"\0\xf4\0\0\x01\0\0\0\x01\x3e\x01\x2c\0")], Unknown, "Oracle's own encryption"),
    (None, &[C(b"\0\0\0\x01\0\0\0\x13\0\0\0\x03")], Unknown, "Firebird"),
    (None, &[S(b"SSH-2.0-OpenSSH_9.2\r\n"), C(b"SSH-2.0-OpenSSH_9.2\r\n\0\0\x05\xdc\x07\x14"), S(b"\0\0\x04\x34\x0a\x14")], EncryptedOther, "SSH 2.0 key exchange by both sides"),
    (None, &[S(b"SSH-2.0-OpenSSH_9.2\r\n"), C(b"SSH-2.0-OpenSSH_9.2\r\n")], Unknown, "the key exchange was not seen"),
    (None, &[C(b"SSH-2.0-OpenSSH_9.2\r\n")], Unknown, "only one side"),
    (None, &[C(b"SSH-2.0-OpenSSH_9.2\r\n"), S(b"HTTP/1.1 400 Bad\r\n")], Plaintext, "readable text, neither TLS nor a known protocol"),
    // What is not known is unknown with its reason.
    (None, &[], Unknown, "no payload was captured"),
    (Some("postgresql"), &[C(b"\x99\x98\x97\x96\x95")], Unrecognised, "neither TLS nor postgresql nor another known protocol"),
    (None, &[C(b"\x99\x98\x97\x96\x95")], Unrecognised, "neither TLS nor a known protocol"),
    (None, &[S(b"\x99\x98\x97\x96\x95")], Unknown, "nothing of the client was seen"),
    (None, &[Hello, S(b"HTTP/1.1 400 Bad Request\r\n")], Unrecognised, "which the server did not answer with TLS"),
    // Both hellos are needed: a file or a stored value may begin like a server's.
    (None, &[C(b"\x99\x98\x97"), Answer], Unknown, "too few bytes to tell the protocol"),
    (None, &[C(b"\x99\x98\x97"), Hello, Answer], Unrecognised, "neither TLS nor a known protocol"),
    (Some("postgresql"), &[C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S"), Hello, S(b"\x15\x03\x03\0\x02\x02\x28")], Unknown, "SSLRequest accepted, then TLS alert handshake_failure by the server"),
    (None, &[Hello], Unknown, "the server's answer was not seen"),
    (None, &[C(b"\x16")], Unknown, "too few bytes of what may be a TLS ClientHello"),
    // Old versions are weak.
    (None, &[C(SSL2), S(b"\x84\x0b\x04\0\x01\0\x02\x03\xe8\0\x03\0\x10")], WeakTls, "ServerHello: SSL 2, an outdated version"),
    (None, &[C(SSL2), Answer], Unrecognised, "TLS_AES_256_GCM_SHA384, but with a version that the client did not offer"),
    (None, &[C(b"\x80\x1c\x01\x03\x03\0\x03\0\0\0\x10\0\0\x2f0123456789abcdef"), S(b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\0\x2f\0")], Tls12, "ServerHello: TLS 1.2"),
    (None, &[C(SSL2)], Unknown, "SSL 2 ClientHello"),
    (None, &[S(b"\x16\x03\0\0\x2a\x02\0\0\x26\x03\x000123456789abcdef0123456789abcdef\0\0\x0a\0")], WeakTls, "SSL 3 with TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (None, &[S(b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\0\x05\0")], WeakTls, "TLS_RSA_WITH_RC4_128_SHA, a weak cipher suite"),
    (None, &[S(b"\x16\x03\x03\0\x32\x02\0\0\x2e\x03\x030123456789abcdef0123456789abcdef\0\xc0\xb4\0\0\x06\0\x2b\0\x02\x03\x04")], Plaintext, "TLS_SHA256_SHA256, which does not encrypt"),
    (None, &[S(b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\0\x83\0")], Plaintext, "TLS_GOSTR341001_WITH_NULL_GOSTR3411, which does not encrypt"),
    // A suite that nobody registered may be one without encryption.
    (None, &[S(b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\xff\xfe\0")], Unknown, "TLS 1.2 with 0xFFFE; this cipher suite is not known"),
    (None, &[C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\xff\xfe\0")], Unknown, "SSLRequest accepted, then ServerHello: TLS 1.2 with 0xFFFE; this"),
    (None, &[S(b"\x16\x03\x01\0\x2a\x02\0\0\x26\x03\x010123456789abcdef0123456789abcdef\0\xff\xfe\0")], WeakTls, "TLS 1.0 with 0xFFFE, an outdated version"),
    (None, &[S(b"\x16\x03\x03\0\x32\x02\0\0\x2e\x03\x030123456789abcdef0123456789abcdef\0\xff\xfe\0\0\x06\0\x2b\0\x02\x03\x04")], Tls13, "TLS 1.3 with 0xFFFE"),
];
