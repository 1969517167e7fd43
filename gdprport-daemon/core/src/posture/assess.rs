//! From the bytes of both directions to a reading: TLS first, then the declared protocol, then any other.
//!
//! Belongs here: the order of the questions. It is a function of the bytes alone, without memory, so that a flow reads
//! the same however it was cut into segments.

use super::protocols::tunnel::{self, Tunnel};
use super::proxy;
use super::readable::{behind_lines, is_readable};
use super::reading::{Awaits, Dialogue, Reading};
use super::stream::Stream;
use super::table::{Protocol, ROWS};
use super::tls::{self, Handshake, ServerChoice};
use super::upgrade;
use crate::model::{Posture, PostureState};

/// Why a flow is not known of which a receiver took other bytes than were captured, or may have.
pub(super) const CONTRADICTED: &str = "the same bytes came twice, with different contents";

/// How long a line of text is waited for that several protocols may begin with: none of them has a first command that
/// long before its upgrade.
const LONG: usize = 256;

/// What the bytes of both directions amount to; `ended`: if no more will come.
pub(super) fn assess(declared: Option<Protocol>, client: &Stream, server: &Stream, ended: bool) -> Reading {
    if client.is_empty() && client.skipped() == 0 && server.is_empty() {
        return Reading::open("no payload was captured");
    }
    if client.is_contradicted() || server.is_contradicted() {
        return Reading::Never(CONTRADICTED.into());
    }
    let Some(client_head) = proxy::behind(client) else {
        return Reading::open("only a PROXY protocol header was seen");
    };
    let cut = [client.is_cut(), server.is_cut()];
    let dialogue = Dialogue { client: client_head, server: server.head(), declared: true, cut };
    let hidden = client.islands().next().filter(|_| client_head.is_empty());
    match read(declared, &dialogue, hidden) {
        Reading::Foreign => unrecognised(declared, &dialogue, ended),
        Reading::Seen { posture, awaits: Awaits::ServerHello { offer } } => {
            let offer = client_head.len().checked_sub(offer).map(|at| &client_head[at..]);
            let reply = offer.and_then(|offer| behind_a_gap(&posture.evidence, offer, server));
            reply.unwrap_or(Reading::so_far(posture))
        }
        reading => reading,
    }
}

/// `hidden`: what is there of the client, if its first bytes are not.
fn read(declared: Option<Protocol>, dialogue: &Dialogue<'_>, hidden: Option<&[u8]>) -> Reading {
    let contradicted = match tls::read(dialogue.client, dialogue.server, dialogue.cut) {
        Handshake::Chosen(choice) => return chosen(&choice, hidden),
        Handshake::Refused { text, settled: true } => return Reading::Never(text.into()),
        Handshake::Refused { text, settled: false } => return Reading::Open(text.into()),
        Handshake::Offered(text) => {
            return Reading::Open(format!("{text}; the server's answer was not seen").into());
        }
        Handshake::Open if !dialogue.client.is_empty() => {
            return Reading::open("too few bytes of what may be a TLS ClientHello");
        }
        Handshake::Contradicted(what) => Some(what),
        Handshake::Open | Handshake::Not => None,
    };
    if let Some(reading) = reversed(dialogue) {
        return reading;
    }
    match (recognise(declared, dialogue), contradicted) {
        (Reading::Foreign, Some(what)) => upgrade::unrecognised(format!("TLS ClientHello, {what}")),
        (reading, _) => reading,
    }
}

/// The server's hello stands at the beginning. If the client's own first bytes are not there (they came with the TCP
/// handshake), those that are must not show that they were no ClientHello.
fn chosen(choice: &ServerChoice, hidden: Option<&[u8]>) -> Reading {
    if let Some(hidden) = hidden.filter(|_| choice.is_one_sided()) {
        // They themselves may still come.
        let so_far = |state, evidence: &str| Reading::so_far(Posture::new(state, evidence));
        if is_readable(hidden) == Some(true) {
            let evidence = "readable text of the client, answered by what begins like a ServerHello";
            return so_far(PostureState::Plaintext, evidence);
        }
        // Only a HelloRetryRequest is followed by another.
        let hello = matches!(tls::read(hidden, &[], [true; 2]), Handshake::Offered(_));
        if hello && !choice.is_retry() {
            let evidence = "TLS handshake behind a beginning that was not captured";
            return so_far(PostureState::Unrecognised, evidence);
        }
    }
    Reading::Seen { posture: choice.posture(None), awaits: choice.awaits }
}

