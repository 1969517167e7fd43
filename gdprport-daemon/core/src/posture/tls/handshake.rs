//! The reading of a handshake from both sides' first bytes, and its evidence.

use std::sync::Arc;

use super::client_hello::{self, ClientHello};
use super::record::{self, Messages, Next};
use super::server_hello::{self, ServerHello};
use super::suites::{self, Worth};
use super::{alert, certificate, sslv2};
use crate::model::{Certificate, Posture, PostureState, Proof, TlsVersion};
use crate::posture::reading::Awaits;

/// What the bytes of both sides amount to, read as TLS from their first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::posture) enum Handshake {
    /// The client's bytes are not TLS; or there are none, and the server's are not.
    Not,
    /// Too few bytes; what there is may be TLS.
    Open,
    /// The client made an offer, and what followed is not TLS. What that was.
    Contradicted(&'static str),
    /// The client made an offer. Its description.
    Offered(String),
    /// The server refused by an alert.
    Refused {
        /// Its description.
        text: String,
        /// The client's offer was seen to its end, so that it is what was refused, and nothing but TLS follows it.
        settled: bool,
    },
    /// The server chose.
    Chosen(ServerChoice),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::posture) struct ServerChoice {
    version: TlsVersion,
    /// None for SSL 2, whose suites have other numbers.
    suite: Option<u16>,
    retry: bool,
    sni: Option<Arc<str>>,
    alpn: Vec<Arc<str>>,
    certificate: Option<Certificate>,
    /// How far both sides took part, or what shows that no TLS came of it.
    proof: Result<Proof, Flaw>,
    /// What can still be learned of the handshake.
    pub awaits: Awaits,
}

/// Why no TLS came of two hellos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The client goes on behind its hello with something else than TLS, whatever the server's hello is.
    Client,
    /// The server does.
    Server,
    /// The server's hello is none that a client goes on with.
    Hello(&'static str),
}

impl Flaw {
    fn text(self) -> String {
        match self {
            Self::Client => format!(", {BYTES_OF_CLIENT}"),
            Self::Server => ", then bytes of the server that are not TLS".to_owned(),
            Self::Hello(what) => format!(", but with {what}"),
        }
    }
}

/// Room for most descriptions of a choice, in bytes: they are made again with every piece until nothing is awaited.
const EVIDENCE: usize = 160;

/// What contradicts a client's hello.
const BYTES_OF_CLIENT: &str = "then bytes of the client that are not TLS";

enum ClientStart<'a> {
    Open,
    Not,
    /// It begins as a hello, and is none: what the server said to its beginning may have been an answer.
    Malformed,
    /// With what stands behind it.
    Hello(ClientHello<'a>, Next),
    /// A hello in the form of SSL 2, with the newest version it offers and what stands behind it.
    Old(TlsVersion, Next),
}

enum ServerStart<'a> {
    Open,
    Not,
    Alert(u8),
    /// With what stands behind it.
    Hello {
        hello: ServerHello<'a>,
        next: Next,
        certificate: Option<Certificate>,
        settled: bool,
    },
}

