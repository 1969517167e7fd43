//! ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2): which versions a client offers, to which name, for what.
//!
//! Belongs here: the message and three of its extensions. A hello that is cut at the end of what was captured gives
//! what stands before the cut: with a post-quantum key share it is rarely complete.

use std::sync::Arc;

use super::record::HandshakeMessage;
use super::version::version;
use crate::model::TlsVersion;
use crate::posture::cursor::Cursor;

/// The most application protocols that are reported.
const MAX_ALPN: usize = 8;

/// Which versions a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Offer {
    /// The message is cut before the extension that lists them.
    #[default]
    NotCaptured,
    /// There is no such extension: the version of the message is the newest, if it is a known one.
    AtMost(Option<TlsVersion>),
    /// The oldest and the newest in `supported_versions` that are known.
    Listed(Option<(TlsVersion, TlsVersion)>),
}

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ClientHello {
    pub versions: Offer,
    /// The server name, if it is one.
    pub sni: Option<Arc<str>>,
    pub alpn: Vec<Arc<str>>,
    /// Whether all of the message was captured.
    pub complete: bool,
}

impl ClientHello {
    /// A description of what is offered.
    pub(super) fn offer(&self) -> String {
        match self.versions {
            Offer::NotCaptured => "whose versions were not captured".to_owned(),
            Offer::Listed(Some((oldest, newest))) if oldest == newest => format!("offering only {newest}"),
            Offer::Listed(Some((oldest, newest))) => format!("offering {oldest} to {newest}"),
            Offer::AtMost(Some(newest)) => format!("offering at most {newest}"),
            Offer::Listed(None) | Offer::AtMost(None) => "offering no known version".to_owned(),
        }
    }
}

/// Reads a hello, complete or cut. `Some(None)` if it is none, `None` while too little of it was captured.
pub(super) fn read(message: &HandshakeMessage<'_>) -> Option<Option<ClientHello>> {
    let mut rest = Cursor(message.body);
    let legacy = rest.u16()?;
    if legacy >> 8 != 3 {
        return Some(None);
    }
    let mut hello = ClientHello { complete: message.complete, ..Default::default() };
    if message.complete {
        hello.versions = Offer::AtMost(version(legacy));
    }
    // Without the part before the extensions the message may still grow; with it they are read as far as they go.
    let Some(valid) = skip_to_extensions(&mut rest) else {
        return if message.complete { Some(None) } else { Some(Some(hello)) };
    };
    if !valid {
        return Some(None);
    }
    extensions(rest, &mut hello);
    Some(Some(hello))
}

/// Skips random, session id, cipher suites and compression methods. Returns whether their lengths are possible.
fn skip_to_extensions(rest: &mut Cursor<'_>) -> Option<bool> {
    rest.take(32)?;
    let session_id = rest.vec8()?;
    let suites = rest.vec16()?;
    let _compression = rest.vec8()?;
    Some(session_id.len() <= 32 && suites.len() >= 2 && suites.len().is_multiple_of(2))
}

fn extensions(mut rest: Cursor<'_>, hello: &mut ClientHello) {
    let Some(length) = rest.u16() else { return };
    let mut rest = Cursor(rest.take_up_to(length.into()));
    while let Some((kind, body)) = rest.u16().zip(rest.vec16()) {
        match kind {
            0 => hello.sni = server_name(body),
            16 => hello.alpn = protocols(body),
            43 => supported_versions(body, hello),
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

fn supported_versions(body: &[u8], hello: &mut ClientHello) {
    let Some(list) = Cursor(body).vec8() else { return };
    let known = || list.chunks_exact(2).filter_map(|pair| version(u16::from_be_bytes([pair[0], pair[1]])));
    hello.versions = Offer::Listed(known().min().zip(known().max()));
}
