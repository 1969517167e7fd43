//! How far a handshake shows that both sides took part, and what shows that they did not.
//!
//! Belongs here: hellos that are no pair, and hellos that contradict themselves. Peers that only look like TLS are in
//! `pretenders`.

use super::*;
use PostureState::{Plaintext, StarttlsUpgraded, Tls12, Tls13, Unrecognised, WeakTls};
use Side::{Client, Server};

/// Where a hello's session id begins, and its suites: behind the headers of record and message, version and random.
const SESSION_ID: usize = 44;
const SUITE: usize = 76;

fn hellos(client: &[u8], server: &[u8]) -> [Segment; 2] {
    [(Client, 0, client.to_vec()), (Server, 0, server.to_vec())]
}

/// A ServerHello of TLS 1.2's form with this suite and these extensions.
fn server_hello(suite: u16, extensions: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).expect("short");
    let body = 38 + if extensions.is_empty() { 0 } else { 2 + extensions.len() };
    let mut hello = vec![22, 3, 3, 0, length(body + 4), 2, 0, 0, length(body), 3, 3];
    hello.extend([0x5A; 32]);
    hello.push(0);
    hello.extend(suite.to_be_bytes());
    hello.push(0);
    if !extensions.is_empty() {
        hello.extend([0, length(extensions.len())]);
        hello.extend(extensions);
    }
    hello
}

/// `supported_versions` that selects TLS 1.3.
const TLS_1_3: &[u8] = b"\0\x2b\0\x02\x03\x04";

#[test]
fn the_strength_of_proof_is_part_of_the_posture() {
    let (client, server) = tls13();
    assert_eq!(play(None, &hellos(&client, &server)).proof, Some(Proof::Echo));
    assert_eq!(play(None, &hellos(&client, &server)[1..]).proof, Some(Proof::OneSide));
    let capture = segments(&script(capture!("tls12-rsa").1));
    assert_eq!(play(None, &capture).proof, Some(Proof::BothSides), "nothing of the client's is repeated");
    let upgraded = play(Some("postgresql"), &segments(&script(capture!("pg-tls13").1)));
    assert_eq!((upgraded.state, upgraded.proof), (StarttlsUpgraded, Some(Proof::Echo)));
    let plaintext = play(None, &segments(&script(capture!("pg-disable").1)));
    assert_eq!(plaintext.proof, None);
    // A client that leaves its session id empty gives nothing to repeat.
    let mut short = client.clone();
    short[43] = 0;
    short.drain(SESSION_ID..SESSION_ID + 32);
    for at in [4, 8] {
        let less = u16::from_be_bytes([short[at - 1], short[at]]) - 32;
        short[at - 1..=at].copy_from_slice(&less.to_be_bytes());
    }
    let mut reply = server[..5 + usize::from(server[4])].to_vec();
    reply[43] = 0;
    reply.drain(SESSION_ID..SESSION_ID + 32);
    reply[4] -= 32;
    reply[8] -= 32;
    let posture = play(None, &hellos(&short, &reply));
    assert_eq!((posture.state, posture.proof), (Tls13, Some(Proof::BothSides)), "{posture:?}");
}

#[test]
fn a_reply_to_another_clients_hello_is_no_tls() {
    let (client, server) = tls13();
    let change = |bytes: &[u8], at: usize, to: u8| {
        let mut changed = bytes.to_vec();
        changed[at] = to;
        changed
    };
    let group = server.windows(4).position(|bytes| bytes == [0, 51, 0, 36]).expect("a key share") + 5;
    for (reply, evidence) in [
        (change(&server, SESSION_ID, server[SESSION_ID] ^ 1), "a session id that is not the client's"),
        (change(&server, 43, 31), ""),
        (change(&server, SUITE + 1, 5), "a cipher suite that the client did not offer"),
        (change(&server, group, 0x77), "a group that the client did not offer"),
        (server_hello(0xC02F, &[]), "did not offer"),
    ] {
        for order in [[0, 1], [1, 0]] {
            let both = hellos(&client, &reply);
            let posture = play(None, order.map(|at| &both[at]));
            assert!(!totality::compliant(posture.state), "{posture:?}");
            assert!(posture.evidence.contains(evidence), "{posture:?}");
            assert_eq!(posture.proof, None);
        }
    }
    // What was not captured of the client's contradicts nothing.
    let cut = play(None, &hellos(&client[..50], &server));
    assert_eq!((cut.state, cut.version), (Tls13, Some(TlsVersion::Tls13)));
}

