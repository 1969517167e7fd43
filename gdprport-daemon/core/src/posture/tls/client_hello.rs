//! ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2): which versions a client offers, to which name, for what.
//!
//! Belongs here: the message and four of its extensions, and whether a server's hello is one that it allows. A hello that is cut at the end of what was captured gives
//! what stands before the cut: with a post-quantum key share it is rarely complete.

use std::sync::Arc;

use super::record::HandshakeMessage;
use super::server_hello::ServerHello;
use super::version::version;
use crate::model::{Proof, TlsVersion};
use crate::posture::cursor::Cursor;

/// The most application protocols that are reported.
const MAX_ALPN: usize = 8;

/// Which versions a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Offer<'a> {
    /// The message is cut before the extension that lists them.
    #[default]
    NotCaptured,
    /// There is no such extension: the version of the message is the newest, or TLS 1.2 (RFC 8446 §4.2.1).
    AtMost(TlsVersion),
    /// Those in `supported_versions`, two bytes each.
    Listed(&'a [u8]),
}

impl<'a> Offer<'a> {
    fn at_most(newest: Option<TlsVersion>) -> Self {
        Self::AtMost(newest.unwrap_or(TlsVersion::Tls12).min(TlsVersion::Tls12))
    }

    /// Of a list, those that are known.
    fn known(list: &'a [u8]) -> impl Iterator<Item = TlsVersion> {
        list.chunks_exact(2).filter_map(|pair| version(u16::from_be_bytes([pair[0], pair[1]])))
    }

    /// Whether a server may choose this one, as far as was captured.
    fn allows(self, chosen: TlsVersion) -> bool {
        match self {
            Self::NotCaptured => true,
            Self::AtMost(newest) => chosen <= newest,
            Self::Listed(list) => Self::known(list).any(|offered| offered == chosen),
        }
    }
}

/// The least bytes of a session id that are taken for chosen at random: RFC 8446 §D.4 has 32 of them.
const RANDOM_ID: usize = 16;

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ClientHello<'a> {
    pub versions: Offer<'a>,
    /// Its session id; `None`: cut before it ends.
    session_id: Option<&'a [u8]>,
    /// The cipher suites, two bytes each; `None`: cut before they end.
    suites: Option<&'a [u8]>,
    /// `supported_groups` (RFC 8446 §4.2.7), two bytes each, where it was captured.
    groups: Option<&'a [u8]>,
    /// The server name, if it is one.
    pub sni: Option<Arc<str>>,
    pub alpn: Vec<Arc<str>>,
    /// Whether all of the message was captured.
    pub complete: bool,
}

impl ClientHello<'_> {
    /// In the form of SSL 2, which offers at most this version.
    pub(super) fn of_ssl2(newest: TlsVersion) -> Self {
        Self { versions: Offer::at_most(Some(newest)), complete: true, ..Default::default() }
    }

    /// Whether a server may answer so, as far as the hellos were captured: how far that shows that it answers this hello,
    /// or why it may not.
    pub(super) fn allows(&self, reply: &ServerHello<'_>) -> Result<Proof, &'static str> {
        let among = |list: &[u8], number: u16| list.chunks_exact(2).any(|pair| pair == number.to_be_bytes());
        if self.suites.is_some_and(|suites| !among(suites, reply.suite)) {
            return Err("a cipher suite that the client did not offer");
        }
        if !self.versions.allows(reply.version) {
            return Err("a version that the client did not offer");
        }
        if reply.version < TlsVersion::Tls13 {
            return Ok(Proof::BothSides);
        }
        if self.groups.zip(reply.group).is_some_and(|(groups, group)| !among(groups, group)) {
            return Err("a group that the client did not offer");
        }
        match self.session_id {
            Some(chosen) if chosen != reply.session_id => Err("a session id that is not the client's"),
            Some(chosen) if chosen.len() >= RANDOM_ID => Ok(Proof::Echo),
            _ => Ok(Proof::BothSides),
        }
    }

    /// A description of what is offered.
    pub(super) fn offer(&self) -> String {
        let list = match self.versions {
            Offer::NotCaptured => return "whose versions were not captured".to_owned(),
            Offer::AtMost(newest) => return format!("offering at most {newest}"),
            Offer::Listed(list) => list,
        };
        match Offer::known(list).min().zip(Offer::known(list).max()) {
            Some((oldest, newest)) if oldest == newest => format!("offering only {newest}"),
            Some((oldest, newest)) => format!("offering {oldest} to {newest}"),
            None => "offering no known version".to_owned(),
        }
    }
}

/// Reads a hello, complete or cut. `Some(None)` if it is none, `None` while too little of it was captured.
pub(super) fn read<'a>(message: &HandshakeMessage<'a>) -> Option<Option<ClientHello<'a>>> {
    let mut rest = Cursor(message.body);
    let legacy = rest.u16()?;
    if legacy >> 8 != 3 {
        return Some(None);
    }
    let mut hello = ClientHello { complete: message.complete, ..Default::default() };
    if message.complete {
        hello.versions = Offer::at_most(version(legacy));
    }
    // Without the part before the extensions the message may still grow; with it they are read as far as they go.
    let Some(valid) = to_extensions(&mut rest, &mut hello) else {
        return if message.complete { Some(None) } else { Some(Some(hello)) };
    };
    if !valid {
        return Some(None);
    }
    extensions(rest, &mut hello);
    Some(Some(hello))
}

/// Reads session id and cipher suites, and skips random and compression methods. Returns whether the lengths are
/// possible.
fn to_extensions<'a>(rest: &mut Cursor<'a>, hello: &mut ClientHello<'a>) -> Option<bool> {
    rest.take(32)?;
    let session_id = rest.vec8()?;
    hello.session_id = Some(session_id);
    let suites = rest.vec16()?;
    hello.suites = Some(suites);
    let _compression = rest.vec8()?;
    Some(session_id.len() <= 32 && suites.len() >= 2 && suites.len().is_multiple_of(2))
}

fn extensions<'a>(mut rest: Cursor<'a>, hello: &mut ClientHello<'a>) {
    let Some(length) = rest.u16() else { return };
    let mut rest = Cursor(rest.take_up_to(length.into()));
    while let Some((kind, body)) = rest.u16().zip(rest.vec16()) {
        match kind {
            0 => hello.sni = server_name(body),
            10 => hello.groups = Cursor(body).vec16(),
            16 => hello.alpn = protocols(body),
            43 => {
                if let Some(list) = Cursor(body).vec8() {
                    hello.versions = Offer::Listed(list);
                }
            }
            _ => {}
        }
    }
}

/// The first host name in a `server_name` extension (RFC 6066 §3), in lower case. Anything but the letters of a host
/// name is not repeated.
fn server_name(body: &[u8]) -> Option<Arc<str>> {
    let mut list = Cursor(Cursor(body).vec16()?);
    let name = (list.u8()? == 0).then(|| list.vec16())??;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    if name.is_empty() || name.len() > 253 || !name.iter().all(plain) {
        return None;
    }
    str::from_utf8(name).ok().map(|name| name.to_ascii_lowercase().into())
}

/// The names in an ALPN extension (RFC 7301 §3.1). GREASE (RFC 8701) and other unprintable names are left out.
fn protocols(body: &[u8]) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    let Some(list) = Cursor(body).vec16() else { return names };
    let mut list = Cursor(list);
    while let Some(name) = list.vec8() {
        if names.len() < MAX_ALPN && (1..=32).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic) {
            names.extend(str::from_utf8(name).map(Arc::from));
        }
    }
    names
}
