//! Whether and where checkpoints of the evidence log are stamped by an authority (RFC 3161), as it is written.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::TlsSettings;
use super::over_http::{Auth, HttpSettings, ProxyText, proxy};
use super::url::HttpUrl;
use crate::written::{AbsolutePath, At, Node, Period, Read, Report, TableReader, schema, tables};

/// How often a checkpoint may be stamped: authorities that are free of charge ask not to be asked more often than each minute.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// How often it is, unless it is said otherwise.
const EVERY_HOUR: Duration = Duration::from_secs(3_600);

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a checkpoint is stamped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Every(Duration);

schema!(Every, json_schema!({ "type": "string", "examples": ["1h", "1d"] }));

impl Read for Every {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let Period(every) = Period::read(node, report)?;
        if !EVERY.contains(&every) {
            let help = "write a time from \"1m\" to \"7d\"".to_owned();
            report.error(node.loc, "the time is out of range", help);
            return None;
        }
        Some(Self(every))
    }
}

tables! {
    /// Who stamps checkpoints of the evidence log, and how often.
    "`[deliver.timestamps]`" => struct RawTimestamps as "Timestamps" {
        required {
            /// Where the time-stamping authority is: `http://` or `https://`. What it answers is signed.
            url: HttpUrl = "\"https://tsa.example.org/tsr\"",
            /// A file with the certificates that its own leads to, in PEM.
            ca: AbsolutePath = "\"/etc/gdprport/tsa.pem\"",
        }
        optional {
            /// How often: the newest checkpoint of so long is stamped.
            every: Every,
            /// A proxy, `environment`, or `none`.
            proxy: ProxyText,
        }
        later {}
    }
}

/// Who stamps checkpoints of the evidence log, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampSettings {
    /// How the authority is reached. With `https` the system's authorities are trusted: what it answers is verified by `ca`.
    pub http: HttpSettings,
    /// A file with the certificates that its own leads to, in PEM.
    pub ca: PathBuf,
    /// How often the newest checkpoint is stamped.
    pub every: Duration,
}

impl TimestampSettings {
    /// What is written; `None` if a key is missing or wrong, which was reported.
    pub(super) fn of(raw: RawTimestamps, report: &mut Report<'_>) -> Option<Self> {
        let RawTimestamps { url, ca, every, proxy: through } = raw;
        let http = HttpSettings {
            url: url?.value,
            tls: TlsSettings::default(),
            proxy: proxy(through, None, report),
            auth: Auth::None,
            headers: Vec::new(),
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        };
        let every = every.map_or(EVERY_HOUR, |at| at.value.0);
        Some(Self { http, ca: ca?.value.0, every })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Delivery, Proxy};
    use super::*;
    use crate::written::Source;

    fn read(keys: &str) -> Result<Option<TimestampSettings>, String> {
        let text = format!("[deliver.timestamps]\n{keys}");
        let read = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text });
        read.map(|read| read.settings.timestamps).map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_authority_is_asked_each_hour_unless_said_otherwise() {
        let keys = "url = \"http://tsa.example.org/tsr\"\nca = \"/etc/tsa.pem\"\n";
        let settings = read(keys).expect("valid").expect("timestamps");
        assert_eq!((settings.every, settings.http.proxy), (EVERY_HOUR, Proxy::None));
        assert_eq!(settings.http.url.as_str(), "http://tsa.example.org/tsr");
        let more = format!("{keys}every = \"1d\"\nproxy = \"environment\"\n");
        let settings = read(&more).expect("valid").expect("timestamps");
        assert_eq!((settings.every.as_secs(), settings.http.proxy), (86_400, Proxy::Environment));
        let none = Delivery::parse(Source { name: "x".to_owned(), text: "[deliver]\n".to_owned() });
        assert_eq!(none.expect("valid").settings.timestamps, None);
    }

    #[test]
    fn what_is_wrong_with_the_keys_is_said() {
        let keys = "url = \"http://tsa.example.org/tsr\"\nca = \"/etc/tsa.pem\"\n";
        for (text, why) in [
            ("", "`url`"),
            ("url = \"http://tsa.example.org\"\n", "`ca`"),
            ("url = \"tsa.example.org\"\nca = \"/x\"\n", "begins neither with `https://` nor with `http://`"),
            (&*format!("{keys}every = \"1s\"\n"), "write a time from \"1m\" to \"7d\""),
            (&*format!("{keys}evry = \"1h\"\n"), "did you mean `every`?"),
        ] {
            let problems = read(text).expect_err(text);
            assert!(problems.contains(why), "{problems}");
        }
    }
}
