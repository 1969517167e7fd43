//! The single values of the sensor's tables: numbers, sizes and times within their bounds, and what has a grammar of its own.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::container::ShownLabels;
use crate::delivery::SecretRef;
use crate::written::{
    AbsolutePath, At, Node, Period, Read, Report, Size, Text, number_within, one_of, quoted, schema,
};

/// Bytes that a spool may have: less holds no minute of a busy host, more is no spool.
pub const SPOOL_BYTES: RangeInclusive<u64> = 4 << 20..=1 << 40;

/// Days that a ledger may keep: ten years.
const DAYS_MAX: u64 = 3_660;

/// How long it may last until what was written is on the disk: more often is `batch`, more rarely `never`.
const SYNC: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Declares numbers within bounds.
macro_rules! numbers {
    ($($(#[doc = $doc:literal])+ $name:ident = $least:literal..=$most:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub u32);

        schema!($name, json_schema!({ "type": "integer", "minimum": $least, "maximum": $most }));

        impl Read for $name {
            fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
                number_within(node, $least..=$most, report).map(Self)
            }
        }
    )+};
}

numbers! {
    /// How many of something the daemon or the kernel side may hold.
    Count = 64..=4_194_304;
    /// Bytes that undecided flows may hold.
    UndecidedBytes = 65_536..=1_073_741_824;
    /// Addresses that are kept one by one.
    Peers = 1..=1_000_000;
    /// Bits of an address of IPv4 that are kept.
    Ipv4Bits = 1..=32;
    /// The same of IPv6.
    Ipv6Bits = 1..=128;
}

/// Bytes of the ring buffer, as the kernel takes them.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingBytes(pub u32);

schema!(RingBytes, json_schema!({ "type": "integer", "minimum": 65_536, "maximum": 268_435_456 }));

impl Read for RingBytes {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let bytes = number_within(node, 1 << 16..=1 << 28, report)?;
        if !bytes.is_power_of_two() {
            let help = format!(
                "the nearest are {} and {}",
                bytes.next_power_of_two() / 2,
                bytes.next_power_of_two()
            );
            report.error(node.loc, format!("`{bytes}` is no power of two"), help);
            return None;
        }
        Some(Self(bytes))
    }
}

/// Declares times within bounds, with how these are written.
macro_rules! times {
    ($($(#[doc = $doc:literal])+ $name:ident = $least:expr, $most:expr => $bounds:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub Duration);

        schema!($name, json_schema!({ "type": "string", "minLength": 2 }));

        impl Read for $name {
            fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
                let Period(time) = Period::read(node, report)?;
                if ($least..=$most).contains(&time) {
                    return Some(Self(time));
                }
                report.error(node.loc, "the time is out of range", $bounds.to_owned());
                None
            }
        }
    )+};
}

times! {
    /// How often something is done.
    Interval = Duration::from_secs(1), Duration::from_hours(24) => "write a time from \"1s\" to \"1d\"";
    /// For how long the spool keeps events: less is no spool, and each hour has a file.
    SpoolKeep = Duration::from_hours(1), Duration::from_hours(60 * 24) => "write a time from \"1h\" to \"60d\"";
}

/// For how many days the ledger keeps what it counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days(pub u32);

schema!(Days, json_schema!({ "type": "string", "pattern": "^[0-9]+ *d" }));

impl Read for Days {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        const DAY: Duration = Duration::from_hours(24);
        let Period(time) = Period::read(node, report)?;
        let days = time.as_secs() / DAY.as_secs();
        let whole = DAY.checked_mul(u32::try_from(days).unwrap_or(u32::MAX)) == Some(time);
        if !whole || !(1..=DAYS_MAX).contains(&days) {
            let help = format!("write whole days, from \"1d\" to \"{DAYS_MAX}d\"");
            report.error(node.loc, "the time is out of range", help);
            return None;
        }
        u32::try_from(days).ok().map(Self)
    }
}

/// Declares sizes within bounds, with how these are written.
macro_rules! sizes {
    ($($(#[doc = $doc:literal])+ $name:ident = $bounds:expr => $written:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub u64);

        schema!($name, json_schema!({ "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$" }));

        impl Read for $name {
            fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
                let Size(bytes) = Size::read(node, report)?;
                if $bounds.contains(&bytes) {
                    return Some(Self(bytes));
                }
                report.error(node.loc, "the size is out of range", $written.to_owned());
                None
            }
        }
    )+};
}