/// What was reported of a hello by its suite stands where it does not encrypt as it should: the extensions, which may
/// come later or never, take back only that it does.
#[test]
fn a_hello_in_pieces_is_never_taken_back_as_unknown() {
    let old = b"\x80\x1c\x01\x03\x03\0\x03\0\0\0\x10\x07\0\xc00123456789abcdef".to_vec();
    for (suite, expected) in [
        (0x0000, &[Plaintext][..]),
        (0x003B, &[Plaintext]),
        (0x00A7, &[WeakTls]),
        (0x0005, &[WeakTls]),
        (0xC02F, &[Tls12, Unrecognised]),
    ] {
        let hello = server_hello(suite, TLS_1_3);
        for client in [Some(&old), None] {
            let mut tracker = Tracker::new(None);
            let mut reported: Vec<PostureState> = client
                .and_then(|client| tracker.segment(Client, 0, client))
                .map(|posture| posture.state)
                .into_iter()
                .collect();
            for (at, byte) in (0..).zip(&hello) {
                reported.extend(tracker.segment(Server, at, &[*byte]).map(|posture| posture.state));
            }
            assert_eq!(reported, expected, "{suite:04x}");
            let mut whole = Tracker::new(None);
            client.map(|client| whole.segment(Client, 0, client));
            let whole = whole.segment(Server, 0, &hello).expect("decided");
            assert_eq!(Some(whole.state), expected.last().copied());
        }
    }
}

/// As it is cut: it has only its suite to go by.
#[test]
fn a_hello_whose_extensions_never_come_is_known_by_its_suite() {
    let (client, server) = tls13();
    let posture = play(None, &hellos(&client, &server[..SUITE + 3]));
    assert_eq!((posture.state, posture.proof), (Tls13, Some(Proof::Echo)), "{posture:?}");
}

/// The client's first bytes came with the TCP handshake, and are not seen at the server's end.
#[test]
fn a_servers_hello_to_a_hidden_beginning_needs_no_other_hello() {
    let (client, server) = tls13();
    let reply = (Server, 0, server);
    let finished = (Client, 517, b"\x14\x03\x03\0\x01\x01\x17\x03\x03\0\x45\x99".to_vec());
    assert_eq!(play(None, [&reply, &finished]).proof, Some(Proof::OneSide));
    let late = (Client, 1_400, client);
    let text = (Client, 1_400, b"GET /another/file\r\n".to_vec());
    for (hidden, state) in [(late, Unrecognised), (text, Plaintext)] {
        for order in [[&reply, &hidden], [&hidden, &reply]] {
            assert_eq!(play(None, order).state, state);
        }
    }
    let retry = segments(&script(capture!("tls13-retry").1));
    let mut hidden: Vec<Segment> = retry.clone();
    hidden.remove(0);
    assert_eq!(play(None, &hidden).state, Tls13, "a second hello follows a HelloRetryRequest");
}

/// The first record behind a ChangeCipherSpec, which carries nothing, must be one too.
#[test]
fn plaintext_behind_a_change_of_ciphers_is_seen() {
    let (client, server) = tls13();
    let first = |bytes: &[u8]| bytes[..5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]))].to_vec();
    let (client, server) = (first(&client), first(&server));
    let change = b"\x14\x03\x03\0\x01\x01";
    let with = |bytes: &[u8], more: &[&[u8]]| [bytes, &more.concat()].concat();
    let text = b"alice;DE00 1234;influenza\n";
    for both in [
        hellos(&client, &with(&server, &[change, text])),
        hellos(&with(&client, &[change, text]), &server),
        hellos(&with(&client, &[change, change, text]), &server),
        hellos(&with(&client, &[b"\x14\x03\x03\0\x20\x01", text]), &server),
    ] {
        assert_eq!(play(None, &both).state, Unrecognised);
        assert_eq!(play(None, &bytes_apart(&both)).state, Unrecognised);
    }
    let both = hellos(&with(&client, &[change, b"\x17\x03\x03\0\x20"]), &with(&server, &[change]));
    assert_eq!(play(None, &both).state, Tls13);
    // Nobody needs to answer.
    let alone = [(Client, 0, with(&client, &[text]))];
    assert_eq!(play(None, &alone).state, Unrecognised);
}

