//! The address of an HTTP receiver, as it is written: `https://siem.example.org:8088/path`.
//!
//! What is refused here is what would leak or mislead later: names and passwords inside the address (they would be shown with
//! it), fragments, blanks.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::ServerName;
use crate::written::{Node, Read, Report, Text, quoted, schema};

/// An address with the scheme `http` or `https` (RFC 9110 §4.2), without user information or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: Arc<str>,
    is_https: bool,
    /// Where the host ends, and with it the port.
    path: usize,
    host: Arc<str>,
}

/// The commonest mistake.
const NO_SCHEME: &str = "the address begins neither with `https://` nor with `http://`";

impl HttpUrl {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write. The text itself is not repeated: it may have a password in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const HOST: &str = "the address has no usable host: write `https://siem.example.org:8088`";
        if !text.chars().all(|c| {
            c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
        }) {
            return Err("the address has a character that none can have: write it percent-encoded");
        }
        let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(NO_SCHEME),
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if authority.contains('@') {
            return Err(
                "the address has a name or password in it: write `user` and `password = \"file:…\"` instead",
            );
        }
        if text.contains('#') {
            return Err("the address has a `#`, and what follows it would not be sent");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => v6.split_once(']').ok_or(HOST)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let is_host = match authority.starts_with('[') {
            true => host.parse::<std::net::Ipv6Addr>().is_ok(),
            false => ServerName::parse(host).is_some() && !host.contains(':'),
        };
        let is_port = port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !is_host || !is_port {
            return Err(HOST);
        }
        let path = text.len() - rest.len() + authority.len();
        Ok(Self { text: text.into(), is_https, path, host: host.into() })
    }

    /// The whole of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// What people are shown of it: without the query, which may have a key in it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.text[..self.text.find('?').unwrap_or(self.text.len())]
    }

    /// This endpoint of the receiver: its path behind what is written, unless that ends with it already.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Self {
        let (base, query) = self.text.split_at(self.text.find('?').unwrap_or(self.text.len()));
        let base = base.trim_end_matches('/');
        if base.len() >= self.path && base[self.path..].ends_with(path) {
            return self.clone();
        }
        Self { text: format!("{base}{path}{query}").into(), ..self.clone() }
    }

    /// The port that is written, or the usual one of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        let written = self.text[..self.path].rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        written.unwrap_or(if self.is_https { 443 } else { 80 })
    }

    /// Whether it is this host's own: what is sent there leaves on no wire.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        &*self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

schema!(HttpUrl, schemars::json_schema!({ "type": "string", "pattern": "^https?://" }));

impl Read for HttpUrl {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        match Self::parse(&text) {
            Ok(url) => Some(url),
            // Somebody may have written a password: neither it nor the line is shown.
            Err(why) if text.contains('@') => {
                let help = "an address has no `@`".to_owned();
                report.error_unquoted(node.loc, why, help);
                None
            }
            Err(why) => {
                let help = (why == NO_SCHEME).then(|| with_scheme(&text));
                report.error(node.loc, format!("{}: {why}", quoted(&text)), help);
                None
            }
        }
    }
}

/// What may have been meant by an address without a scheme that is one.
fn with_scheme(text: &str) -> String {
    let place = text.split_once("://").map_or(text, |(_, place)| place);
    let meant = format!("https://{place}");
    match HttpUrl::parse(&meant) {
        Ok(_) => format!("write `{meant}`, or `http://…` if the receiver has no TLS"),
        Err(_) => "write `https://HOST:PORT/path`, or `http://…` if the receiver has no TLS".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://siem.example.org")]
    #[case("https://siem.example.org:8088/a/b?c=d")]
    #[case("http://127.0.0.1:9/")]
    #[case("https://[2001:db8::1]:8088/x")]
    #[case("http://logs_1?key=1")]
    fn an_address_of_a_receiver_is_read(#[case] text: &str) {
        assert_eq!(HttpUrl::parse(text).map(|url| url.as_str().to_owned()), Ok(text.to_owned()));
    }

    #[rstest]
    #[case("siem.example.org", "begins neither")]
    #[case("ftp://siem", "begins neither")]
    #[case("https://", "no usable host")]
    #[case("https://:80", "no usable host")]
    #[case("https://a:0", "no usable host")]
    #[case("https://a:99999", "no usable host")]
    #[case("https://2001:db8::1/", "no usable host")]
    #[case("https://[siem]/", "no usable host")]
    #[case("https://me:secret@siem", "name or password")]
    #[case("https://siem/#x", "`#`")]
    #[case("https://siem/a b", "character")]
    fn what_is_no_address_of_a_receiver_is_refused(#[case] text: &str, #[case] why: &str) {
        let error = HttpUrl::parse(text).expect_err("it is none");
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn an_address_without_a_scheme_is_shown_with_one() {
        assert!(with_scheme("siem.example.org:8088").contains("write `https://siem.example.org:8088`, or"));
        assert!(with_scheme("tcp://siem:1/x").contains("write `https://siem:1/x`, or"));
        assert!(with_scheme("a b").contains("HOST:PORT"));
    }

    #[test]
    fn an_endpoint_is_added_once_and_before_the_query() {
        let endpoint =
            |text: &str| HttpUrl::parse(text).expect("an address").endpoint("/a/b").as_str().to_owned();
        assert_eq!(endpoint("https://siem"), "https://siem/a/b");
        assert_eq!(endpoint("https://siem/"), "https://siem/a/b");
        assert_eq!(endpoint("https://siem/a/b"), "https://siem/a/b");
        assert_eq!(endpoint("https://siem/x/?k=1"), "https://siem/x/a/b?k=1");
        assert_eq!(HttpUrl::parse("https://siem/x?key=1").expect("an address").shown(), "https://siem/x");
    }
}
