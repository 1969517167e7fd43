//! The keys of `type = "kafka"`.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::endpoint::Endpoint;
use super::secret::SecretRef;
use super::servers::servers;
use super::tls::{ServerName, TlsKeys, TlsSettings};
use crate::written::{
    AbsolutePath, At, Loc, Node, OneOrMany, Read, Report, TableReader, Text, one_of, quoted, schema, tables,
};

tables! {
    /// A Kafka cluster.
    "a sink of type kafka" => struct RawKafka as "Kafka" {
        required {
            /// Brokers of the cluster, `HOST:PORT`: any of them names the others.
            brokers: OneOrMany<Endpoint> = "[\"kafka.example.org:9093\"]",
            /// The topic, which must exist.
            topic: Topic = "\"gdprport\"",
        }
        optional {
            /// The partition of an event: that of its host's name, or one after the other.
            partition: Partitioning,
            /// Whether the connection is encrypted.
            tls: bool,
            /// How the user proves who it is.
            sasl: Sasl,
            /// The user.
            user: Text,
            /// The place of the user's password.
            password: SecretRef,
            /// Trusted authorities.
            ca: AbsolutePath,
            /// The name that the brokers' certificates must have.
            server_name: ServerName,
            /// The certificate of this host.
            client_cert: AbsolutePath,
            /// Its private key.
            client_key: SecretRef,
        }
        later {}
    }
}

/// How a Kafka cluster is reached, and what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers, at least one.
    pub brokers: Vec<Endpoint>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition of an event.
    pub partition: Partitioning,
    /// What is trusted, if the connection is encrypted.
    pub tls: Option<TlsSettings>,
    /// How this host proves who it is, if it does.
    pub login: Option<KafkaLogin>,
}

/// How a client proves who it is to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaLogin {
    /// The mechanism.
    pub sasl: Sasl,
    /// The user.
    pub user: Arc<str>,
    /// The place of the password.
    pub password: SecretRef,
}

impl KafkaSettings {
    pub(super) fn of(raw: RawKafka, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let before = report.errors();
        let keys = TlsKeys {
            ca: raw.ca,
            server_name: raw.server_name,
            client_cert: raw.client_cert,
            client_key: raw.client_key,
        };
        let brokers = servers(raw.brokers?, "brokers", report);
        let is_tls = raw.tls.is_some_and(|at| at.value);
        let tls = if is_tls {
            keys.check(table, report)
        } else {
            keys.refuse("add `tls = true`, or remove the key", report);
            None
        };
        let is_local = brokers.iter().all(|broker| broker.value.is_loopback());
        let login = match (raw.sasl, raw.user, raw.password) {
            (None, None, None) => None,
            (Some(sasl), Some(user), Some(password)) => {
                if sasl.value == Sasl::Plain && !is_tls && !is_local {
                    let help = "add `tls = true`, or use a mechanism of SCRAM".to_owned();
                    report.error(password.loc, "the password would cross the network unencrypted", help);
                }
                Some(KafkaLogin { sasl: sasl.value, user: user.value.0.into(), password: password.value })
            }
            (sasl, user, password) => {
                let given = [
                    ("sasl", sasl.as_ref().map(|at| at.loc)),
                    ("user", user.as_ref().map(|at| at.loc)),
                    ("password", password.as_ref().map(|at| at.loc)),
                ];
                if !given.iter().any(|(key, _)| report.is_faulty(table, key)) {
                    let loc = given.iter().find_map(|(_, loc)| *loc).unwrap_or(table);
                    let help = "add the others, such as `sasl = \"scram-sha-256\"`, `user = \"…\"`, `password = \"file:/…\"`";
                    report.missing(loc, "`sasl`, `user` and `password` are of no use alone", help.to_owned());
                }
                None
            }
        };
        let settings = Self {
            brokers: brokers.into_iter().map(|broker| broker.value).collect(),
            topic: raw.topic?.value.0,
            partition: raw.partition.map(|at| at.value).unwrap_or_default(),
            tls,
            login,
        };
        (report.errors() == before).then_some(settings)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        let brokers: Vec<String> = self.brokers.iter().map(ToString::to_string).collect();
        format!("{}/{}", brokers.join(","), self.topic)
    }
}

