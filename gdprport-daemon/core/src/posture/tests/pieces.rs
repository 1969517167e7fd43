//! The same bytes, cut and ordered differently, read the same.

use super::captures::CASES;
use super::*;

/// Cuts one segment in two at `at` bytes into the script; `None` at a boundary.
fn cut(segments: &[Segment], at: usize) -> Option<Vec<Segment>> {
    let mut before = 0;
    for (index, (side, offset, bytes)) in segments.iter().enumerate() {
        if at < before + bytes.len() {
            let (first, second) = bytes.split_at(at - before);
            if first.is_empty() {
                return None;
            }
            let mut pieces = segments.to_vec();
            pieces[index].2 = first.to_vec();
            pieces.insert(index + 1, (*side, offset + first.len() as u64, second.to_vec()));
            return Some(pieces);
        }
        before += bytes.len();
    }
    None
}

#[test]
fn a_capture_cut_at_any_byte_reads_the_same() {
    for case in CASES {
        let whole = segments(&script(case.capture.1));
        let expected = play(case.declared, &whole);
        let length: usize = whole.iter().map(|(_, _, bytes)| bytes.len()).sum();
        for at in 0..length {
            if let Some(pieces) = cut(&whole, at) {
                assert_eq!(play(case.declared, &pieces), expected, "{} cut at {at}", case.capture.0);
            }
        }
    }
}

#[test]
fn a_capture_byte_by_byte_reads_the_same() {
    for case in CASES {
        let whole = segments(&script(case.capture.1));
        for declared in [case.declared, None] {
            let expected = play(declared, &whole);
            assert_eq!(play(declared, &bytes_apart(&whole)), expected, "{}", case.capture.0);
        }
    }
}

#[test]
fn both_directions_interleaved_byte_by_byte_read_the_same() {
    for case in CASES {
        let whole = segments(&script(case.capture.1));
        let apart = bytes_apart(&whole);
        let of = |wanted: Side| apart.iter().filter(move |(side, _, _)| *side == wanted).cloned();
        let (mut client, mut server) = (of(Side::Client), of(Side::Server));
        let mut mixed = Vec::new();
        loop {
            let pair = [server.next(), client.next()];
            if pair == [None, None] {
                break;
            }
            mixed.extend(pair.into_iter().flatten());
        }
        for order in [mixed, of(Side::Client).chain(of(Side::Server)).collect(), {
            of(Side::Server).chain(of(Side::Client)).collect::<Vec<_>>()
        }] {
            let posture = play(case.declared, &order);
            assert_eq!(core(&posture), core(&play(case.declared, &whole)), "{}", case.capture.0);
        }
    }
}

#[test]
fn repeated_and_reordered_segments_read_the_same() {
    for case in CASES {
        let whole = segments(&script(case.capture.1));
        let expected = play(case.declared, &whole);
        let twice: Vec<_> = whole.iter().flat_map(|segment| [segment.clone(), segment.clone()]).collect();
        assert_eq!(play(case.declared, &twice), expected, "{}", case.capture.0);
        for swapped in 1..whole.len() {
            let mut order = whole.clone();
            order.swap(swapped - 1, swapped);
            let posture = play(case.declared, &order);
            assert_eq!(core(&posture), core(&expected), "{} swapped at {swapped}", case.capture.0);
        }
    }
}

#[test]
fn a_server_hello_alone_is_enough() {
    let (client, server) = tls13();
    let posture = play(None, &[(Side::Server, 0, server.clone())]);
    assert_eq!(posture.state, PostureState::Tls13);
    // One byte at a time, of which the kernel ships three.
    let shipped = [0, 1, 2].map(|at: u8| (Side::Client, u64::from(at), vec![client[usize::from(at)]]));
    let posture = play(None, shipped.iter().chain([&(Side::Server, 0, server)]));
    assert_eq!(posture.state, PostureState::Tls13);
}

#[test]
fn a_client_hello_alone_decides_nothing() {
    let (client, _) = tls13();
    let posture = play(None, &[(Side::Client, 0, client)]);
    assert_eq!(posture.state, PostureState::Unknown);
    assert_eq!(posture.evidence, "TLS ClientHello offering only TLS 1.3; the server's answer was not seen");
}

#[test]
fn a_server_hello_behind_a_gap_is_found() {
    let (client, server) = tls13();
    let info = b"INFO {\"server_id\":\"N\",\"connect_urls\":[\"".to_vec();
    let posture = play(
        Some("nats"),
        &[(Side::Server, 0, info), (Side::Client, 0, client), (Side::Server, 900, server)],
    );
    assert_eq!((posture.state, posture.version), (PostureState::StarttlsUpgraded, Some(TlsVersion::Tls13)));
    assert!(posture.evidence.starts_with("NATS INFO, then TLS ClientHello"), "{}", posture.evidence);
}

#[test]
fn a_beginning_that_was_not_captured_is_reported_so() {
    let posture = play(Some("postgresql"), &[(Side::Client, 700, b"Q\0\0\0\x0dselect 1".to_vec())]);
    assert_eq!(posture.state, PostureState::Unknown);
    assert!(posture.evidence.ends_with("a part was not captured"), "{}", posture.evidence);
}

#[test]
fn an_alert_does_not_hide_the_plaintext_it_replies_to() {
    let alert = (Side::Server, 0, b"\x15\x03\x01\0\x02\x02\x46".to_vec());
    let request = (Side::Client, 0, b"GET / HTTP/1.1\r\n".to_vec());
    for order in [[&alert, &request], [&request, &alert]] {
        assert_eq!(play(None, order).state, PostureState::Plaintext);
    }
}

