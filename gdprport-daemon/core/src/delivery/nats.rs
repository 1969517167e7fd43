//! The keys of `type = "nats"`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::endpoint::Endpoint;
use super::secret::SecretRef;
use super::servers::{servers, user_and_password};
use super::tls::{ServerName, TlsKeys, TlsSettings};
use crate::written::{
    AbsolutePath, At, Loc, Node, OneOrMany, Read, Report, TableReader, Text, quoted, schema, tables,
};

tables! {
    /// A NATS server or cluster with JetStream.
    "a sink of type nats" => struct RawNats as "Nats" {
        required {
            /// Servers of one cluster, `tls://HOST:4222` or `nats://HOST:4222`; one after the other is tried.
            servers: OneOrMany<NatsServer> = "[\"tls://nats.example.org:4222\"]",
        }
        optional {
            /// The subject of an event: a text with `{host}`, `{kind}` and `{severity}`.
            subject: SubjectTemplate,
            /// The stream that must take it; none: whichever has the subject.
            stream: StreamName,
            /// The place of a credentials file (`.creds`).
            credentials: SecretRef,
            /// The place of an nkey's seed.
            nkey: SecretRef,
            /// The place of a token.
            token: SecretRef,
            /// A user, together with `password`.
            user: Text,
            /// The place of the user's password.
            password: SecretRef,
            /// Trusted authorities (`tls://`).
            ca: AbsolutePath,
            /// The name that the servers' certificates must have (`tls://`).
            server_name: ServerName,
            /// The certificate of this host (`tls://`).
            client_cert: AbsolutePath,
            /// Its private key (`tls://`).
            client_key: SecretRef,
        }
        later {}
    }
}

/// How a NATS cluster is reached, and what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSettings {
    /// The servers, at least one.
    pub servers: Vec<Endpoint>,
    /// What is trusted, if the connection is encrypted.
    pub tls: Option<TlsSettings>,
    /// The subject of an event.
    pub subject: SubjectTemplate,
    /// The stream that must take it.
    pub stream: Option<Arc<str>>,
    /// How this host proves who it is.
    pub login: NatsLogin,
}

/// How a client proves who it is to NATS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NatsLogin {
    /// It does not, or by its certificate only.
    #[default]
    None,
    /// By the JWT and seed of a credentials file.
    Credentials(SecretRef),
    /// By the seed of an nkey.
    Nkey(SecretRef),
    /// By a token.
    Token(SecretRef),
    /// By a user and the place of the password.
    User(Arc<str>, SecretRef),
}

impl NatsSettings {
    pub(super) fn of(raw: RawNats, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let before = report.errors();
        let keys = TlsKeys {
            ca: raw.ca,
            server_name: raw.server_name,
            client_cert: raw.client_cert,
            client_key: raw.client_key,
        };
        let servers = servers(raw.servers?, "servers", report);
        let is_tls = servers.first()?.value.tls;
        if let Some(other) = servers.iter().find(|server| server.value.tls != is_tls) {
            let help = "write `tls://` for all of them, or `nats://`".to_owned();
            report.error(other.loc, "some of the servers are encrypted and others are not", help);
        }
        let tls = if is_tls {
            keys.check(table, report)
        } else {
            keys.refuse("write the servers as `tls://HOST:4222`, or remove the key", report);
            None
        };
        let is_local = servers.iter().all(|server| server.value.endpoint.is_loopback());
        let clear = [&raw.token, &raw.password].into_iter().flatten().find(|_| !is_tls && !is_local);
        if let Some(secret) = clear {
            let help = "write the servers as `tls://HOST:4222`".to_owned();
            report.error(secret.loc, "the secret would cross the network unencrypted", help);
        }
        let mut ways: Vec<(Loc, NatsLogin)> = Vec::new();
        let mut way = |key: Option<At<SecretRef>>, make: fn(SecretRef) -> NatsLogin| {
            ways.extend(key.map(|at| (at.loc, make(at.value))));
        };
        way(raw.credentials, NatsLogin::Credentials);
        way(raw.nkey, NatsLogin::Nkey);
        way(raw.token, NatsLogin::Token);
        let at = raw.user.as_ref().map(|user| user.loc);
        let login = user_and_password(raw.user, raw.password, table, report);
        ways.extend(at.zip(login).map(|(at, (user, password))| (at, NatsLogin::User(user, password))));
        if let Some((second, _)) = ways.get(1) {
            let help = "keep one of `credentials`, `nkey`, `token`, and `user` with `password`".to_owned();
            report.error(*second, "there is more than one way to log in", help);
        }
        let settings = Self {
            servers: servers.into_iter().map(|server| server.value.endpoint).collect(),
            tls,
            subject: raw.subject.map_or_else(SubjectTemplate::default, |at| at.value),
            stream: raw.stream.map(|at| at.value.0),
            login: ways.into_iter().next().map(|(_, login)| login).unwrap_or_default(),
        };
        (report.errors() == before).then_some(settings)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        let servers: Vec<String> = self.servers.iter().map(|server| format!("{scheme}://{server}")).collect();
        format!("{} {}", servers.join(","), self.subject)
    }
}