/// TLS whose client is the end that accepted the connection, as where a connection is relayed or made for another. Both
/// hellos must be there: what a client sends on its own proves nothing.
fn reversed(dialogue: &Dialogue<'_>) -> Option<Reading> {
    if dialogue.server.is_empty() && dialogue.client.first() == Some(&tls::HANDSHAKE) {
        let hello = tls::read(&[], dialogue.client, [true; 2]);
        return matches!(hello, Handshake::Chosen(choice) if choice.is_one_sided())
            .then(|| Reading::open("ServerHello by the end that connected; what it answers was not seen"));
    }
    if dialogue.server.first() != Some(&tls::HANDSHAKE) {
        return None;
    }
    let [client_cut, server_cut] = dialogue.cut;
    match tls::read(dialogue.server, dialogue.client, [server_cut, client_cut]) {
        Handshake::Chosen(choice) if !choice.is_one_sided() => {
            let mut posture = choice.posture(None);
            posture.evidence += ", by the end that connected: the roles in TLS are reversed";
            let awaits = if choice.awaits == Awaits::Nothing { Awaits::Nothing } else { Awaits::Bytes };
            Some(Reading::Seen { posture, awaits })
        }
        Handshake::Refused { text, .. } => {
            Some(Reading::Open(format!("{text}, which is the end that connected").into()))
        }
        Handshake::Offered(text) => {
            Some(Reading::Open(format!("{text} by the end that accepted; the answer was not seen").into()))
        }
        _ => None,
    }
}

/// Asks the protocols: of what travels through a tunnel, if the client asks for one, and of what stands behind blank
/// lines, if nothing begins with them. Servers of HTTP, SIP, Redis and mail let those pass (RFC 9112 §2.2).
fn recognise(declared: Option<Protocol>, dialogue: &Dialogue<'_>) -> Reading {
    match tunnel::asked(dialogue) {
        Some(Tunnel::Closed(reading)) => return reading,
        Some(Tunnel::Through { how, client, server }) => {
            return through(declared, how, &Dialogue { client, server, ..*dialogue });
        }
        None => {}
    }
    let blank = dialogue.client.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    match ask(declared, dialogue) {
        Reading::Foreign if blank > 0 => {
            ask(declared, &Dialogue { client: &dialogue.client[blank..], ..*dialogue })
        }
        reading => reading,
    }
}

/// Reads what travels through a tunnel that was opened by `how`.
fn through(declared: Option<Protocol>, how: &str, inner: &Dialogue<'_>) -> Reading {
    // The hello of a server alone may be any bytes that the proxy was asked for.
    let hello = (!inner.client.is_empty()).then(|| upgrade::after(how, inner, inner.client, inner.server));
    match hello.flatten() {
        None | Some(Reading::Open(_)) => {}
        Some(reading) => return reading,
    }
    let reading = match ask(declared, inner) {
        Reading::Foreign if !inner.client.is_empty() => unrecognised(declared, inner, false),
        reading => reading,
    };
    match reading {
        Reading::Seen { mut posture, awaits } => {
            posture.evidence = format!("{how}, then {}", posture.evidence);
            Reading::Seen { posture, awaits }
        }
        Reading::Never(why) => Reading::Never(format!("{how}, then {why}").into()),
        Reading::Open(why) => Reading::Open(format!("{how}, then {why}").into()),
        Reading::Foreign => Reading::Open(format!("{how}: what travels through it is not known").into()),
    }
}

