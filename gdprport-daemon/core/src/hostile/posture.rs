//! The first bytes of both directions of a flow.
//!
//! A reading is a function of the bytes alone: it must not depend on how they were cut into segments. It stays within
//! its memory, what it reports is bounded text, and what was reported is retracted or refined only where later bytes
//! are evidence of it. Behind a beginning that no upgrade explains nothing counts as encrypted.

use super::input::{Dice, Input};
use crate::catalog;
use crate::model::{Posture, PostureState, Proof, TlsVersion};
use crate::posture::{Protocol, Side, Tracker};

/// The most segments of one script: more than the kernel side hands over.
const SEGMENTS: usize = 24;

/// Scripts of up to this many bytes are also played one byte at a time; longer ones would take too long.
const BYTE_BY_BYTE: usize = 300;

/// A segment: who sent it, where it begins in its direction, and its bytes.
type Segment<'a> = (Side, u64, &'a [u8]);

/// Any segments on a port of any protocol. The first byte chooses the service that the port is declared to carry, the
/// rest are segments: a byte for the side and whether it follows the last one, two of its length, its bytes.
pub fn posture(bytes: &[u8]) {
    let mut input = Input(bytes);
    let declared = usize::from(input.u8()).checked_sub(1).map(|at| at % catalog::SERVICES.len());
    let declared = declared.and_then(|at| Protocol::by_id(catalog::SERVICES[at].id));
    let mut segments = Vec::new();
    let mut sent = [0_u64; 2];
    let (mut whole, mut twice) = (true, false);
    while !input.is_empty() && segments.len() < SEGMENTS {
        let how = input.u8();
        let side = if how & 1 == 0 { Side::Client } else { Side::Server };
        let sent = &mut sent[usize::from(how & 1)];
        let offset = match how >> 6 {
            // A repetition from anywhere before, with other bytes maybe.
            1 => {
                twice = true;
                sent.saturating_sub(u64::from(input.u8()))
            }
            2 => {
                whole = false;
                sent.saturating_add(u64::from(input.u16()))
            }
            3 if how & 32 != 0 => {
                whole = false;
                input.u64()
            }
            _ => *sent,
        };
        let length = input.u16();
        let bytes = input.take(usize::from(length));
        *sent = (*sent).max(offset.saturating_add(bytes.len() as u64));
        segments.push((side, offset, bytes));
    }
    let posture = play(declared, &segments, whole);
    if whole {
        however_cut(declared, &segments, &posture, &mut Dice::new(bytes));
        behind_plaintext(declared, &segments);
        if !twice {
            in_any_order(declared, &segments, &posture);
        }
    }
}

