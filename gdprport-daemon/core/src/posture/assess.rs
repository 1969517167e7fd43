//! From the bytes of both directions to a reading: TLS first, then the declared protocol, then any other.
//!
//! Belongs here: the order of the questions. It is a function of the bytes alone, without memory, so that a flow reads
//! the same however it was cut into segments.

use super::protocols::tunnel::{self, Tunnel};
use super::proxy;
use super::reading::{Dialogue, Reading};
use super::stream::Stream;
use super::table::{Protocol, ROWS};
use super::tls::{self, Handshake};
use super::upgrade;
use crate::model::PostureState;

/// Why a flow is not known of which a receiver took other bytes than were captured, or may have.
pub(super) const CONTRADICTED: &str = "the same bytes came twice, with different contents";

/// What the bytes of both directions amount to.
pub(super) fn assess(declared: Option<Protocol>, client: &Stream, server: &Stream) -> Reading {
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
    let reading = read(declared, &dialogue);
    let behind_a_gap = match &reading {
        Reading::Foreign | Reading::Open(_) => {
            unread(&dialogue).and_then(|how| resynchronised(how, client_head, client, server))
        }
        Reading::Seen { posture, .. }
            if posture.state == PostureState::StarttlsUpgraded && posture.version.is_none() =>
        {
            resynchronised(&posture.evidence, client_head, client, server)
        }
        Reading::Seen { .. } | Reading::Never(_) => None,
    };
    match behind_a_gap.unwrap_or(reading) {
        Reading::Foreign => unrecognised(declared, &dialogue, server),
        reading => reading,
    }
}

fn read(declared: Option<Protocol>, dialogue: &Dialogue<'_>) -> Reading {
    let offer = match tls::read(dialogue.client, dialogue.server, dialogue.cut) {
        Handshake::Chosen(choice) => {
            return Reading::Seen { posture: choice.posture(None), awaits: choice.awaits };
        }
        Handshake::Refused { text, settled: true } => return Reading::Never(text.into()),
        Handshake::Refused { text, settled: false } => return Reading::Open(text.into()),
        Handshake::Offered(text) => {
            return Reading::Open(format!("{text}; the server's answer was not seen").into());
        }
        Handshake::Open if !dialogue.client.is_empty() => {
            return Reading::open("too few bytes of what may be a TLS ClientHello");
        }
        Handshake::Contradicted => true,
        Handshake::Open | Handshake::Not => false,
    };
    match recognise(declared, dialogue) {
        Reading::Foreign if offer => {
            Reading::Never("TLS ClientHello, which the server did not answer with TLS".into())
        }
        reading => reading,
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
    match ask(declared, inner) {
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
        Some(why) if waiting == 1 => Reading::Open(why),
        Some(_) => Reading::open("too few bytes to tell the protocol"),
    }
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

/// What came before a ServerHello that is found without its beginning, if it was not the beginning of TLS.
fn unread(dialogue: &Dialogue<'_>) -> Option<&'static str> {
    let starts = |client, server| {
        client == b"" && server == b"" || tls::read(client, server, [true; 2]) != Handshake::Not
    };
    let tls = starts(dialogue.client, b"") && starts(b"", dialogue.server);
    if tls { None } else { Some("a beginning that was not read") }
}

/// Looks for both hellos where they are not expected: the server's at the start of a segment behind a gap, or as its
/// first bytes, and the client's anywhere. For dialogues longer than what is captured of them, and unknown ones. `how`
/// is what came before. A ServerHello alone proves nothing here: a file or a stored value may begin like one.
fn resynchronised(how: &str, client_head: &[u8], client: &Stream, server: &Stream) -> Option<Reading> {
    let reply = server_hello(server)?;
    let offer = std::iter::once(client_head).chain(client.islands()).find_map(tls::client_hello_within)?;
    match tls::read(offer, reply, [true; 2]) {
        Handshake::Chosen(choice) => Some(Reading::so_far(choice.posture(Some(how)))),
        _ => None,
    }
}

/// The server's bytes from its first ServerHello on that begins what was captured of a segment.
fn server_hello(server: &Stream) -> Option<&[u8]> {
    let hello = |bytes: &&[u8]| matches!(tls::read(&[], bytes, [true; 2]), Handshake::Chosen(_));
    std::iter::once(server.head()).chain(server.islands()).find(hello)
}

/// No protocol is known that begins so.
fn unrecognised(declared: Option<Protocol>, dialogue: &Dialogue<'_>, server: &Stream) -> Reading {
    let what = match declared {
        Some(protocol) => {
            format!("the first bytes are neither TLS nor {} nor another known protocol", protocol.id())
        }
        None => "the first bytes match no known protocol".to_owned(),
    };
    // Both hellos would show that such bytes led to TLS: until bytes of the server are there, or the client's hello to
    // the server's, nothing is settled.
    let unseen = matches!(tls::read(&[], dialogue.server, dialogue.cut), Handshake::Open);
    if dialogue.client.is_empty() || unseen || server_hello(server).is_some() {
        Reading::Open(what.into())
    } else {
        Reading::Never(what.into())
    }
}