/// Reads the first bytes of both sides. A server's hello is enough: it replies to a client's that was not captured.
/// `cut`: bytes are missing behind what is there of the client and of the server, so that no more will come.
pub(in crate::posture) fn read(client: &[u8], server: &[u8], cut: [bool; 2]) -> Handshake {
    let messages = record::messages(client);
    let offer = match read_client(client, &messages) {
        ClientStart::Not => return Handshake::Not,
        ClientStart::Malformed => return Handshake::Contradicted("which is malformed"),
        ClientStart::Open => None,
        ClientStart::Hello(hello, next) => Some((hello, next)),
        ClientStart::Old(newest, next) => {
            let offer = ClientHello::of_ssl2(newest);
            match sslv2::server_hello(server) {
                Some(true) => return Handshake::Chosen(ServerChoice::ssl2()),
                Some(false) => Some((offer, next)),
                None => return Handshake::Offered(format!("SSL 2 ClientHello {}", offer.offer())),
            }
        }
    };
    let server = alert::behind_warnings(server);
    let messages = record::messages(server);
    match (read_server(server, &messages, cut[1]), offer) {
        (ServerStart::Hello { hello, next, certificate, settled }, offer) => {
            let proof = match &offer {
                None => Ok(Proof::OneSide),
                Some((client, _)) => client.allows(&hello).map_err(Flaw::Hello),
            };
            let (client, client_next) = offer.unwrap_or_default();
            let proof = match (client_next, next) {
                (Next::Other, _) => Err(Flaw::Client),
                _ if hello.contradicts_itself => Err(Flaw::Hello("extensions of another version")),
                (_, Next::Other) => Err(Flaw::Server),
                _ => proof,
            };
            // What follows in a direction that is cut behind its hello will not be seen.
            let awaits = match client_next {
                _ if !settled => Awaits::Bytes,
                next if cut[0] || next.is_decided() => Awaits::Nothing,
                Next::Open(captured) => Awaits::ClientRecord { captured },
                _ => Awaits::Bytes,
            };
            Handshake::Chosen(ServerChoice {
                version: hello.version,
                suite: Some(hello.suite),
                retry: hello.retry,
                sni: client.sni,
                alpn: client.alpn,
                certificate,
                proof,
                awaits,
            })
        }
        (ServerStart::Open | ServerStart::Alert(_), Some((_, Next::Other))) => {
            Handshake::Contradicted(BYTES_OF_CLIENT)
        }
        (ServerStart::Alert(description), offer) => {
            let settled = offer.as_ref().is_some_and(|(_, next)| cut[0] || next.is_decided());
            let to =
                offer.map(|(offer, _)| format!(", to a ClientHello {}", offer.offer())).unwrap_or_default();
            let text = format!("TLS alert {} by the server{to}", alert::name(description));
            Handshake::Refused { text, settled }
        }
        (ServerStart::Not, None) if client.is_empty() => Handshake::Not,
        (ServerStart::Not, Some(_)) => Handshake::Contradicted("which the server did not answer with TLS"),
        (ServerStart::Open, Some((offer, _))) => {
            Handshake::Offered(format!("TLS ClientHello {}", offer.offer()))
        }
        (_, None) => Handshake::Open,
    }
}

impl ServerChoice {
    /// Whether the client's hello was not seen.
    pub(in crate::posture) fn is_one_sided(&self) -> bool {
        self.proof == Ok(Proof::OneSide)
    }

    /// Whether it asks the client for a second hello.
    pub(in crate::posture) const fn is_retry(&self) -> bool {
        self.retry
    }

    fn ssl2() -> Self {
        Self {
            version: TlsVersion::Ssl2,
            suite: None,
            retry: false,
            sni: None,
            alpn: Vec::new(),
            certificate: None,
            proof: Ok(Proof::BothSides),
            awaits: Awaits::Nothing,
        }
    }