/// One server: `tls://HOST[:4222]` or `nats://HOST[:4222]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NatsServer {
    endpoint: Endpoint,
    tls: bool,
}

schema!(NatsServer, json_schema!({ "type": "string", "pattern": "^(tls|nats)://." }));

impl Read for NatsServer {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let help =
            "write `tls://HOST:4222` or `nats://HOST:4222`; users and passwords have keys of their own";
        let read = match text.split_once("://") {
            // What is before an `@` may be a password, and nothing of it is shown.
            _ if text.contains('@') => Err("it has a name or password in it"),
            Some(("tls", place)) => {
                Endpoint::parse(place, Some(4222)).map(|endpoint| Self { endpoint, tls: true })
            }
            Some(("nats", place)) => {
                Endpoint::parse(place, Some(4222)).map(|endpoint| Self { endpoint, tls: false })
            }
            _ => Err("it begins neither with `tls://` nor with `nats://`"),
        };
        match read {
            Ok(server) => return Some(server),
            Err(why) => {
                let message = format!("this is no address of a NATS server: {why}");
                report.error_unquoted(node.loc, message, help.to_owned());
            }
        }
        None
    }
}

/// A subject with `{host}`, `{kind}` and `{severity}` in place of what an event has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectTemplate(Arc<str>);

/// What can stand for a part of the event.
const PLACEHOLDERS: [&str; 3] = ["{host}", "{kind}", "{severity}"];

/// Bytes of a subject that a template may have, and of a host's name in it: NATS recommends 256 in all.
const SUBJECT_MAX: usize = 256;
const HOST_MAX: usize = 128;

impl Default for SubjectTemplate {
    fn default() -> Self {
        Self("gdprport.{host}.{kind}".into())
    }
}

impl SubjectTemplate {
    /// Reads one; `None` if no event could have such a subject.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare = PLACEHOLDERS.iter().fold(text.to_owned(), |text, name| text.replace(name, "x"));
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>' | '{' | '}');
        let token = |token: &str| !token.is_empty() && token.chars().all(plain);
        // `$` begins the server's own subjects.
        let good = text.len() <= SUBJECT_MAX && !text.starts_with('$') && bare.split('.').all(token);
        good.then(|| Self(text.into()))
    }

    /// The subject of an event. A host's name is one token of it: what would divide it or is no plain character becomes `_`. A
    /// kind has its own dots.
    #[must_use]
    pub fn subject(&self, host: &str, kind: &str, severity: &str) -> String {
        let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>') { c } else { '_' };
        let mut token: String = host.chars().take(HOST_MAX).map(plain).collect();
        if token.is_empty() {
            token.push('_');
        }
        // A host's name that looks like a placeholder is not filled in again: it comes last.
        self.0.replace("{kind}", kind).replace("{severity}", severity).replace("{host}", &token)
    }
}

impl fmt::Display for SubjectTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

schema!(SubjectTemplate, json_schema!({ "type": "string", "minLength": 1, "maxLength": SUBJECT_MAX }));

impl Read for SubjectTemplate {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let template = Self::parse(&text);
        if template.is_none() {
            let help = "write words with dots between them, such as \"gdprport.{host}.{kind}\"; there are {host}, {kind} and {severity}";
            report.error(node.loc, format!("{} is no subject to publish to", quoted(&text)), help.to_owned());
        }
        template
    }
}

/// The name of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamName(pub Arc<str>);