/// What went before TLS, and no upgrade explains it, went in the clear: whatever follows, and in any order.
#[test]
fn hellos_behind_unknown_bytes_are_no_upgrade_in_any_order() {
    let (client, server) = tls13();
    for (own, state) in [
        (&b"\x01\x02 a protocol of one's own"[..], PostureState::Unrecognised),
        (b"name=Alice;iban=DE00\n", PostureState::Plaintext),
    ] {
        let unknown = (Side::Client, 0, own.to_vec());
        let offer = (Side::Client, own.len() as u64, client.clone());
        // Behind all that is kept, too.
        let late = (Side::Client, 60_000, client.clone());
        let reply = (Side::Server, 0, server.clone());
        for order in [
            [&unknown, &offer, &reply],
            [&unknown, &reply, &offer],
            [&reply, &unknown, &offer],
            [&offer, &reply, &unknown],
            [&unknown, &late, &reply],
            [&reply, &late, &unknown],
        ] {
            let posture = play(None, order);
            assert_eq!(posture.state, state, "{}", posture.evidence);
            assert_eq!((posture.version, posture.proof), (None, None));
        }
        assert_eq!(play(None, &bytes_apart(&[unknown.clone(), offer, reply])).state, state);
        // It is settled at once, whoever answers.
        let mut tracker = Tracker::new(None);
        assert_eq!(tracker.segment(Side::Client, 0, own).map(|posture| posture.state), Some(state));
        assert!(!tracker.wants_more());
    }
}

/// A receiver takes one of them, and which one is not known: it may have rejected a hello, and taken a request.
#[test]
fn bytes_that_came_twice_and_differ_prove_nothing() {
    let (client, server) = tls13();
    let request = b"GET /hello HTTP/1.1\r\n\r\n".to_vec();
    let pieces = [(Side::Client, 0, client), (Side::Client, 0, request), (Side::Server, 0, server)];
    let posture = play(None, &pieces);
    assert_eq!(posture.state, PostureState::Unknown);
    assert_eq!(posture.evidence, "the same bytes came twice, with different contents");
    let mut tracker = Tracker::new(None);
    tracker.segment(Side::Client, 0, &pieces[0].2);
    assert_eq!(tracker.distrust(), None, "nothing was reported");
    assert_eq!(tracker.segment(Side::Server, 0, &pieces[2].2), None);
    assert_eq!(tracker.conclude(), posture);
    // What came first was enough, and nothing else was awaited.
    assert_eq!(play(None, [&pieces[1], &pieces[0], &pieces[2]]).state, PostureState::Plaintext);
}

/// The reply to the request for TLS was not captured to its end: the hellos stand where the upgrade puts them.
#[test]
fn a_server_hello_behind_lines_of_a_cut_reply_is_found() {
    let (client, server) = tls13();
    let asked = b"EHLO a\r\nSTARTTLS\r\n".to_vec();
    let behind = [&b"220 ready\r\n"[..], &server].concat();
    let greeting = b"220 mx\r\n250-mx greets\r\n250-SI".to_vec();
    let segments = |behind: Vec<u8>| {
        [
            (Side::Server, 0, greeting.clone()),
            (Side::Client, asked.len() as u64, client.clone()),
            (Side::Client, 0, asked.clone()),
            (Side::Server, 700, behind),
        ]
    };
    let posture = play(Some("smtp"), &segments(behind));
    assert_eq!((posture.state, posture.version), (PostureState::StarttlsUpgraded, Some(TlsVersion::Tls13)));
    assert_eq!(posture.proof, Some(Proof::Echo));
    // Not in the middle of something else.
    let stored = play(Some("smtp"), &segments([&b"\x01 a value"[..], &server].concat()));
    assert_eq!((stored.state, stored.version), (PostureState::StarttlsUpgraded, None));
}

/// What is sent again from before a hello shows that it stands in the middle of something.
#[test]
fn a_hello_that_turns_out_to_begin_no_segment_is_retracted() {
    let (client, server) = tls13();
    let mut tracker = Tracker::new(Protocol::by_id("nats"));
    assert_eq!(tracker.segment(Side::Server, 0, b"INFO {\"server_id\":\"N\""), None);
    let upgraded = tracker.segment(Side::Client, 0, &client).expect("INFO and the client's hello");
    assert_eq!((upgraded.state, upgraded.version), (PostureState::StarttlsUpgraded, None));
    let known = tracker.segment(Side::Server, 3_000, &server).expect("both hellos are there");
    assert_eq!(known.version, Some(TlsVersion::Tls13));
    let again = [&b"\x01 a value: "[..], &server[..20]].concat();
    let retracted = tracker.segment(Side::Server, 2_989, &again).expect("that changes it");
    assert_eq!((retracted.state, retracted.version), (PostureState::StarttlsUpgraded, None));
}

/// Its first byte is one of a session over NetBIOS: the rest of its header is waited for.
#[test]
fn a_session_of_smb_in_pieces_is_read_like_a_whole_one() {
    let whole = [(Side::Client, 0, b"\x81\0\0\x44 CKFDENECFDEFFCFGEFFCCACACACACACA".to_vec())];
    let expected = play(None, &whole);
    assert_eq!(expected.state, PostureState::Unknown, "{expected:?}");
    for at in 1..8 {
        let (first, second) = whole[0].2.split_at(at);
        let cut = [(Side::Client, 0, first.to_vec()), (Side::Client, at as u64, second.to_vec())];
        assert_eq!(core(&play(None, &cut)), core(&expected), "cut at {at}");
    }
}