    /// The posture of a connection that is TLS from its first byte, or that was `upgraded`; the argument describes how.
    pub(in crate::posture) fn posture(&self, upgraded: Option<&str>) -> Posture {
        let worth = self.suite.map_or(Worth::Weak, suites::worth);
        let outdated = self.version < TlsVersion::Tls12;
        let state = match worth {
            _ if self.proof == Err(Flaw::Client) => PostureState::Unrecognised,
            Worth::Null => PostureState::Plaintext,
            Worth::Weak => PostureState::WeakTls,
            Worth::Fair | Worth::Unlisted if outdated => PostureState::WeakTls,
            _ if self.proof.is_err() => PostureState::Unrecognised,
            // All suites of 1.3 encrypt (RFC 8446 §B.4) but those of RFC 9150, which are listed.
            Worth::Unlisted if self.version == TlsVersion::Tls12 => PostureState::Unknown,
            _ if upgraded.is_some() => PostureState::StarttlsUpgraded,
            _ if self.version == TlsVersion::Tls12 => PostureState::Tls12,
            _ => PostureState::Tls13,
        };
        let cipher = self.suite.map(suites::name);
        let mut evidence = String::with_capacity(EVIDENCE);
        if let Some(how) = upgraded {
            evidence += how;
            evidence += ", then ";
        }
        evidence += if self.retry { "HelloRetryRequest: " } else { "ServerHello: " };
        evidence += self.version.name();
        if let Some(cipher) = &cipher {
            evidence += " with ";
            evidence += cipher;
        }
        evidence += match worth {
            Worth::Null => ", which does not encrypt",
            _ if outdated => ", an outdated version",
            Worth::Weak => ", a weak cipher suite",
            Worth::Unlisted if self.version == TlsVersion::Tls12 => "; this cipher suite is not known",
            Worth::Fair | Worth::Unlisted => "",
        };
        // What does not encrypt as it should stands, whatever else contradicts the hello.
        if let Err(flaw) = self.proof
            && state == PostureState::Unrecognised
        {
            evidence += &flaw.text();
        }
        // What no TLS came of has no version of it.
        let negotiated = state != PostureState::Unrecognised;
        Posture {
            version: negotiated.then_some(self.version),
            cipher: cipher.filter(|_| negotiated).map(|cipher| cipher.as_ref().into()),
            proof: self.proof.ok().filter(|_| state.is_tls()),
            sni: self.sni.clone(),
            alpn: self.alpn.clone(),
            certificate: self.certificate.clone().map(Box::new),
            ..Posture::new(state, evidence)
        }
    }
}

fn read_client<'a>(bytes: &[u8], messages: &'a Messages<'_>) -> ClientStart<'a> {
    match record::begins(bytes, record::HANDSHAKE) {
        None => return ClientStart::Open,
        Some(true) => {}
        Some(false) => {
            return match sslv2::client_hello(bytes) {
                None => ClientStart::Open,
                Some(None) => ClientStart::Not,
                Some(Some(newest)) => ClientStart::Old(newest, Next::of(sslv2::behind(bytes))),
            };
        }
    }
    let first = messages.bytes.first();
    if first.is_some_and(|kind| *kind != 1) {
        return ClientStart::Not;
    }
    let message = record::message(&messages.bytes);
    match message.as_ref().and_then(client_hello::read) {
        Some(Some(hello)) => ClientStart::Hello(
            hello,
            message.map_or(Next::Unreached, |message| message.next(bytes, messages)),
        ),
        Some(None) => ClientStart::Malformed,
        None if messages.ended || message.is_some_and(|message| message.complete) => ClientStart::Malformed,
        None => ClientStart::Open,
    }
}

/// `bytes` begin behind the warnings.
fn read_server<'a>(bytes: &[u8], messages: &'a Messages<'_>, cut: bool) -> ServerStart<'a> {
    match record::begins(bytes, record::HANDSHAKE) {
        None => return ServerStart::Open,
        Some(true) => {}
        Some(false) => {
            return match alert::read(bytes) {
                None => ServerStart::Open,
                Some(None) => ServerStart::Not,
                Some(Some(description)) => ServerStart::Alert(description),
            };
        }
    }
    if messages.bytes.first().is_some_and(|kind| *kind != 2) {
        return ServerStart::Not;
    }
    let Some(message) = record::message(&messages.bytes) else {
        return if messages.ended { ServerStart::Not } else { ServerStart::Open };
    };
    let hello = match server_hello::read(&message) {
        None if messages.ended || message.complete => return ServerStart::Not,
        None => return ServerStart::Open,
        Some(None) => return ServerStart::Not,
        Some(Some(hello)) => hello,
    };
    let next = message.next(bytes, messages);
    if hello.version == TlsVersion::Tls13 {
        return ServerStart::Hello { hello, next, certificate: None, settled: cut || next.is_decided() };
    }
    let second = record::message(message.rest);
    let certificate = second
        .as_ref()
        .map(|second| if second.kind == 11 { certificate::read(second, cut) } else { Some(None) });
    let certificate = certificate.flatten().flatten();
    // Where the certificate is read, TLS went on.
    let next = if certificate.is_some() { Next::Record } else { next };
    let settled = cut || next.is_decided() && (messages.ended || certificate.is_some());
    ServerStart::Hello { hello, next, certificate, settled }
}