schema!(StreamName, json_schema!({ "type": "string", "pattern": "^[^\\s.*>/\\\\]{1,255}$" }));

impl Read for StreamName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>' | '/' | '\\');
        if text.len() <= 255 && text.chars().all(plain) {
            return Some(Self(text.0.into()));
        }
        let help = "write letters, digits, `-` and `_`".to_owned();
        report.error(node.loc, format!("{} is no name of a stream", quoted(&text)), help);
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::delivery::{Delivery, Target};
    use crate::written::Source;

    #[test]
    fn a_subject_is_made_of_what_an_event_has() {
        let default = SubjectTemplate::default();
        assert_eq!(SubjectTemplate::parse(&default.0).as_ref(), Some(&default));
        for (host, token) in [
            ("db1", "db1"),
            ("db1.example.org", "db1_example_org"),
            ("", "_"),
            ("a b*>\u{e9}", "a_b___"),
            ("{kind}", "{kind}"),
        ] {
            assert_eq!(
                default.subject(host, "flow.open", "info"),
                format!("gdprport.{token}.flow.open"),
                "{host}"
            );
        }
        let long = default.subject(&"x".repeat(300), "violation", "high");
        assert_eq!(long.len(), "gdprport..violation".len() + HOST_MAX);
        for wrong in ["", "a..b", ".a", "a.", "a.>", "a.*.b", "a b", "$JS.API", "a.{port}", "a.{host"] {
            assert_eq!(SubjectTemplate::parse(wrong), None, "{wrong}");
        }
    }

    fn read(keys: &str) -> Result<NatsSettings, Vec<String>> {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"nats\"\n{keys}\n");
        let mut delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
        match delivery.sinks.pop().map(|sink| sink.target) {
            Some(Target::Nats(settings)) => Ok(settings),
            _ => Err(delivery.faulty[0].problems.list.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn the_keys_of_nats_are_read() {
        let settings = read(
            "servers = [\"tls://n1.example\", \"tls://n2.example:4333\"]\nstream = \"EVENTS\"\nsubject = \"x.{kind}\"\n\
             user = \"me\"\npassword = \"file:/keys/p\"",
        )
        .expect("valid");
        assert_eq!(settings.place(), "tls://n1.example:4222,tls://n2.example:4333 x.{kind}");
        assert_eq!(settings.login, NatsLogin::User("me".into(), SecretRef::File("/keys/p".into())));
        assert_eq!(settings.stream.as_deref(), Some("EVENTS"));
        let local =
            read("servers = \"nats://127.0.0.1\"\ntoken = \"file:/keys/t\"").expect("it crosses no network");
        assert!(local.tls.is_none());
    }

    #[rstest]
    #[case("servers = [\"tls://a\", \"nats://b\"]", "some of the servers are encrypted and others are not")]
    #[case("servers = \"nats://a\"\ntoken = \"file:/t\"", "the secret would cross the network unencrypted")]
    #[case(
        "servers = \"tls://a\"\ntoken = \"file:/t\"\nnkey = \"file:/n\"",
        "there is more than one way to log in"
    )]
    #[case("servers = \"tls://a\"\nuser = \"me\"", "`user` is of no use without `password`")]
    #[case(
        "servers = \"nats://a\"\nca = \"/ca.pem\"",
        "`ca` has no effect: this connection is not encrypted"
    )]
    #[case("servers = \"a:4222\"", "this is no address of a NATS server: it begins neither")]
    #[case("servers = \"tls://a\"\nsubject = \"gdprport.>\"", "`gdprport.>` is no subject to publish to")]
    #[case("servers = \"tls://a\"\nstream = \"a.b\"", "`a.b` is no name of a stream")]
    fn a_wrong_key_of_nats_is_refused(#[case] keys: &str, #[case] why: &str) {
        let problems = read(keys).expect_err("wrong");
        assert!(problems.len() == 1 && problems[0].contains(why), "{problems:?}");
    }

    #[test]
    fn a_password_in_a_servers_address_is_not_repeated() {
        let problems =
            read("servers = [\"tls://me:hunter2@n1.example\"]").expect_err("it has keys of its own");
        assert!(
            problems[0].contains("it has a name or password in it") && !problems[0].contains("hunter2"),
            "{problems:?}"
        );
    }
}