sizes! {
    /// Bytes that the ledger may have: less holds no day of a busy host, and more is no ledger.
    LedgerBytes = (1 << 20..=1 << 40) => "write a size from \"1MiB\" to \"1024GiB\"";
    /// Bytes that the spool may have.
    SpoolBytes = SPOOL_BYTES => "write a size from \"4MiB\" to \"1024GiB\"";
}

/// The path of a file or directory that is made: not the root itself.
#[derive(Debug, Clone)]
pub(super) struct NamedPath(pub PathBuf);

schema!(NamedPath, json_schema!({ "type": "string", "pattern": "^/." }));

impl Read for NamedPath {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let AbsolutePath(path) = AbsolutePath::read(node, report)?;
        if path.file_name().is_none() {
            let message = format!("{} names no file or directory", quoted(&path.to_string_lossy()));
            report.error(node.loc, message, "write its whole path, from the root".to_owned());
            return None;
        }
        Some(Self(path))
    }
}

/// Where the private key of the evidence log is.
#[derive(Debug, Clone)]
pub(super) struct KeyPlace(pub SecretRef);

schema!(
    KeyPlace,
    json_schema!({ "type": "string", "pattern": "^(/.|credential:[A-Za-z0-9_-][A-Za-z0-9_.-]*$)" })
);

impl Read for KeyPlace {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read_unquoted(node).filter(|text| text.starts_with(SecretRef::CREDENTIAL));
        let Some(text) = text else {
            return NamedPath::read(node, report).map(|NamedPath(path)| Self(SecretRef::File(path)));
        };
        let place = SecretRef::parse(&text);
        if place.is_none() {
            let help = "write `\"credential:NAME\"` with the name of LoadCredential= of the unit".to_owned();
            report.error(node.loc, format!("{} names no credential", quoted(&text)), help);
        }
        place.map(Self)
    }
}

/// When what was written to the spool is on the disk, so that not even the end of the host loses it. The end of the daemon, by
/// SIGKILL too, loses nothing of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolSync {
    /// At most so long after it was written.
    Within(Duration),
    /// Before it counts as written: after every batch.
    Batch,
    /// When the kernel does it by itself, after 30 s as a rule.
    Never,
}

schema!(SpoolSync, json_schema!({ "type": "string", "minLength": 2 }));

impl Read for SpoolSync {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let help = || "write \"batch\", \"never\" or a time from \"100ms\" to \"1m\"".to_owned();
        let text = Text::read(node, report)?;
        match (&*text, humantime::parse_duration(&text)) {
            ("batch", _) => return Some(Self::Batch),
            ("never", _) => return Some(Self::Never),
            (_, Ok(time)) if SYNC.contains(&time) => return Some(Self::Within(time)),
            (_, Ok(_)) => report.error(node.loc, "the time is out of range", help()),
            (_, Err(_)) => {
                let help = report.did_you_mean(&text, ["batch", "never"]).unwrap_or_else(help);
                report.error(node.loc, format!("{} is no time and no other value", quoted(&text)), help);
            }
        }
        None
    }
}

/// What can be shown by pseudonyms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Addresses of peers.
    Peers,
    /// Users and groups that may be persons.
    Users,
}

schema!(Subject, json_schema!({ "enum": ["peers", "users"] }));

impl Read for Subject {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "kind of pseudonyms", &[("peers", Self::Peers), ("users", Self::Users)], report)
    }
}

/// A pattern of labels.
#[derive(Debug, Clone)]
pub(super) struct LabelPattern(pub String);

schema!(LabelPattern, json_schema!({ "type": "string", "minLength": 1 }));

impl Read for LabelPattern {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let Text(pattern) = Text::read(node, report)?;
        if let Err(why) = ShownLabels::new(vec![pattern.clone()]) {
            report.error(node.loc, why, "`*` stands for any characters, `?` for one".to_owned());
            return None;
        }
        Some(Self(pattern))
    }
}

/// One value, or a list of them, which may be empty: then there is none.
#[derive(Debug)]
pub(super) struct Several<T>(pub Vec<At<T>>);

impl<T: Read> Read for Several<T> {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.value {
            DeValue::Array(_) => Vec::read(node, report).map(Self),
            _ => Some(Self(At::read(node, report).into_iter().collect())),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Several_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
