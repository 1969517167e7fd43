//! TLS from both sides' first bytes: what was offered, what was chosen, or that it was refused.
//!
//! Belongs here: one reading of a handshake and its words. Sources: RFC 8446 (1.3), RFC 5246 (1.2), RFC 6101 (SSL 3).
//! Everything after a ServerHello of 1.3 is encrypted, its certificate too; up to 1.2 the certificate is visible.

mod alert;
mod certificate;
mod client_hello;
mod der;
mod record;
mod registry;
mod server_hello;
mod sslv2;
mod suites;

use client_hello::{ClientHello, Offer};
use record::Next;
use server_hello::ServerHello;
use suites::Worth;

use super::reading::Awaits;
use crate::model::{Certificate, Posture, PostureState, TlsVersion};

pub(super) use record::follows;

/// What the bytes of both sides amount to, read as TLS from their first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The client's bytes are not TLS; or there are none, and the server's are not.
    Not,
    /// Too few bytes; what there is may be TLS.
    Open,
    /// The client made an offer; the server's bytes are not TLS.
    Contradicted,
    /// The client made an offer. Words for it.
    Offered(String),
    /// The server refused by an alert.
    Refused {
        /// Words for it.
        words: String,
        /// The client's offer was seen, so that it is known to be what was refused.
        settled: bool,
    },
    /// The server chose.
    Answered(Answer),
}

/// A server's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    version: TlsVersion,
    /// None for SSL 2, whose suites have other numbers.
    suite: Option<u16>,
    retry: bool,
    client: ClientHello,
    certificate: Option<Certificate>,
    /// The side whose bytes go on behind its hello with something else than TLS.
    broken: Option<&'static str>,
    /// What can still be learned of the handshake.
    pub awaits: Awaits,
}

/// One side's first bytes.
enum Client {
    Open,
    Not,
    /// And what stands behind it.
    Hello(ClientHello, Next),
    /// A hello in the form of SSL 2, with the newest version it offers.
    Old(TlsVersion),
}

enum Server {
    Open,
    Not,
    Alert(u8),
    /// And what stands behind it.
    Hello {
        hello: ServerHello,
        next: Next,
        certificate: Option<Certificate>,
        settled: bool,
    },
}

/// Reads the first bytes of both sides. A server's hello is enough: it answers a client's that was not captured.
/// `cut`: bytes are missing behind what is there of the client and of the server, so that waiting for more is vain.
pub(super) fn read(client: &[u8], server: &[u8], cut: [bool; 2]) -> Handshake {
    let offer = match read_client(client) {
        Client::Not => return Handshake::Not,
        Client::Open => None,
        Client::Hello(hello, next) => Some((hello, next)),
        Client::Old(newest) => {
            let offer =
                ClientHello { versions: Offer::AtMost(Some(newest)), complete: true, ..Default::default() };
            match sslv2::server_hello(server) {
                Some(true) => return Handshake::Answered(Answer::ssl2()),
                Some(false) => Some((offer, Next::Record)),
                None => return Handshake::Offered(format!("SSL 2 ClientHello {}", offer.offer())),
            }
        }
    };
    match (read_server(server, cut[1]), offer) {
        (Server::Hello { hello, next, certificate, settled }, offer) => {
            let (client, client_next) = offer.unwrap_or_default();
            let broken = match (client_next, next) {
                (Next::Other, _) => Some("client"),
                (_, Next::Other) => Some("server"),
                _ => None,
            };
            // A direction that is cut behind its hello can go on with anything: nobody will see it.
            let awaits = match client_next {
                _ if !settled => Awaits::Bytes,
                next if cut[0] || next.is_told() => Awaits::Nothing,
                Next::Open(captured) => Awaits::ClientRecord { captured },
                _ => Awaits::Bytes,
            };
            Handshake::Answered(Answer {
                version: hello.version,
                suite: Some(hello.suite),
                retry: hello.retry,
                client,
                certificate,
                broken,
                awaits,
            })
        }
        (Server::Alert(description), offer) => {
            let settled = offer.is_some();
            let to =
                offer.map(|(offer, _)| format!(", to a ClientHello {}", offer.offer())).unwrap_or_default();
            let words = format!("TLS alert {} by the server{to}", alert::name(description));
            Handshake::Refused { words, settled }
        }
        (Server::Not, None) if client.is_empty() => Handshake::Not,
        (Server::Not, Some(_)) => Handshake::Contradicted,
        (Server::Open, Some((offer, _))) => Handshake::Offered(format!("TLS ClientHello {}", offer.offer())),
        (_, None) => Handshake::Open,
    }
}

/// The first ClientHello within bytes that begin with something else, and what follows it.
pub(super) fn client_hello_within(bytes: &[u8]) -> Option<&[u8]> {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == record::HANDSHAKE);
    starts.map(|(at, _)| &bytes[at..]).find(|rest| matches!(read_client(rest), Client::Hello(..)))
}