/// The name of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic(pub Arc<str>);

schema!(Topic, json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,249}$" }));

impl Read for Topic {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.len() <= 249 && text.chars().all(plain) && !matches!(&*text.0, "." | "..") {
            return Some(Self(text.0.into()));
        }
        let help = "write at most 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`".to_owned();
        report.error(node.loc, format!("{} is no name of a topic", quoted(&text)), help);
        None
    }
}

/// Which partition an event goes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Partitioning {
    /// That of its host's name, as Java's clients choose it: events of a host keep their order.
    #[default]
    Host,
    /// One after the other, batch by batch.
    RoundRobin,
}

const PARTITIONINGS: [(&str, Partitioning); 2] =
    [("host", Partitioning::Host), ("round-robin", Partitioning::RoundRobin)];

schema!(Partitioning, json_schema!({ "enum": PARTITIONINGS.map(|(name, _)| name) }));

impl Read for Partitioning {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "partition", &PARTITIONINGS, report)
    }
}

/// A mechanism of SASL (RFC 4616, RFC 5802, RFC 7677).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sasl {
    /// The password itself.
    Plain,
    /// A proof of it.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

const SASLS: [(&str, Sasl); 3] =
    [("plain", Sasl::Plain), ("scram-sha-256", Sasl::ScramSha256), ("scram-sha-512", Sasl::ScramSha512)];

schema!(Sasl, json_schema!({ "enum": SASLS.map(|(name, _)| name) }));

impl Read for Sasl {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "mechanism", &SASLS, report)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::delivery::{Delivery, Target};
    use crate::written::Source;

    fn read(keys: &str) -> Result<KafkaSettings, Vec<String>> {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"kafka\"\n{keys}\n");
        let mut delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
        match delivery.sinks.pop().map(|sink| sink.target) {
            Some(Target::Kafka(settings)) => Ok(settings),
            _ => {
                Err(delivery.faulty[0].problems.list.iter().map(|problem| problem.message.clone()).collect())
            }
        }
    }

    #[test]
    fn the_keys_of_kafka_are_read() {
        let settings = read(
            "brokers = [\"k1:9093\", \"[::1]:9093\"]\ntopic = \"gdprport\"\ntls = true\npartition = \"round-robin\"\n\
             sasl = \"scram-sha-512\"\nuser = \"me\"\npassword = \"credential:kafka\"",
        )
        .expect("valid");
        assert_eq!(settings.place(), "k1:9093,[::1]:9093/gdprport");
        assert_eq!(
            (settings.partition, settings.tls),
            (Partitioning::RoundRobin, Some(TlsSettings::default()))
        );
        assert_eq!(settings.login.map(|login| login.sasl), Some(Sasl::ScramSha512));
        assert_eq!(read("brokers = \"k:1\"\ntopic = \"t\"").expect("valid").partition, Partitioning::Host);
    }

    #[rstest]
    #[case("brokers = \"k\"\ntopic = \"t\"", "`k` is no host with a port: it has no port")]
    #[case(
        "brokers = \"me:pw@k:1\"\ntopic = \"t\"",
        "this is no host with a port: it has a name or password in it"
    )]
    #[case("brokers = \"k:1\"\ntopic = \"a b\"", "`a b` is no name of a topic")]
    #[case("brokers = \"k:1\"", "a sink has no `topic`")]
    #[case(
        "brokers = \"k:1\"\ntopic = \"t\"\nca = \"/ca\"",
        "`ca` has no effect: this connection is not encrypted"
    )]
    #[case(
        "brokers = \"k:1\"\ntopic = \"t\"\nuser = \"me\"",
        "`sasl`, `user` and `password` are of no use alone"
    )]
    #[case(
        "brokers = \"k:1\"\ntopic = \"t\"\nsasl = \"plain\"\nuser = \"me\"\npassword = \"file:/p\"",
        "the password would cross the network unencrypted"
    )]
    fn a_wrong_key_of_kafka_is_refused(#[case] keys: &str, #[case] why: &str) {
        assert_eq!(read(keys), Err(vec![why.to_owned()]));
    }
}