/// A client that controls both hellos: what it must send to get the server's is in the clear.
#[test]
fn a_file_that_begins_like_a_servers_hello_is_no_tls() {
    let (client, server) = tls13();
    for (request, state) in [
        (&b"GET /f\r\n"[..], Plaintext),
        (b"GET /f HTTP/1.1\r\n\r\n", Plaintext),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nf\r\n", Plaintext),
        (b"\x99\x01 f", Unrecognised),
    ] {
        let sent = [request, &client].concat();
        for declared in [None, Some("postgresql"), Some("redis")] {
            let posture = play(declared, &hellos(&sent, &server));
            assert_eq!(posture.state, state, "{posture:?}");
        }
    }
}

/// A client that goes on in plaintext is no client of TLS, whatever the server says to it, and whichever was heard first.
#[test]
fn plaintext_behind_the_clients_hello_outweighs_any_answer() {
    let (client, server) = tls13();
    let client = client[..5 + usize::from(u16::from_be_bytes([client[3], client[4]]))].to_vec();
    let sent = [&client, &b"alice;DE00 1234;influenza\n"[..]].concat();
    let alert = b"\x15\x03\x03\0\x02\x02\x28".to_vec();
    let ask = b"\0\0\0\x08\x04\xd2\x16\x2f";
    for reply in [server, server_hello(0x003B, &[]), server_hello(0x0005, &[]), alert, b"\x01 ok".to_vec()] {
        let both = hellos(&sent, &reply);
        for order in [[0, 1], [1, 0]] {
            let posture = play(None, order.map(|at| &both[at]));
            assert_eq!((posture.state, posture.version), (Unrecognised, None), "{posture:?}");
        }
        let upgrade = hellos(&[ask, &sent[..]].concat(), &[b"S", &reply[..]].concat());
        for order in [[0, 1], [1, 0]] {
            let posture = play(Some("postgresql"), order.map(|at| &upgrade[at]));
            assert_eq!((posture.state, posture.version), (Unrecognised, None), "{posture:?}");
        }
        // The server's reply was there first.
        let text = (Client, client.len() as u64, sent[client.len()..].to_vec());
        assert_eq!(play(None, [&hellos(&client, &reply)[..], &[text]].concat().iter()).state, Unrecognised);
    }
}

/// Records of another kind stand between messages, never within one (RFC 8446 §5.1).
#[test]
fn a_hello_that_something_else_interrupts_is_none() {
    let (client, server) = tls13();
    let interrupted = |bytes: &[u8], length: u8, by: &[u8]| {
        let mut part = bytes[..5 + usize::from(length)].to_vec();
        part[3..5].copy_from_slice(&[0, length]);
        [&part, by].concat()
    };
    for by in [&b"select 1;"[..], b"\x17\x03\x03\0\x20"] {
        for both in
            [hellos(&interrupted(&client, 100, by), &server), hellos(&client, &interrupted(&server, 80, by))]
        {
            assert_eq!(play(None, &both).state, Unrecognised);
            assert_eq!(play(None, &bytes_apart(&both)).state, Unrecognised);
            assert_eq!(play(None, both.iter().rev()).state, Unrecognised);
        }
    }
}

