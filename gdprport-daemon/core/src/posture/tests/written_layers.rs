//! Written dialogues of encryption that is agreed on inside a protocol: layers of SASL, TLS by HTTP, Db2's own; and
//! of claims of it that are not kept. Every string is made up.

use super::written::{Part, Written};
use super::*;
use Part::{C, ClientHello as Hello, S, ServerHello as Answer};
use PostureState::{EncryptedOther, Plaintext, StarttlsRefused, StarttlsUpgraded, Unknown};

/// Packets of Kerberos (RFC 4121 §4.2.6.2) that are encrypted, of the client and of the server.
const SEALED: &[u8] = b"\0\0\0,\x05\x04\x02\xff\0\0\0\x1c\0\0\0\0\0\0\0\x01\xd2\xa6\xe5\x8c\x92\x98\xdd\x8e\xb6\x89\x96\xef\xeb\x91\xbd\x97\xec\x8f\x9f\xb9\x8f\xe5\x8c\xb8\x8b\xa2\xca\xeb";
const SEALED_BACK: &[u8] = b"\0\0\0,\x05\x04\x03\xff\0\0\0\x1c\0\0\0\0\0\0\0\x02\xa4\x9e\xce\xae\x9a\xb0\xdf\x98\x90\x8f\xb4\xff\xed\xd0\xf7\xf4\xdc\xcc\xbf\xae\xbe\x94\xcc\xfe\xd7\xf2\xc9\x92";
/// A packet of a layer that does not say what it is.
const OPAQUE: &[u8] = b"\0\0\x000\x9e\xeb\xaa\xd7\xa6\xfd\xeb\x8a\x93\xd0\xd7\xd9\xff\xf4\x91\x97\xc5\xf9\x90\x8f\xcf\xf2\xc8\xe2\xd8\x85\xf6\xda\xab\x9d\xfe\x8f\xb7\xc9\xa1\xbf\xe5\xe4\xff\x94\xaa\xf2\xe6\xc7\xa3\xee\xc7\xea";
/// Packets that protect only integrity: of DIGEST-MD5, of Kerberos, of Kerberos as it was.
const INTEGRITY: &[u8] =
    b"\0\0\0)a2 LOGIN someone secret\r\n\xdb\xe1\xbb\xa6\x95\xad\xa6\xbb\xbb\x83\xfc\xae\xc3\xc8\x81\xa5";
const UNSEALED: &[u8] = b"\0\0\x005\x05\x04\0\xff\0\x0c\0\0\0\0\0\0\0\0\0\x01a2 LOGIN someone secret\r\n\xeb\xde\xd1\xa0\x8d\xf4\xe4\xe5\xe6\xe4\x9a\xfb";
const OLD_UNSEALED: &[u8] = b"\0\0\0)`/\x06\x09*\x86H\x86\xf7\x12\x01\x02\x02\x02\x01\x11\0\xff\xff\xff\xff\xe6\x8f\xb0\x91\xb5\xf0\xa9\x9c\xd7\x8d\x9a\x80\xa6\x99\xdd\x86a\r\n1";
const HTTP_ASK: &[u8] = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2,TLS/1.1,TLS/1.0\r\n\r\n";
const HTTP_YES: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2,HTTP/1.1\r\n\r\n";
const HTTP_426: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nContent-Length: 4\r\n\r\nTLS!";
const XMPP: &[u8] =
    b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client' version='1.0'>";
const FEATURES: &[u8] =
    b"<?xml version='1.0'?><stream:stream id='1'><stream:features><mechanisms/></stream:features>";