impl Answer {
    fn ssl2() -> Self {
        let client = ClientHello::default();
        Self {
            version: TlsVersion::Ssl2,
            suite: None,
            retry: false,
            client,
            certificate: None,
            broken: None,
            awaits: Awaits::Nothing,
        }
    }

    /// The posture of a connection that is TLS from its first byte, or that was `upgraded`, in the words given.
    pub(super) fn posture(&self, upgraded: Option<&str>) -> Posture {
        let worth = self.suite.map_or(Worth::Weak, suites::worth);
        let outdated = self.version < TlsVersion::Tls12;
        let state = match worth {
            Worth::Null => PostureState::Plaintext,
            Worth::Weak => PostureState::WeakTls,
            Worth::Fair | Worth::Unlisted if outdated => PostureState::WeakTls,
            // All suites of 1.3 encrypt (RFC 8446 §B.4) but those of RFC 9150, which are listed.
            Worth::Unlisted if self.version == TlsVersion::Tls12 => PostureState::Unknown,
            _ if self.broken.is_some() => PostureState::Unknown,
            _ if upgraded.is_some() => PostureState::StarttlsUpgraded,
            _ if self.version == TlsVersion::Tls12 => PostureState::Tls12,
            _ => PostureState::Tls13,
        };
        let cipher = self.suite.map(suites::name);
        let mut evidence = upgraded.map(|how| format!("{how}, then ")).unwrap_or_default();
        evidence += if self.retry { "HelloRetryRequest: " } else { "ServerHello: " };
        evidence += &self.version.to_string();
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
        if let Some(side) = self.broken {
            evidence += &format!(", then bytes of the {side} that are not TLS");
        }
        Posture {
            version: Some(self.version),
            cipher: cipher.map(|cipher| cipher.as_ref().into()),
            sni: self.client.sni.clone(),
            alpn: self.client.alpn.clone(),
            certificate: self.certificate.clone().map(Box::new),
            ..Posture::new(state, evidence)
        }
    }
}

/// The version of this number on the wire, from SSL 3 on.
fn version(number: u16) -> Option<TlsVersion> {
    Some(match number {
        0x0300 => TlsVersion::Ssl3,
        0x0301 => TlsVersion::Tls10,
        0x0302 => TlsVersion::Tls11,
        0x0303 => TlsVersion::Tls12,
        0x0304 => TlsVersion::Tls13,
        _ => return None,
    })
}

fn read_client(bytes: &[u8]) -> Client {
    match record::begins(bytes, record::HANDSHAKE) {
        None => return Client::Open,
        Some(true) => {}
        Some(false) => {
            return match sslv2::client_hello(bytes) {
                None => Client::Open,
                Some(None) => Client::Not,
                Some(Some(newest)) => Client::Old(newest),
            };
        }
    }
    let handshake = record::handshake(bytes);
    let first = handshake.messages.first();
    if first.is_some_and(|kind| *kind != 1) {
        return Client::Not;
    }
    let message = record::message(&handshake.messages);
    match message.as_ref().and_then(client_hello::read) {
        Some(Some(hello)) => {
            Client::Hello(hello, message.map_or(Next::Unreached, |message| message.next(bytes)))
        }
        Some(None) => Client::Not,
        None if handshake.ended => Client::Not,
        None => Client::Open,
    }
}

fn read_server(bytes: &[u8], cut: bool) -> Server {
    let bytes = alert::behind_warnings(bytes);
    match record::begins(bytes, record::HANDSHAKE) {
        None => return Server::Open,
        Some(true) => {}
        Some(false) => {
            return match alert::read(bytes) {
                None => Server::Open,
                Some(None) => Server::Not,
                Some(Some(description)) => Server::Alert(description),
            };
        }
    }
    let handshake = record::handshake(bytes);
    if handshake.messages.first().is_some_and(|kind| *kind != 2) {
        return Server::Not;
    }
    let Some(message) = record::message(&handshake.messages) else {
        return if handshake.ended { Server::Not } else { Server::Open };
    };
    let hello = match server_hello::read(&message) {
        None if handshake.ended || message.complete => return Server::Not,
        None => return Server::Open,
        Some(None) => return Server::Not,
        Some(Some(hello)) => hello,
    };
    let next = message.next(bytes);
    if hello.version == TlsVersion::Tls13 {
        return Server::Hello { hello, next, certificate: None, settled: cut || next.is_told() };
    }
    let second = record::message(message.rest);
    let certificate = second
        .as_ref()
        .map(|second| if second.kind == 11 { certificate::read(second, cut) } else { Some(None) });
    let certificate = certificate.flatten().flatten();
    // Where the certificate is read, TLS went on.
    let next = if certificate.is_some() { Next::Record } else { next };
    let settled = cut || next.is_told() && (handshake.ended || certificate.is_some());
    Server::Hello { hello, next, certificate, settled }
}
