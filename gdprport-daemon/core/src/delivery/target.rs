//! Which transports there are: one row for each, with the file of its keys.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::elastic::{ElasticSettings, RawElastic};
use super::http::RawHttp;
use super::kafka::{KafkaSettings, RawKafka};
use super::loki::{LokiSettings, RawLoki};
use super::nats::{NatsSettings, RawNats};
use super::otlp::{OtlpSettings, RawOtlp};
use super::over_http::HttpSettings;
use super::splunk::{RawSplunk, SplunkSettings};
use super::syslog::{RawSyslog, SyslogSettings};
use crate::encode::Encoding;
use crate::written::{Loc, Node, Read, Report, TableReader, one_of, schema};

/// Declares the transports: the name in `type`, the default encoding, the table of its own keys and what they mean. The table
/// comes from `tables!`; the settings have `of(raw, loc, report) -> Option<Self>` and `place(&self) -> String`.
macro_rules! transports {
    ($($(#[doc = $doc:literal])+ $kind:ident($settings:ty, $table:ty) = $text:literal, $encoding:ident;)+) => {
        /// The kind of a receiver: the value of `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum TransportKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        /// A receiver, with the settings of its transport.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Target {
            $($(#[doc = $doc])+ $kind($settings),)+
        }

        impl TransportKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $text,)+ }
            }

            /// The encoding of a sink that names none.
            #[must_use]
            pub const fn default_encoding(self) -> Encoding {
                match self { $(Self::$kind => Encoding::$encoding,)+ }
            }
        }

        impl Target {
            /// The kind of the receiver.
            #[must_use]
            pub const fn kind(&self) -> TransportKind {
                match self { $(Self::$kind(_) => TransportKind::$kind,)+ }
            }

            /// Where it is, for people: an address or URL, with nothing secret in it. A sink whose place or kind changes is
            /// another one.
            #[must_use]
            pub fn place(&self) -> String {
                match self { $(Self::$kind(settings) => settings.place(),)+ }
            }

            /// Reads the keys of a kind, after the common ones were taken from the table.
            pub(super) fn take(kind: TransportKind, fields: TableReader<'_, '_, '_>) -> Raw {
                match kind { $(TransportKind::$kind => Raw::$kind(<$table>::take(fields)),)+ }
            }
        }

        /// The own keys of a transport, as they are written.
        pub(super) enum Raw {
            $($kind($table),)+
        }

        impl Raw {
            /// What they mean. `loc` is the place of the sink's table.
            pub(super) fn meant(self, loc: Loc, report: &mut Report<'_>) -> Option<Target> {
                match self { $(Self::$kind(raw) => <$settings>::of(raw, loc, report).map(Target::$kind),)+ }
            }
        }
    };
}

transports! {
    /// Syslog of RFC 5424, over TLS, TCP, UDP or a Unix socket.
    Syslog(SyslogSettings, RawSyslog) = "syslog", Native;
    /// NATS with JetStream.
    Nats(NatsSettings, RawNats) = "nats", Native;
    /// Kafka.
    Kafka(KafkaSettings, RawKafka) = "kafka", Native;
    /// HTTP, one event a line.
    Http(HttpSettings, RawHttp) = "http", Native;
    /// Splunk's HTTP Event Collector.
    Splunk(SplunkSettings, RawSplunk) = "splunk", Native;
    /// Elasticsearch and OpenSearch, by `_bulk`.
    Elastic(ElasticSettings, RawElastic) = "elastic", Ecs;
    /// Grafana Loki.
    Loki(LokiSettings, RawLoki) = "loki", Native;
    /// OpenTelemetry's protocol over HTTP.
    Otlp(OtlpSettings, RawOtlp) = "otlp", Native;
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

schema!(
    TransportKind,
    json_schema!({ "enum": TransportKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>() })
);

impl Read for TransportKind {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let known: Vec<_> = Self::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect();
        one_of(node, "type of sink", &known, report)
    }
}
