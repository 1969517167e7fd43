//! Dialogues whose pieces before TLS are longer than what is captured of an ordinary segment.

use super::*;
use PostureState::{StarttlsUpgraded, Tls13, Unknown};

/// So many lines of a reply.
fn lines(line: &str, count: usize) -> Vec<u8> {
    line.repeat(count).into_bytes()
}

/// An element of BER with a length in three bytes.
fn ber(tag: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[tag, 0x82, high, low][..], body].concat()
}

/// What each server says in one segment, and how both go on; then TLS 1.3.
fn long_replies() -> Vec<(&'static str, Script)> {
    use Side::{Client, Server};
    let say = |side: Side, bytes: &[u8]| (side, bytes.to_vec());
    let ehlo = |count| {
        [lines("250-EXTENSION-NUMBER-42 PARAM PARAM\r\n", count), b"250 STARTTLS\r\n".to_vec()].concat()
    };
    let smtp = |greeting: Vec<u8>, count| {
        vec![
            (Server, greeting),
            say(Client, b"EHLO a\r\n"),
            (Server, ehlo(count)),
            say(Client, b"STARTTLS\r\n"),
            say(Server, b"220 go\r\n"),
        ]
    };
    let capabilities = lines(" EXTENSION-NUMBER-42=PARAM", 45);
    let imap = |greeting: Vec<u8>, before: &str| {
        let all = [before.as_bytes(), &capabilities, b" STARTTLS\r\na OK done\r\n"].concat();
        vec![
            (Server, greeting),
            say(Client, b"a CAPABILITY\r\n"),
            (Server, all),
            say(Client, b"b STARTTLS\r\n"),
            say(Server, b"b OK go\r\n"),
        ]
    };
    let listed = [b"* OK [CAPABILITY IMAP4rev1", &capabilities[..], b" STARTTLS] ready\r\n"].concat();
    let attribute = ber(
        0x30,
        &[ber(4, b"supportedControl"), ber(0x31, &ber(4, b"1.2.840.113556.1.4.319").repeat(40))].concat(),
    );
    let root = ber(0x64, &[ber(4, b""), ber(0x30, &attribute)].concat());
    let root = ber(0x30, &[&[2, 1, 4][..], &root].concat());
    let done = b"\x30\x0c\x02\x01\x04\x65\x07\x0a\x01\0\x04\0\x04\0";
    let search = b"\x30\x25\x02\x01\x04\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00";
    let info = [
        b"INFO {\"server_id\":\"N\",\"tls_required\":true,\"connect_urls\":[\"",
        &lines("192.0.2.1:4222\",\"", 70)[..],
        b"\"]}\r\n",
    ]
    .concat();
    let features = [b"<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", &lines("<c xmlns='http://jabber.org/protocol/caps'/>", 30)[..], b"</stream:features>"].concat();
    vec![
        ("smtp", smtp(b"220 mx.example ESMTP\r\n".to_vec(), 16)),
        ("smtp", smtp(b"220 mx.example ESMTP\r\n".to_vec(), 53)),
        ("smtp", smtp([lines("220-No unsolicited mail is accepted here.\r\n", 30), b"220 mx ESMTP\r\n".to_vec()].concat(), 30)),
        ("imap", imap(b"* OK ready\r\n".to_vec(), "* CAPABILITY IMAP4rev1")),
        ("imap", imap(listed, "* CAPABILITY IMAP4rev1")),
        ("pop3", vec![
            say(Server, b"+OK ready\r\n"),
            say(Client, b"CAPA\r\n"),
            (Server, [b"+OK\r\nSTLS\r\n", &lines("SASL-MECHANISM-42 PARAM\r\n", 50)[..], b".\r\n"].concat()),
            say(Client, b"STLS\r\n"),
            say(Server, b"+OK go\r\n"),
        ]),
        ("ftp", vec![
            (Server, [lines("220-All that is done here is logged and kept.\r\n", 40), b"220 ready\r\n".to_vec()].concat()),
            say(Client, b"AUTH TLS\r\n"),
            say(Server, b"234 go\r\n"),
        ]),
        ("ldap", vec![
            say(Client, search),
            (Server, [&root[..], done].concat()),
            say(Client, b"\x30\x1d\x02\x01\x05\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
            say(Server, b"\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\0\x04\0\x04\0"),
        ]),
        ("nats", vec![(Server, info)]),
        ("xmpp", vec![
            say(Client, b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client' version='1.0'>"),
            (Server, features),
            say(Client, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            say(Server, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ]),
    ]
}

#[test]
fn a_long_reply_before_an_upgrade_is_read_to_its_end() {
    let (client, server) = tls13();
    for (protocol, mut script) in long_replies() {
        let longest = script.iter().map(|(_, bytes)| bytes.len()).max();
        assert!(longest.is_some_and(|longest| (600..=PAYLOAD_LONG).contains(&longest)), "{longest:?}");
        script.extend([(Side::Client, client.clone()), (Side::Server, server.clone())]);
        let protocol = Protocol::by_id(protocol).map(Protocol::id);
        let whole = play(protocol, &segments(&script));
        assert_eq!(
            (whole.state, whole.version),
            (StarttlsUpgraded, Some(TlsVersion::Tls13)),
            "{protocol:?}: {whole:?}"
        );
        let captured = play(protocol, &captured(&segments(&script)));
        assert_eq!(captured, whole, "{protocol:?}");
    }
}

/// A server that greets twice, is asked for more than its capabilities, or whose reply takes two segments of the wire.
#[test]
fn a_dialogue_of_many_small_pieces_is_read_to_its_upgrade() {
    let (client, server) = tls13();
    let say = |side: Side, text: &str| (side, text.as_bytes().to_vec());
    let capabilities = String::from_utf8(lines("250-EXTENSION-NUMBER-42 PARAM PARAM\r\n", 50)).expect("text");
    let (first, second) = capabilities.split_at(1448);
    let dialogues = [
        (
            "imap",
            vec![
                say(Side::Server, "* OK ready\r\n"),
                say(Side::Client, "a CAPABILITY\r\n"),
                say(Side::Server, "* CAPABILITY IMAP4rev1 STARTTLS ID\r\na OK done\r\n"),
                say(Side::Client, "b ID (\"name\" \"a client\")\r\n"),
                say(Side::Server, "* ID (\"name\" \"a server\")\r\nb OK done\r\n"),
                say(Side::Client, "c NOOP\r\n"),
                say(Side::Server, "c OK done\r\n"),
                say(Side::Client, "d STARTTLS\r\n"),
                say(Side::Server, "d OK go\r\n"),
            ],
        ),
        (
            "smtp",
            vec![
                say(Side::Server, "220-mx.example waits a little\r\n"),
                say(Side::Server, "220 mx.example ESMTP\r\n"),
                say(Side::Client, "EHLO a\r\n"),
                say(Side::Server, first),
                say(Side::Server, &format!("{second}250 STARTTLS\r\n")),
                say(Side::Client, "STARTTLS\r\n"),
                say(Side::Server, "220 go\r\n"),
            ],
        ),
    ];
    for (protocol, mut script) in dialogues {
        script.extend([(Side::Client, client.clone()), (Side::Server, server.clone())]);
        let posture = play(Some(protocol), &captured(&segments(&script)));
        assert_eq!(
            (posture.state, posture.version),
            (StarttlsUpgraded, Some(TlsVersion::Tls13)),
            "{posture:?}"
        );
        assert_eq!(posture.sni.as_deref(), Some("db.example.org"));
    }
}

/// A header of PROXY version 2 of so many bytes.
fn proxy_header(length: u16) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend((length - 16).to_be_bytes());
    header.resize(length.into(), 0x5A);
    header
}

/// With the TLVs of a client's certificate it is longer than what is captured of a segment.
#[test]
fn tls_behind_a_proxy_header_of_any_length_is_read() {
    let (client, server) = tls13();
    for length in [28, 600, 2_500, 5_000, u16::MAX] {
        let header = proxy_header(length);
        let apart =
            vec![(Side::Client, header), (Side::Client, client.clone()), (Side::Server, server.clone())];
        let posture = play(None, &captured(&segments(&apart)));
        assert_eq!((posture.state, posture.sni.as_deref()), (Tls13, Some("db.example.org")), "{length}");
        // On the wire, as long as four segments are enough.
        if length <= 3 * 1448 {
            let mut wire = in_segments(Side::Client, &apart[0].1, 1448);
            wire.extend([(Side::Client, length.into(), client.clone()), (Side::Server, 0, server.clone())]);
            assert_eq!(play(None, &captured(&wire)), posture, "{length}");
        }
    }
    for length in [28, 600, 1_400] {
        let together = [proxy_header(length), client.clone()].concat();
        let dialogue = [(Side::Client, 0, together), (Side::Server, 0, server.clone())];
        let posture = play(None, &captured(&dialogue));
        assert_eq!((posture.state, posture.sni.as_deref()), (Tls13, Some("db.example.org")), "{length}");
    }
}

/// What is skipped is no evidence, and what is behind it is read as ever.
#[test]
fn a_proxy_header_hides_no_plaintext() {
    let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for length in [600, 5_000] {
        let script = vec![(Side::Client, proxy_header(length)), (Side::Client, request.clone())];
        assert_eq!(play(None, &captured(&segments(&script))).state, PostureState::Plaintext, "{length}");
        let alone = play(None, &captured(&segments(&script[..1].to_vec())));
        assert_eq!((alone.state, &*alone.evidence), (Unknown, "only a PROXY protocol header was seen"));
    }
}

/// What is read of these segments of both ends, in this order.
fn state_of(declared: Option<&str>, segments: &[Segment]) -> PostureState {
    let mut tracker = Tracker::new(declared.and_then(Protocol::by_id));
    for (side, offset, bytes) in segments {
        tracker.segment(*side, *offset, bytes);
    }
    tracker.conclude().state
}

#[test]
fn a_long_line_reads_the_same_however_it_was_cut() {
    let beginnings =
        ["SSH-2.0-", "GET /", "a ", "OPTIONS ", "USER ", "A", "*1", "set k ", "INVITE sip:", "<14>1 ", ""];
    let lines = beginnings.into_iter().flat_map(|beginning| {
        [255, 256, 257, 2048, 2049, 4096].map(|length| format!("{beginning:x<length$}").into_bytes())
    });
    for line in lines {
        for reply in [&b""[..], b"SSH-2.0-server\r\n", b"HTTP/1.1 400\r\n", b"\x05"] {
            let reply = vec![(Side::Server, 0, reply.to_vec())];
            for declared in [None, Some("imap"), Some("postgresql"), Some("elasticsearch")] {
                let whole = vec![(Side::Client, 0, line.clone())];
                let expected = [true, false]
                    .map(|first| around(first, &reply, &whole))
                    .map(|all| state_of(declared, &all));
                for at in [9, 256, 290, 2048] {
                    let (first, rest) = line.split_at(at.min(line.len()));
                    let cut = vec![
                        (Side::Client, 0, first.to_vec()),
                        (Side::Client, first.len() as u64, rest.to_vec()),
                    ];
                    let read = [true, false]
                        .map(|first| around(first, &reply, &cut))
                        .map(|all| state_of(declared, &all));
                    let beginning = String::from_utf8_lossy(&line[..12]);
                    assert_eq!(
                        read,
                        expected,
                        "{beginning}… of {} bytes, cut at {at}, {declared:?}",
                        line.len()
                    );
                }
            }
        }
    }
}

/// The server's reply before or behind what the client sends.
fn around(first: bool, reply: &[Segment], client: &[Segment]) -> Vec<Segment> {
    if first { [reply, client].concat() } else { [client, reply].concat() }
}