/// Whatever counts as encrypted does so whichever direction came first. `segments` miss nothing, and none has bytes of
/// another.
fn in_any_order(declared: Option<Protocol>, segments: &[Segment<'_>], expected: &Posture) {
    let of = |wanted: Side| segments.iter().filter(move |(side, ..)| *side == wanted).copied();
    let orders = [of(Side::Client).chain(of(Side::Server)), of(Side::Server).chain(of(Side::Client))];
    for order in orders.map(Iterator::collect::<Vec<_>>) {
        let turned = play(declared, &order, true);
        if encrypts(&turned) || encrypts(expected) {
            assert_eq!(decided(&turned), decided(expected), "in any order:\n{turned:?}\n{expected:?}");
        }
    }
}

/// The same behind bytes that begin no protocol. `segments` miss nothing.
fn behind_plaintext(declared: Option<Protocol>, segments: &[Segment<'_>]) {
    const PREFACE: &[u8] = b"\x01\0\0\0name=Alice;iban=DE00;";
    let later = segments.iter().map(|(side, offset, bytes)| match side {
        Side::Client => (*side, offset + PREFACE.len() as u64, *bytes),
        Side::Server => (*side, *offset, *bytes),
    });
    let segments: Vec<_> = [(Side::Client, 0, PREFACE)].into_iter().chain(later).collect();
    let posture = play(declared, &segments, true);
    assert!(!posture.state.is_tls(), "what went before TLS went in the clear: {posture:?}");
}

/// Any bytes of a TLS handshake: alone, and inside an upgrade. The first two bytes are the length of the client's part;
/// their highest bit, whether the server's part is its certificate, behind a hello of TLS 1.2.
pub fn tls(bytes: &[u8]) {
    let mut input = Input(bytes);
    let shape = input.u16();
    let client = input.take(usize::from(shape & 0x0FFF));
    let server = if shape & 0x8000 == 0 { input.0.to_vec() } else { behind_a_hello(input.0) };
    let direct = [(Side::Client, 0, client), (Side::Server, 0, &server[..])];
    let posture = play(None, &direct, true);
    let mut dice = Dice::new(bytes);
    however_cut(None, &direct, &posture, &mut dice);
    let turned = play(None, &[direct[1], direct[0]], true);
    assert_eq!(decided(&turned), decided(&posture), "in any order of the directions");

    const ASK: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let upgraded = [
        (Side::Client, 0, ASK),
        (Side::Server, 0, &b"S"[..]),
        (Side::Client, 8, client),
        (Side::Server, 1, &server),
    ];
    let upgrade = play(Protocol::by_id("postgresql"), &upgraded, true);
    however_cut(Protocol::by_id("postgresql"), &upgraded, &upgrade, &mut dice);
    if upgrade.version.is_some() && posture.version.is_some() && !client.is_empty() {
        // Where the head of a direction is full it ends a byte earlier behind the upgrade, maybe within a name.
        let seen = |posture: &Posture| {
            let certificate = posture.certificate.clone().filter(|_| server.len() < 2_000);
            (posture.version, posture.cipher.clone(), certificate)
        };
        assert_eq!(
            seen(&upgrade),
            seen(&posture),
            "an upgrade changes nothing of the handshake: {upgrade:?} {posture:?}"
        );
    }
}

/// A certificate message of these bytes behind a ServerHello of TLS 1.2.
fn behind_a_hello(certificate: &[u8]) -> Vec<u8> {
    let mut hello = vec![2, 0, 0, 38, 3, 3];
    hello.resize(38, 0x5A);
    hello.extend([0, 0xC0, 0x2F, 0]);
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(0).to_be_bytes();
    let size = certificate.len();
    let [_, a, b, c] = length(size);
    let [_, d, e, f] = length(size + 3);
    let [_, g, h, i] = length(size + 6);
    let message = [&hello[..], &[11, g, h, i, d, e, f, a, b, c], certificate].concat();
    let mut stream = Vec::new();
    for fragment in message.chunks(1 << 14) {
        let [_, _, high, low] = length(fragment.len());
        stream.extend([22, 3, 3, high, low]);
        stream.extend(fragment);
    }
    stream
}

/// Plays segments in this order, holds every step against the promises, and concludes.
fn play(declared: Option<Protocol>, segments: &[Segment<'_>], whole: bool) -> Posture {
    let mut tracker = Tracker::new(declared);
    let mut last: Option<Posture> = None;
    // Whether bytes of the client were there at all, and when the last posture was reported.
    let (mut client_seen, mut one_sided) = (false, false);
    for (side, offset, bytes) in segments {
        client_seen |= *side == Side::Client && !bytes.is_empty();
        let settled = (!tracker.wants_more()).then(|| tracker.conclude());
        let reported = tracker.segment(*side, *offset, bytes);
        assert!(tracker.held() <= Tracker::MAX_BYTES, "{} bytes are held", tracker.held());
        if let Some(settled) = settled {
            assert!(reported.is_none() && !tracker.wants_more(), "settled is settled");
            assert_eq!(settled, tracker.conclude(), "settled is settled");
        }
        if let Some(reported) = reported {
            is_bounded(&reported);
            if let Some(last) = last.as_ref().filter(|_| whole) {
                assert!(may_follow(last, &reported, one_sided), "{reported:?} cannot follow {last:?}");
            }
            last = Some(reported);
            one_sided = !client_seen;
        }
    }
    let concluded = tracker.conclude();
    is_bounded(&concluded);
    match last {
        Some(reported) if reported.state != PostureState::Unknown => {
            assert_eq!(reported, concluded, "what was reported last is concluded");
        }
        // The end shows that nothing follows a few bytes of no TLS.
        _ => assert!(
            matches!(
                concluded.state,
                PostureState::Unknown | PostureState::Unrecognised | PostureState::Plaintext
            ),
            "what is concluded was reported: {concluded:?}"
        ),
    }
    concluded
}

/// Whether one posture can be reported after the other, if nothing of the beginning is missing. `one_sided`: only bytes
/// of the server were there until then. Behind an upgrade the posture itself says so.
fn may_follow(reported: &Posture, next: &Posture, one_sided: bool) -> bool {
    use PostureState::{
        EncryptedOther, Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unknown, Unrecognised,
        WeakTls,
    };
    let one_sided = one_sided || reported.proof == Some(Proof::OneSide);
    let same = reported.version == next.version && reported.cipher == next.cipher;
    match (reported.state, next.state) {
        // What the handshake behind the upgrade is worth is still open, and it may fail; or the server's reply, which the
        // client did not wait for, refuses it.
        (
            StarttlsUpgraded,
            StarttlsUpgraded | StarttlsRefused | WeakTls | Plaintext | Unrecognised | Unknown,
        ) if reported.version.is_none() => true,
        // Which bytes a receiver took is not known, so nothing is that was not settled.
        (_, Unknown) if next.evidence.starts_with("the same bytes came twice") => true,
        // Retracted; then as if nothing had been reported.
        (Unknown, _) => true,
        // What followed the hellos may turn out not to be TLS, or the hellos no pair.
        (Tls12 | Tls13 | StarttlsUpgraded, Unrecognised) => true,
        // The server's bytes behind its hello are not TLS; the client's may show what they are instead.
        (Unrecognised, Plaintext) if reported.evidence.contains("ServerHello") => true,
        // A suite that is weak or does not encrypt, chosen while only a beginning of the client's bytes was there: they may
        // turn out to be no hello.
        (WeakTls | Plaintext, Unrecognised | Plaintext | Unknown)
            if reported.evidence.contains("ServerHello") =>
        {
            true
        }
        // Later packets of a layer may turn out not to be encrypted.
        (EncryptedOther, Plaintext | Unknown) => true,
        // The rest of the request may ask for TLS, whatever comes of that.
        (Plaintext, StarttlsUpgraded | StarttlsRefused | WeakTls | Unrecognised | Unknown)
            if reported.evidence.starts_with("HTTP/1 request without TLS") =>
        {
            true
        }
        // A refusal is one, and stays one: only its evidence grows when the client goes on.
        (StarttlsRefused, StarttlsRefused) => true,
        // What the server's hello replied to is known once bytes of the client are there: it need not be TLS.
        (Tls12 | Tls13, StarttlsUpgraded) if one_sided => same,
        (_, Plaintext | StarttlsRefused | Unrecognised | Unknown) if one_sided => true,
        // Otherwise only more of the same: the name that was asked for, the certificate.
        (before, after) => before == after && same,
    }
}

/// The same bytes in the same order, cut in other places, are read the same.
fn however_cut(declared: Option<Protocol>, segments: &[Segment<'_>], expected: &Posture, dice: &mut Dice) {
    let mut cut = Vec::new();
    for (side, offset, bytes) in segments {
        let mut rest = *bytes;
        let mut at = *offset;
        for _ in 0..3 {
            let (first, behind) = rest.split_at(dice.below(rest.len() + 1));
            cut.push((*side, at, first));
            at += first.len() as u64;
            rest = behind;
        }
        cut.push((*side, at, rest));
    }
    same(&play(declared, &cut, true), expected);
    if segments.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>() <= BYTE_BY_BYTE {
        let bytes = segments.iter().flat_map(|(side, offset, bytes)| {
            (*offset..).zip(bytes.chunks(1)).map(|(offset, byte)| (*side, offset, byte))
        });
        same(&play(declared, &bytes.collect::<Vec<_>>(), true), expected);
    }
}

fn same(cut: &Posture, whole: &Posture) {
    assert_eq!(decided(cut), decided(whole), "however it is cut:\n{cut:?}\n{whole:?}");
}

/// What must not depend on how the bytes came.
fn decided(posture: &Posture) -> (PostureState, Option<TlsVersion>, Option<&str>) {
    (posture.state, posture.version, posture.cipher.as_deref())
}

/// Whether it counts as encrypted, whatever is demanded.
fn encrypts(posture: &Posture) -> bool {
    posture.state == PostureState::EncryptedOther || posture.state.is_tls() && posture.version.is_some()
}

/// Every text is short and printable, and the evidence is not empty.
fn is_bounded(posture: &Posture) {
    let Posture { state, version, proof, evidence, cipher, sni, alpn, certificate } = posture;
    assert!(!evidence.is_empty() && evidence.len() < 512, "{evidence}");
    assert!(alpn.len() <= 8);
    let counts = state.is_tls() && version.is_some();
    assert_eq!(proof.is_some(), counts, "TLS says how far it is proven, nothing else does: {posture:?}");
    let names = certificate.iter().flat_map(|of| [&of.subject, &of.issuer]);
    for name in names.clone() {
        assert!(name.chars().count() <= 256, "{name}");
    }
    let texts = [evidence.as_str()].into_iter().chain(names.map(String::as_str));
    for text in texts.chain(cipher.iter().chain(sni).chain(alpn).map(AsRef::as_ref)) {
        assert!(text.len() <= 1024 && !text.chars().any(char::is_control), "{text:?}");
    }
}