/// What the server sent to its beginning, which may have been one, was decided by that.
#[test]
fn a_hello_that_turns_out_malformed_is_read_the_same_in_pieces() {
    let hello = |session_id: u8, suites: u8| {
        [
            &b"\x16\x03\x01\0\x50\x01\0\0\x4c\x03\x03"[..],
            &[0x5A; 32],
            &[session_id],
            &[0xA5; 32],
            &[0, suites],
            &[7; 8],
        ]
        .concat()
    };
    let (begin, ready) = (&b"EHLO a\r\nSTARTTLS\r\n"[..], &b"220 mx\r\n250 mx\r\n220 go\r\n"[..]);
    for (session_id, suites) in [(33, 2), (32, 3), (32, 0)] {
        for reply in
            [&b"\x01"[..], b"500 what?\r\n", b"\x15\x03\x03\0\x02\x02\x28", &server_hello(0xC02F, &[])]
        {
            let whole = hello(session_id, suites);
            let (first, second) = whole.split_at(44);
            let parts =
                [(Server, ready), (Client, begin), (Client, first), (Server, reply), (Client, second)];
            let script = parts.iter().map(|(side, bytes)| (*side, bytes.to_vec())).collect();
            let segments = segments(&script);
            let of = |wanted: Side| segments.iter().filter(move |(side, _, _)| *side == wanted);
            for posture in [
                play(Some("smtp"), &segments),
                play(Some("smtp"), &bytes_apart(&segments)),
                play(Some("smtp"), of(Server).chain(of(Client))),
                play(Some("smtp"), of(Client).chain(of(Server))),
            ] {
                assert_eq!(posture.state, Unrecognised, "{posture:?}");
            }
        }
    }
}

/// Which versions a hello offers is what it lists, and never TLS 1.3 if it lists none (RFC 8446 §4.2.1).
#[test]
fn a_version_that_is_not_listed_is_not_offered() {
    let hello = |legacy: u8, extension: &[u8]| {
        let [high, low] = u16::try_from(extension.len()).expect("short").to_be_bytes();
        let suites = b"\0\x06\x13\x01\xc0\x2f\0\x2f";
        let body = [&[3, legacy][..], &[0x5A; 32], &[0], suites, &[1, 0, high, low], extension].concat();
        let length = u8::try_from(body.len()).expect("short");
        [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
    };
    let listed = b"\0\x2b\0\x05\x04\x03\x04\x03\x01";
    for (client, suite, state) in [
        (hello(4, b""), 0x1301, Unrecognised),
        (hello(9, b""), 0x1301, Unrecognised),
        (hello(9, b""), 0xC02F, Tls12),
        (hello(3, listed), 0xC02F, Unrecognised),
        (hello(3, listed), 0x1301, Tls13),
    ] {
        let server = server_hello(suite, if suite == 0x1301 { TLS_1_3 } else { &[] });
        let posture = play(None, &hellos(&client, &server));
        assert_eq!(posture.state, state, "{posture:?}");
    }
}

/// The hello in the form of SSL 2 is no exception: TLS must follow it.
#[test]
fn plaintext_behind_a_hello_in_the_form_of_ssl_2_is_seen() {
    let old = &b"\x80\x1c\x01\x03\x03\0\x03\0\0\0\x10\x07\0\xc00123456789abcdef"[..];
    let server = server_hello(0xC02F, &[]);
    for (more, state) in
        [(&b"alice;DE00 1234\n"[..], Unrecognised), (b"\x16\x03\x03\0\x46", Tls12), (b"", Tls12)]
    {
        let both = hellos(&[old, more].concat(), &server);
        for order in [[0, 1], [1, 0]] {
            assert_eq!(play(None, order.map(|at| &both[at])).state, state);
        }
        assert_eq!(play(None, &bytes_apart(&both)).state, state);
    }
}

/// Behind an upgrade too, the server's hello alone is no more than that, and what the client sends then decides.
#[test]
fn a_servers_hello_behind_an_upgrade_waits_for_the_client() {
    let server = server_hello(0x1301, TLS_1_3);
    let reply = [&b"+OK\r\n+OK\r\n"[..], &server].concat();
    let mut tracker = Tracker::new(Protocol::by_id("pop3"));
    assert_eq!(tracker.segment(Client, 0, b"STLS\r\n"), None);
    let alone = tracker.segment(Server, 0, &reply).expect("a hello");
    assert_eq!((alone.state, alone.proof), (StarttlsUpgraded, Some(Proof::OneSide)));
    let plain = tracker.segment(Client, 6, b"USER someone\r\n").expect("that changes it");
    assert_eq!((plain.state, plain.version), (Plaintext, None));
}
