//! How a connection to a receiver is secured with TLS, as it is written: four keys that the tables of several transports share.
//!
//! There is no key that switches verification off, and none is planned: a receiver that cannot prove who it is gets nothing.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::SecretRef;
use crate::written::{AbsolutePath, At, Loc, Node, Read, Report, Text, quoted, schema};

/// How the receiver proves who it is, and how this host does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// A file with the certificates of the authorities that are trusted, in PEM; none: the system's.
    pub ca: Option<PathBuf>,
    /// The name that the receiver's certificate must have; none: the host of its address.
    pub server_name: Option<ServerName>,
    /// The certificate that this host shows, if it shows one.
    pub client: Option<ClientCertificate>,
}

/// A certificate that this host shows, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// A file with the certificate and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key in PEM (PKCS #8, PKCS #1 or SEC 1), without a passphrase.
    pub key: SecretRef,
}

/// A DNS name or an IP address, as a certificate may have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName(pub Arc<str>);

impl ServerName {
    /// Reads a DNS name (RFC 1123 §2.1 and RFC 1035 §2.3.4; underscores are common in private zones) or an IP address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let label = |label: &str| {
            let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-')
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_name = name.len() <= 253 && name.split('.').all(label);
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        (is_name || is_address).then(|| Self(if is_address { text } else { name }.into()))
    }
}

schema!(ServerName, schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 253 }));

impl Read for ServerName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let name = Self::parse(&text);
        if name.is_none() {
            let help =
                "write the name or address that the receiver's certificate has, without port or scheme";
            report.error(node.loc, format!("{} is no host name", quoted(&text)), help.to_owned());
        }
        name
    }
}

/// The four keys, each as it is written.
#[derive(Debug, Default)]
pub(crate) struct TlsKeys {
    pub ca: Option<At<AbsolutePath>>,
    pub server_name: Option<At<ServerName>>,
    pub client_cert: Option<At<AbsolutePath>>,
    pub client_key: Option<At<SecretRef>>,
}

impl TlsKeys {
    /// What they mean together; `None` after a problem was reported. `table` is the place of their table.
    pub(crate) fn check(self, table: Loc, report: &mut Report<'_>) -> Option<TlsSettings> {
        if ["ca", "server_name", "client_cert", "client_key"].iter().any(|key| report.is_faulty(table, key)) {
            return None;
        }
        let client = match (self.client_cert, self.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate { certificate: certificate.value.0, key: key.value })
            }
            (Some(certificate), None) => {
                let help = "add `client_key = \"file:/…\"`, the certificate's private key".to_owned();
                report.missing(certificate.loc, "`client_cert` is of no use without `client_key`", help);
                return None;
            }
            (None, Some(key)) => {
                let help = "add `client_cert = \"/…\"`, the key's certificate".to_owned();
                report.missing(key.loc, "`client_key` is of no use without `client_cert`", help);
                return None;
            }
        };
        let ca = self.ca.map(|ca| ca.value.0);
        Some(TlsSettings { ca, server_name: self.server_name.map(|name| name.value), client })
    }

    /// Refuses each of them, because this connection has no TLS; `help` is what to write instead. Whether there was one.
    pub(crate) fn refuse(&self, help: &str, report: &mut Report<'_>) -> bool {
        let given: [Option<(&str, Loc)>; 4] = [
            self.ca.as_ref().map(|at| ("ca", at.loc)),
            self.server_name.as_ref().map(|at| ("server_name", at.loc)),
            self.client_cert.as_ref().map(|at| ("client_cert", at.loc)),
            self.client_key.as_ref().map(|at| ("client_key", at.loc)),
        ];
        for (key, loc) in given.iter().flatten() {
            report.error(
                *loc,
                format!("`{key}` has no effect: this connection is not encrypted"),
                help.to_owned(),
            );
        }
        given.iter().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;
    use crate::written::{Source, TableReader};

    /// What the keys mean, or what is wrong with them.
    fn read(text: &str) -> Result<TlsSettings, Vec<String>> {
        let sources = [Source { name: "gdprport.toml".to_owned(), text: text.to_owned() }];
        let table = DeTable::parse(text).expect("TOML");
        let loc = Loc::new(0, &table.span());
        let mut report = Report::new(&sources);
        let mut fields = TableReader::of(table.get_ref(), loc, "a sink", &mut report);
        let keys = TlsKeys {
            ca: fields.optional("ca"),
            server_name: fields.optional("server_name"),
            client_cert: fields.optional("client_cert"),
            client_key: fields.optional("client_key"),
        };
        fields.close();
        let settings = keys.check(loc, &mut report);
        let (problems, _) = report.finish();
        let found = problems.iter().map(|problem| {
            format!("{}: {} ({})", problem.line, problem.message, problem.help.as_deref().unwrap_or(""))
        });
        settings.ok_or_else(|| found.collect())
    }

    #[test]
    fn the_keys_of_tls_are_read() {
        assert_eq!(read(""), Ok(TlsSettings::default()));
        let all = read(
            "ca = \"/etc/ca.pem\"\nserver_name = \"siem.example.org.\"\n\
             client_cert = \"/etc/us.pem\"\nclient_key = \"credential:us.key\"\n",
        );
        let client = ClientCertificate {
            certificate: "/etc/us.pem".into(),
            key: SecretRef::Credential("us.key".into()),
        };
        let server_name = Some(ServerName("siem.example.org".into()));
        assert_eq!(
            all,
            Ok(TlsSettings { ca: Some("/etc/ca.pem".into()), server_name, client: Some(client) })
        );
        for name in ["2001:db8::1", "192.0.2.1", "siem_1.lan", "localhost"] {
            assert_eq!(ServerName::parse(name), Some(ServerName(name.into())));
        }
    }

    #[test]
    fn wrong_keys_of_tls_say_what_to_write() {
        for (text, why) in [
            (
                "ca = \"ca.pem\"",
                "1: `ca.pem` is no path from the root (write the path from the root, beginning with `/`)",
            ),
            (
                "server_name = \"https://siem.example\"",
                "1: `https://siem.example` is no host name (write the name or address that the receiver's certificate \
                 has, without port or scheme)",
            ),
            (
                "client_cert = \"/us.pem\"",
                "1: `client_cert` is of no use without `client_key` (add `client_key = \"file:/…\"`, the certificate's \
                 private key)",
            ),
            (
                "client_key = \"file:/us.key\"",
                "1: `client_key` is of no use without `client_cert` (add `client_cert = \"/…\"`, the key's certificate)",
            ),
            (
                "client_cert = \"/us.pem\"\nclient_key = \"-----BEGIN PRIVATE KEY-----\"",
                "2: this is not the place of a secret (write `\"file:/etc/gdprport/keys/…\"` (mode 0600) or \
                 `\"credential:…\"` (LoadCredential= of the unit))",
            ),
        ] {
            assert_eq!(read(text), Err(vec![why.to_owned()]), "{text}");
        }
    }

    #[test]
    fn without_tls_its_keys_are_refused() {
        let sources = [Source { name: "gdprport.toml".to_owned(), text: "ca = \"/ca.pem\"".to_owned() }];
        let mut report = Report::new(&sources);
        let ca = At { value: AbsolutePath("/ca.pem".into()), loc: Loc::new(0, &(0..2)) };
        assert!(!TlsKeys::default().refuse("use tls://", &mut report));
        assert!(TlsKeys { ca: Some(ca), ..TlsKeys::default() }.refuse("use tls://", &mut report));
        let (problems, _) = report.finish();
        assert_eq!(problems[0].message, "`ca` has no effect: this connection is not encrypted");
    }
}