/// Every dialogue, by kind.
#[rustfmt::skip]
pub(super) const LAYERED: &[Written] = &[
    // SASL in mail: the mechanism, the client's choice, the server's consent, and what follows.
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), S(b"+ cnNwYXV0aD0w\r\n"), C(b"\r\n"), S(b"a OK done\r\n"), C(OPAQUE), S(OPAQUE)], Unknown, "IMAP AUTHENTICATE: it can encrypt what follows, which is not read"),
    (None, &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), S(b"a OK done\r\n"), C(OPAQUE)], Unknown, "it can encrypt what follows"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n")], Unknown, "it can encrypt what follows"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aCxyZXNwb25zZT0wMGZm\r\n")], Plaintext, "IMAP AUTHENTICATE without STARTTLS"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9ImF1dGgtaW50IixyZXNwb25zZT0wMGZm\r\n")], Plaintext, "IMAP AUTHENTICATE without STARTTLS"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), S(b"a NO sorry\r\n")], Plaintext, "IMAP AUTHENTICATE without STARTTLS"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), S(b"a OK done\r\n"), C(b"b SELECT INBOX\r\n")], Plaintext, "IMAP AUTHENTICATE; what followed is not encrypted"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), S(b"a OK done\r\n"), C(INTEGRITY)], Plaintext, "what followed is not encrypted"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE DIGEST-MD5\r\n"), S(b"+ cmVhbG0=\r\n"), C(b"dXNlcm5hbWU9ImEiLHJlYWxtPSJyIixub25jZT0ibiIsY25vbmNlPSJjIixuYz0wMDAwMDAwMSxxb3A9YXV0aC1jb25mLGNpcGhlcj0iYWVzIixyZXNwb25zZT0wMGZm\r\n"), C(b"b SELECT INBOX\r\n")], Plaintext, "what followed is not encrypted"),
    (Some("imap"), &[S(b"* OK ready\r\n"), C(b"a AUTHENTICATE SCRAM-SHA-256\r\n")], Plaintext, "IMAP AUTHENTICATE without STARTTLS"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"235 ok\r\n"), C(SEALED), S(SEALED_BACK), C(SEALED)], EncryptedOther, "SMTP AUTH accepted, then encrypted packets of Kerberos by both sides"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), C(SEALED), S(SEALED_BACK)], Unknown, "it can encrypt what follows"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"235 ok\r\n"), C(SEALED)], Unknown, "it can encrypt what follows"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"235 ok\r\n"), C(SEALED), C(b"MAIL FROM:<a@b>\r\n")], Plaintext, "what followed is not encrypted"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQEAEABAQUJDREVGR0hJSks=\r\n")], Plaintext, "SMTP AUTH without STARTTLS"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAwAAAAAAAAAAUBBQkNERUZHSElKSwEAEAA=\r\n")], Plaintext, "SMTP AUTH without STARTTLS"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"535 no\r\n")], Plaintext, "SMTP AUTH without STARTTLS"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"235 ok\r\n"), C(UNSEALED), S(SEALED_BACK)], Plaintext, "what followed is not encrypted"),
    (Some("smtp"), &[S(b"220 mx ESMTP\r\n"), C(b"EHLO a\r\n"), S(b"250-mx\r\n250 AUTH GSSAPI\r\n"), C(b"AUTH GSSAPI YIICCg==\r\n"), S(b"334 \r\n"), C(b"\r\n"), S(b"334 BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"235 ok\r\n"), C(SEALED), S(OLD_UNSEALED)], Plaintext, "what followed is not encrypted"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n"), S(b"250 AUTH NTLM\r\n"), C(b"AUTH NTLM\r\n")], Plaintext, "SMTP AUTH without STARTTLS"),
    (Some("pop3"), &[S(b"+OK\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"+ \r\n"), C(b"YIICCg==\r\n"), S(b"+ BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"+OK\r\n"), C(SEALED), S(SEALED_BACK)], EncryptedOther, "POP3 AUTH accepted"),
    (None, &[S(b"+OK\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"+ \r\n"), C(b"YIICCg==\r\n"), S(b"+ BQQE\r\n"), C(b"BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=\r\n"), S(b"+OK\r\n"), C(b"STAT\r\n")], Plaintext, "POP3 AUTH; what followed is not encrypted"),
    (None, &[S(b"+OK\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"+ \r\n"), C(b"YIICCg==\r\n"), S(b"+ BQQE\r\n"), S(b"-ERR no\r\n"), C(b"STAT\r\n")], Plaintext, "POP3 AUTH without STLS"),
    (Some("smtp"), &[S(b"220 mx\r\n"), C(b"EHLO a\r\n"), S(b"250 mx\r\n"), C(b"STARTTLS\r\n"), S(b"454 no\r\n"), C(b"AUTH GSSAPI\r\n")], StarttlsRefused, "the client went on in plaintext"),
    // The security of FTP is refused, or carries its commands.
    (None, &[S(b"220 ftp\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"504 no\r\n"), C(b"USER someone\r\n")], Plaintext, "FTP USER without AUTH TLS"),
    (None, &[S(b"220 ftp\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"334 go\r\n"), C(b"ADAT YIIC\r\n"), S(b"235 ok\r\n"), C(b"ENC BQQC\r\n")], Unknown, "a security layer that is not read"),
    (None, &[S(b"220 ftp\r\n"), C(b"AUTH GSSAPI\r\n"), S(b"334 go\r\n"), C(b"ADAT YIIC\r\n"), S(b"235 ok\r\n"), C(b"MIC BQQC\r\n")], Plaintext, "FTP MIC without AUTH TLS"),
    // Directories: a refused bind, no layer, a layer for integrity alone.
    (Some("ldap"), &[C(b"0\x18\x02\x01\x01`\x13\x02\x01\x03\x04\0\xa3\x0c\x04\nGSS-SPNEGO"), S(b"0\x0c\x02\x01\x01a\x07\n\x01\0\x04\0\x04\0"), C(SEALED), S(SEALED_BACK)], EncryptedOther, "LDAP SASL bind accepted"),
    (None, &[C(b"0\x18\x02\x01\x01`\x13\x02\x01\x03\x04\0\xa3\x0c\x04\nGSS-SPNEGO"), S(b"0\x0c\x02\x01\x01a\x07\n\x01\0\x04\0\x04\0"), C(OPAQUE), S(OPAQUE)], Unknown, "LDAP SASL bind: it can encrypt"),
    (Some("ldap"), &[C(b"0\x18\x02\x01\x01`\x13\x02\x01\x03\x04\0\xa3\x0c\x04\nGSS-SPNEGO"), S(b"0\x0c\x02\x01\x01a\x07\n\x011\x04\0\x04\0"), C(b"0 \x02\x01\x02c\x1b\x04\x05dc=ab\n\x01\x02\n\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\0")], Plaintext, "LDAP search without StartTLS"),
    (Some("ldap"), &[C(b"0\x18\x02\x01\x01`\x13\x02\x01\x03\x04\0\xa3\x0c\x04\nGSS-SPNEGO"), S(b"0\x0c\x02\x01\x01a\x07\n\x01\0\x04\0\x04\0"), C(b"0 \x02\x01\x02c\x1b\x04\x05dc=ab\n\x01\x02\n\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\0")], Plaintext, "LDAP search without StartTLS"),
    (Some("ldap"), &[C(b"0\x18\x02\x01\x01`\x13\x02\x01\x03\x04\0\xa3\x0c\x04\nGSS-SPNEGO"), S(b"0\x0c\x02\x01\x01a\x07\n\x01\0\x04\0\x04\0"), C(b"\0\0\0/\x01\0\0\0\x92\xb5\xe0\xa6\xc0\xd8\xdd\xf9\0\0\0\x000 \x02\x01\x02c\x1b\x04\x05dc=ab\n\x01\x02\n\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\0")], Plaintext, "LDAP SASL bind; what followed is not encrypted"),
    // Chat and queues.
    (Some("xmpp"), &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='GSSAPI'>YIIC</auth>"), S(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQE</challenge>"), C(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=</response>"), S(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), C(SEALED), S(SEALED_BACK)], EncryptedOther, "XMPP authentication accepted"),
    (None, &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='GSSAPI'>YIIC</auth>"), S(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQE</challenge>"), C(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=</response>"), S(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), C(OPAQUE), S(OPAQUE)], Unknown, "XMPP authentication: it can encrypt"),
    (None, &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='GSSAPI'>YIIC</auth>"), S(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQE</challenge>"), C(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQA/wAMAAAAAAAAAAAAAQEAEABAQUJDREVGR0hJSks=</response>")], Plaintext, "XMPP authentication without starttls"),
    (None, &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='GSSAPI'>YIIC</auth>"), S(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQE</challenge>"), C(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>BQQA/wAMAAAAAAAAAAAAAQQAEABAQUJDREVGR0hJSks=</response>"), S(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), C(b"<?xml version='1.0'?><stream:stream to='example.org'>")], Plaintext, "XMPP authentication; what followed is not encrypted"),
    (None, &[C(XMPP), S(FEATURES), C(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='GSSAPI'>YIIC</auth>"), S(b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")], Plaintext, "XMPP authentication without starttls"),
    (Some("amqp"), &[C(b"AMQP\x03\x01\0\0"), S(b"AMQP\x03\x01\0\0"), S(b"\0\0\0\x16\x02\x01\0\0\0S@\xc0\x09\x01\xa3\x06GSSAPI"), C(b"\0\0\0\x16\x02\x01\0\0\0SA\xc0\x09\x01\xa3\x06GSSAPI"), S(b"\0\0\0\x10\x02\x01\0\0\0SD\xc0\x03\x01P\0"), C(SEALED), S(SEALED_BACK)], EncryptedOther, "AMQP 1.0 SASL accepted"),
    (Some("amqp"), &[C(b"AMQP\x03\x01\0\0"), S(b"AMQP\x03\x01\0\0"), S(b"\0\0\0\x16\x02\x01\0\0\0S@\xc0\x09\x01\xa3\x06GSSAPI"), C(b"\0\0\0\x1a\x02\x01\0\0\0SA\xc0\r\x01\xa3\nDIGEST-MD5"), S(b"\0\0\0\x10\x02\x01\0\0\0SD\xc0\x03\x01P\0"), C(OPAQUE), S(OPAQUE)], Unknown, "AMQP 1.0 SASL: it can encrypt"),
    (None, &[C(b"AMQP\x03\x01\0\0"), S(b"AMQP\x03\x01\0\0"), S(b"\0\0\0\x16\x02\x01\0\0\0S@\xc0\x09\x01\xa3\x06GSSAPI"), C(b"\0\0\0\x16\x02\x01\0\0\0SA\xc0\x09\x01\xa3\x06GSSAPI"), S(b"\0\0\0\x10\x02\x01\0\0\0SD\xc0\x03\x01P\x01")], Plaintext, "AMQP 1.0 SASL header without TLS"),
    (None, &[C(b"AMQP\x03\x01\0\0"), S(b"AMQP\x03\x01\0\0"), S(b"\0\0\0\x16\x02\x01\0\0\0S@\xc0\x09\x01\xa3\x06GSSAPI"), C(b"\0\0\0\x16\x02\x01\0\0\0SA\xc0\x09\x01\xa3\x06GSSAPI"), S(b"\0\0\0\x10\x02\x01\0\0\0SD\xc0\x03\x01P\0"), C(b"AMQP\0\x01\0\0")], Plaintext, "AMQP 1.0 SASL header without TLS"),
    (None, &[C(b"AMQP\x03\x01\0\0"), S(b"AMQP\x03\x01\0\0"), S(b"\0\0\0\x16\x02\x01\0\0\0S@\xc0\x09\x01\xa3\x06GSSAPI"), C(b"\0\0\0\x15\x02\x01\0\0\0SA\xc0\x08\x01\xa3\x05PLAIN")], Plaintext, "AMQP 1.0 SASL header without TLS"),
    (None, &[C(b"AMQP\x03\x01\0\0")], Unknown, "the client's mechanism was not seen"),
    (None, &[C(b"AMQP\x01\x01\0\n"), C(b"\x0f\0\0\x1e\0\0\0\0\0\0\0\0\x01\x02\x03\0\0\0\0\x04\0\0\0\0\x05PLAIN")], Plaintext, "AMQP 0-8 to 0-10 header"),
    (None, &[C(b"AMQP\x01\x01\0\n"), C(b"\x0f\0\0\x1f\0\0\0\0\0\0\0\0\x01\x02\x03\0\0\0\0\x04\0\0\0\0\x06GSSAPI")], Unknown, "AMQP 0-10 with SASL"),
    // HTTP goes on with TLS (RFC 2817), as printing does.
    (None, &[C(HTTP_ASK), S(HTTP_YES), Hello, Answer], StarttlsUpgraded, "HTTP Upgrade: TLS, then ServerHello: TLS 1.3"),
    (Some("elasticsearch"), &[C(HTTP_ASK), S(b"HTTP/1.1 100 Continue\r\n\r\n"), S(HTTP_YES), Hello, Answer], StarttlsUpgraded, "HTTP Upgrade: TLS, then ServerHello: TLS 1.3"),
    (None, &[C(HTTP_ASK), S(HTTP_426), C(HTTP_ASK), S(HTTP_YES), Hello, Answer], StarttlsUpgraded, "HTTP Upgrade: TLS, then ServerHello"),
    (None, &[C(HTTP_ASK), Hello], StarttlsUpgraded, "HTTP Upgrade: TLS, then TLS ClientHello"),
    (None, &[C(HTTP_ASK)], Unknown, "HTTP Upgrade: TLS was asked for, the answer was not seen"),
    (None, &[C(HTTP_ASK), S(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")], StarttlsRefused, "HTTP Upgrade: TLS refused by the server"),
    (None, &[C(HTTP_ASK), S(HTTP_426), C(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(HTTP_ASK), S(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), C(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")], StarttlsRefused, "the client went on in plaintext"),
    (None, &[C(HTTP_ASK), S(HTTP_426)], Unknown, "the server demands it"),
    (None, &[C(HTTP_ASK), S(HTTP_YES), C(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")], Plaintext, "accepted by the server, the client went on in plaintext"),
    (None, &[C(b"GET /?name=someone HTTP/1.1\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"POST / HTTP/1.1\r\nUpgrade: TLS/1.2\r\nContent-Length: 4\r\n\r\nname"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"GET / HTTP/1.1\r\nUpgrade: TLS/1.2\r\nAuthorization: Basic YTph\r\n\r\n"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"GET / HTTP/1.1\r\nUpgrade: TLS/1.2\r\nX-Api-Key: secret\r\n\r\n"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"GET / HTTP/1.1\r\nUpgrade: TLS/1.2\r\nUser-Agent: a\r\n secret\r\n\r\n"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"GET / HTTP/1.1\r\nUpgrade: TLS/1.2\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n"), S(HTTP_YES), Hello, Answer], Plaintext, "HTTP/1 request without TLS"),
    (None, &[C(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), S(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")], Plaintext, "HTTP/1 request without TLS"),
    // What a response says where the request was not captured.
    (None, &[S(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nname")], Plaintext, "HTTP/1 response without TLS"),
    (None, &[S(b"HTTP/1.1 404 Not Found\r\n")], Plaintext, "HTTP/1 response without TLS"),
    (None, &[S(b"HTTP/1.1 200 OK\r\n\r\n"), Answer], Unknown, "nothing of the client was seen"),
    (None, &[S(b"HTTP/1.0 200 Connection established\r\nVia: proxy\r\n\r\n")], Unknown, "nothing of the client was seen"),
    (None, &[S(b"HTTP/1.0 200 OK\r\n\r\na page of text\n")], Plaintext, "HTTP/1 response without TLS"),
    (None, &[S(HTTP_YES)], Unknown, "nothing of the client was seen"),
    (None, &[S(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")], Plaintext, "HTTP/1 response without TLS"),
    // SQL Server without PRELOGIN; Db2 with its own encryption.
    (Some("mssql"), &[C(b"\x10\x01\0\x9a\0\0\x01\0\x92\0\0\0\0\0\0p\0\x10\0\0\x07\0\0\0\xd2\x04\0\0\0\0\0\0\xe0\x03\0\0\0\0\0\0"), S(b"\x04\x01\0\x11\0\0\x01\0\xfd\0\0\0\0\0\0\0\0")], Plaintext, "TDS login without PRELOGIN"),
    (None, &[C(b"\x10\x01\0\x9a\0\0\x01\0\x92\0\0\0\0\0\0p\0\x10\0\0\x07\0\0\0\xd2\x04\0\0\0\0\0\0\xe0\x03\0\0\0\0\0\0")], Plaintext, "TDS login without PRELOGIN"),
    (Some("mssql"), &[C(b"\x02\0\x02\0\0\0\0\0host\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04sa\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02secret\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x06")], Plaintext, "TDS login without PRELOGIN"),
    (None, &[C(b"\x02\0\x02\0\0\0\0\0host\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04sa\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02secret\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x06"), S(b"\x04\x01\0\x11\0\0\x01\0\xfd\0\0\0\0\0\0\0\0")], Plaintext, "TDS login without PRELOGIN"),
    (Some("mssql"), &[C(b"\x02\0\x02\0\0\0\0\0host\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")], Unknown, "the login is cut"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\x03\0\x06!\x10db")], Plaintext, "Db2 DRDA request without TLS"),
    (None, &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\x09\0\x06!\x10db"), S(b"\0\x0f\xd0B\0\x01\0\x09\x14C\0\x05\x11^\x84\0\x10\xd0B\0\x01\0\n\x14\xac\0\x06\x11\xa2\0\x09")], Plaintext, "only credentials are encrypted"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\r\0\x06!\x10db"), S(b"\0\x0f\xd0B\0\x01\0\x09\x14C\0\x05\x11^\x84\0\x10\xd0B\0\x01\0\n\x14\xac\0\x06\x11\xa2\0\r"), C(b"\0\x0f\xd0A\0\x01\0\x09 \r\0\x05!\x13x\0\x14\xd0D\0\x01\0\x0e$\x14\0\n\0\x01select")], Unknown, "Db2 encryption of credentials and data, agreed on by both sides"),
    (None, &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\x0c\0\x06!\x10db")], Unknown, "the answer was not seen"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\r\0\x06!\x10db"), S(b"\0\x0f\xd0B\0\x01\0\x09\x14C\0\x05\x11^\x84\0\x10\xd0B\0\x01\0\n\x14\xac\0\x06\x11\xa2\0\r"), C(b"\0\x0f\xd0A\0\x01\0\x09 \r\0\x05!\x13x\0\x14\xd0C\0\x01\0\x0e$\x14\0\n\0\x01select")], Plaintext, "accepted by the server, the client went on in plaintext"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x16\xd0A\0\x01\0\x10\x10m\0\x06\x11\xa2\0\r\0\x06!\x10db"), S(b"\0\x0f\xd0B\0\x01\0\x09\x14C\0\x05\x11^\x84\0\x12\xd0B\0\x01\0\x0c\x14\xac\0\x08\x11\xa2\0\x03\0\x04")], Plaintext, "Db2 encryption of data refused by the server"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85")], Unknown, "how the client authenticates was not seen"),
    (Some("db2"), &[C(b"\0\x10\xd0A\0\x01\0\n\x10A\0\x06\x11^\x84\x85\0\x10\xd0A\0\x01\0\n \x01\0\x06!\x10db")], Plaintext, "Db2 DRDA request without TLS"),
];