/// Asks the declared protocol, then all others. Bytes that contradict a declared protocol win.
fn ask(declared: Option<Protocol>, dialogue: &Dialogue<'_>) -> Reading {
    let mut open = None;
    if let Some(protocol) = declared {
        for row in ROWS.iter().filter(|row| row.serves(protocol.id())) {
            match row.read(dialogue) {
                Reading::Foreign => {}
                Reading::Open(why) => open = open.or(Some(why)),
                decided => return decided,
            }
        }
        if let Some(why) = open {
            return Reading::Open(why);
        }
    }
    let undeclared = Dialogue { declared: false, ..*dialogue };
    let mut waiting = 0;
    for row in ROWS.iter().filter(|row| declared.is_none_or(|protocol| !row.serves(protocol.id()))) {
        match row.read(&undeclared) {
            Reading::Foreign => {}
            Reading::Open(why) => {
                waiting += 1;
                open = open.or(Some(why));
            }
            decided => return with_contradiction(decided, declared),
        }
    }
    match open {
        None => Reading::Foreign,
        Some(_) if dialogue.client.is_empty() => Reading::open("nothing of the client was seen"),
        Some(why) if waiting == 1 => {
            // Several may have waited at the least bytes that decide it: what those came to stays.
            let then = Dialogue { client: dialogue.client.get(..LONG).unwrap_or_default(), ..*dialogue };
            let longer = dialogue.client.len() > LONG && is_long_text(dialogue.client);
            match longer.then(|| ask(declared, &then)) {
                Some(decided @ Reading::Seen { .. }) => decided,
                _ => Reading::Open(why),
            }
        }
        Some(_) if is_long_text(dialogue.client) => {
            upgrade::plaintext("readable text without TLS, of a protocol that it does not show")
        }
        Some(_) => Reading::open("too few bytes to tell the protocol"),
    }
}

/// Whether a line of text stands at the beginning that is too long to be waited for.
fn is_long_text(client: &[u8]) -> bool {
    client.get(..LONG).is_some_and(|line| is_readable(line) == Some(true) && !line.contains(&b'\n'))
}

/// Adds to the evidence that the port is declared to carry something else.
fn with_contradiction(reading: Reading, declared: Option<Protocol>) -> Reading {
    let Some(protocol) = declared else { return reading };
    match reading {
        Reading::Seen { mut posture, awaits } => {
            posture.evidence += &format!(" (declared: {})", protocol.id());
            Reading::Seen { posture, awaits }
        }
        Reading::Never(why) => Reading::Never(format!("{why} (declared: {})", protocol.id()).into()),
        other => other,
    }
}

/// The handshake of an upgrade whose reply was not captured to its end: the client's hello `offer` stands where the
/// upgrade puts it, and the server's begins a segment behind a gap, or follows lines of text there. `how` is what came
/// before.
fn behind_a_gap(how: &str, offer: &[u8], server: &Stream) -> Option<Reading> {
    let reply =
        server.islands().map(behind_lines).find_map(|reply| match tls::read(offer, reply, [true; 2]) {
            Handshake::Chosen(choice) => Some(choice.posture(Some(how))),
            _ => None,
        });
    reply.map(Reading::so_far)
}

/// No protocol is known that begins so. What went before TLS in this way went in the clear, whatever follows.
fn unrecognised(declared: Option<Protocol>, dialogue: &Dialogue<'_>, ended: bool) -> Reading {
    if dialogue.server.is_empty() && tunnel::may_begin(dialogue.client) {
        return Reading::open("SOCKS: the server's answer was not seen");
    }
    let readable = is_readable(dialogue.client);
    let be = if readable == Some(true) { "are readable text, " } else { "are " };
    let what = match declared {
        Some(protocol) => {
            format!("the first bytes {be}neither TLS nor {} nor another known protocol", protocol.id())
        }
        None => format!("the first bytes {be}neither TLS nor a known protocol"),
    };
    match readable {
        _ if dialogue.client.is_empty() => Reading::Open(what.into()),
        Some(true) => upgrade::plaintext(what),
        None if !ended => Reading::Open(what.into()),
        _ => upgrade::unrecognised(what),
    }
}
