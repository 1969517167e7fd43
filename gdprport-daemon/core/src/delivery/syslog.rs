//! The keys of `type = "syslog"`.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::endpoint::Endpoint;
use super::secret::SecretRef;
use super::tls::{ServerName, TlsKeys, TlsSettings};
use crate::written::{
    AbsolutePath, At, Loc, Node, Read, Report, Size, TableReader, Text, one_of, quoted, schema, tables,
};

tables! {
    /// A syslog receiver (RFC 5424).
    "a sink of type syslog" => struct RawSyslog as "Syslog" {
        required {
            /// Where it listens: `tls://HOST:PORT`, `tcp://HOST:PORT`, `udp://HOST:PORT` or `unix:///PATH`.
            address: SyslogAddress = "\"tls://siem.example.org:6514\"",
        }
        optional {
            /// How one message ends and the next begins.
            framing: Framing,
            /// When an event counts as delivered.
            confirm: Confirm,
            /// The facility, by its name in syslog(3).
            facility: Facility,
            /// Bytes that a message may have; an event that makes a larger one is refused and counted.
            max_size: Size,
            /// The name of the structured data, NAME@NUMBER with the IANA number of your organisation.
            sd_id: SdId,
            /// Trusted authorities (`tls://`).
            ca: AbsolutePath,
            /// The name that the receiver's certificate must have (`tls://`).
            server_name: ServerName,
            /// The certificate of this host (`tls://`).
            client_cert: AbsolutePath,
            /// Its private key (`tls://`).
            client_key: SecretRef,
        }
        later {}
    }
}

/// Bytes of a message, unless the configuration says more: what rsyslog takes of one by default, and the least of the common
/// receivers (RFC 5424 §6.1 only demands 480 and recommends 2048).
const MAX_SIZE: usize = 8 << 10;

/// What can be configured.
const MAX_SIZES: std::ops::RangeInclusive<u64> = 480..=1 << 20;

/// What fits into a datagram over IPv4: 65,535 without the headers of IP and UDP.
const DATAGRAM_MAX: u64 = 65_507;

/// The name of the structured data. 32473 is the number for examples in documentation (RFC 5612): gdprport has none of its own,
/// and who has one can name it.
const SD_ID: &str = "gdprport@32473";

/// How a syslog receiver is reached, and what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Where it listens.
    pub address: SyslogAddress,
    /// How messages are told apart on a stream; of no effect on datagrams.
    pub framing: Framing,
    /// When an event counts as delivered; of no effect on datagrams.
    pub confirm: Confirm,
    /// The facility of every message.
    pub facility: Facility,
    /// Bytes that a message may have, its header included.
    pub max_size: usize,
    /// The name of the structured data.
    pub sd_id: Arc<str>,
    /// For `tls://`.
    pub tls: TlsSettings,
}

impl SyslogSettings {
    pub(super) fn of(raw: RawSyslog, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let keys = TlsKeys {
            ca: raw.ca,
            server_name: raw.server_name,
            client_cert: raw.client_cert,
            client_key: raw.client_key,
        };
        let At { value: address, loc } = raw.address?;
        let mut good = true;
        let tls = if matches!(address, SyslogAddress::Tls(_)) {
            keys.check(table, report)
        } else {
            let help = "write the address as `tls://HOST:PORT`, or remove the key";
            good &= !keys.refuse(help, report);
            Some(TlsSettings::default())
        };
        if matches!(address, SyslogAddress::Udp(_)) {
            let alone =
                "over UDP each message is a packet of its own and nothing confirms it; remove the key";
            let given =
                [("framing", raw.framing.map(|at| at.loc)), ("confirm", raw.confirm.map(|at| at.loc))];
            for (key, loc) in given {
                if let Some(loc) = loc {
                    report.error(loc, format!("`{key}` has no effect with `udp://`"), alone.to_owned());
                    good = false;
                }
            }
        }
        let max_size = raw.max_size.map_or(MAX_SIZE as u64, |size| {
            let most = if matches!(address, SyslogAddress::Udp(_)) { DATAGRAM_MAX } else { *MAX_SIZES.end() };
            if !(*MAX_SIZES.start()..=most).contains(&size.value.0) {
                let help = format!("write a size from \"480B\" to \"{most}B\"");
                report.error(size.loc, "the size is out of range", help);
                good = false;
            }
            size.value.0
        });
        if matches!(address, SyslogAddress::Tls(_)) && raw.framing.is_some_and(|at| at.value == Framing::Lf) {
            let why = "RFC 5425 demands octet counting over TLS; with `framing = \"lf\"` some receivers merge messages";
            let help = "leave the key out unless this receiver needs it".to_owned();
            report.warning(loc, why, help);
        }
        let framing = raw.framing.map_or_else(|| address.framing(), |at| at.value);
        let settings = Self {
            framing,
            confirm: raw.confirm.map(|at| at.value).unwrap_or_default(),
            facility: raw.facility.map(|at| at.value).unwrap_or_default(),
            max_size: usize::try_from(max_size).unwrap_or(MAX_SIZE),
            sd_id: raw.sd_id.map_or_else(|| SD_ID.into(), |at| at.value.0),
            tls: tls?,
            address,
        };
        good.then_some(settings)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.address.to_string()
    }
}

/// Where a syslog receiver listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A Unix socket, of datagrams or a stream: whichever it is.
    Unix(PathBuf),
    /// UDP (RFC 5426).
    Udp(Endpoint),
    /// TCP (RFC 6587).
    Tcp(Endpoint),
    /// TLS (RFC 5425).
    Tls(Endpoint),
}

impl SyslogAddress {
    /// How messages are told apart if nothing else is configured: counted, as RFC 5425 demands and RFC 6587 recommends, and as
    /// rsyslog, syslog-ng and Vector read by default. Local sockets are line by line.
    const fn framing(&self) -> Framing {
        match self {
            Self::Unix(_) => Framing::Lf,
            Self::Udp(_) | Self::Tcp(_) | Self::Tls(_) => Framing::OctetCounting,
        }
    }
}

schema!(SyslogAddress, json_schema!({ "type": "string", "pattern": "^(unix:///|udp://|tcp://|tls://)." }));

impl Read for SyslogAddress {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let help = "write `tls://HOST:6514`, `tcp://HOST:PORT`, `udp://HOST:514` or `unix:///dev/log`";
        let mut refuse = |why: &str| {
            report.error(
                node.loc,
                format!("{} is no address of a syslog receiver: {why}", quoted(&text)),
                help.to_owned(),
            );
            None
        };
        let Some((scheme, place)) = text.split_once("://") else { return refuse("it names no protocol") };
        let endpoint = |port| Endpoint::parse(place, port);
        let address = match scheme {
            "unix" if place.starts_with('/') && place.len() > 1 => Ok(Self::Unix(place.into())),
            "unix" => Err("its path does not begin with `/`"),
            "udp" => endpoint(Some(514)).map(Self::Udp),
            // 514 is rsh's over TCP: which port is meant is not guessed.
            "tcp" => endpoint(None).map(Self::Tcp),
            "tls" => endpoint(Some(6514)).map(Self::Tls),
            _ => Err("its protocol is none of `tls`, `tcp`, `udp` and `unix`"),
        };
        address.map_or_else(refuse, Some)
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Udp(endpoint) => write!(f, "udp://{endpoint}"),
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Self::Tls(endpoint) => write!(f, "tls://{endpoint}"),
        }
    }
}

/// How messages are told apart on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The number of its bytes and a blank before each (RFC 5425 §4.3.1, RFC 6587 §3.4.1).
    OctetCounting,
    /// A line feed behind each (RFC 6587 §3.4.2); no record has one inside.
    Lf,
}

const FRAMINGS: [(&str, Framing); 2] = [("octet-counting", Framing::OctetCounting), ("lf", Framing::Lf)];

schema!(Framing, json_schema!({ "enum": FRAMINGS.map(|(name, _)| name) }));

impl Read for Framing {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "framing", &FRAMINGS, report)
    }
}

/// When an event counts as delivered. Syslog itself has no acknowledgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confirm {
    /// When the receiver's TCP has acknowledged it. What its program has not read yet is lost if that is killed.
    #[default]
    Tcp,
    /// When the receiver's program has read it: the connection is ended after each batch, and the receiver ends its side once it
    /// has read all.
    Close,
}

const CONFIRMS: [(&str, Confirm); 2] = [("tcp", Confirm::Tcp), ("close", Confirm::Close)];

schema!(Confirm, json_schema!({ "enum": CONFIRMS.map(|(name, _)| name) }));

impl Read for Confirm {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "confirmation", &CONFIRMS, report)
    }
}

/// A facility of syslog (RFC 5424 §6.2.1), all but the kernel's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// Its number, from 1 to 23.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// `local0`: free for the site to route. `authpriv` would mix with logins, which many keep apart by law.
impl Default for Facility {
    fn default() -> Self {
        Self(16)
    }
}

/// By their names in syslog(3); 12 to 15 have none there.
const FACILITIES: [(&str, Facility); 19] = [
    ("user", Facility(1)),
    ("mail", Facility(2)),
    ("daemon", Facility(3)),
    ("auth", Facility(4)),
    ("syslog", Facility(5)),
    ("lpr", Facility(6)),
    ("news", Facility(7)),
    ("uucp", Facility(8)),
    ("cron", Facility(9)),
    ("authpriv", Facility(10)),
    ("ftp", Facility(11)),
    ("local0", Facility(16)),
    ("local1", Facility(17)),
    ("local2", Facility(18)),
    ("local3", Facility(19)),
    ("local4", Facility(20)),
    ("local5", Facility(21)),
    ("local6", Facility(22)),
    ("local7", Facility(23)),
];

schema!(Facility, json_schema!({ "enum": FACILITIES.map(|(name, _)| name) }));

impl Read for Facility {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "facility", &FACILITIES, report)
    }
}

/// The name of an element of structured data that is not IANA's: `NAME@NUMBER` (RFC 5424 §6.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SdId(pub Arc<str>);

schema!(SdId, json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,20}@[0-9.]{1,11}$" }));

impl Read for SdId {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_id = text.split_once('@').is_some_and(|(name, number)| {
            (1..=20).contains(&name.len())
                && name.chars().all(plain)
                && (1..=11).contains(&number.len())
                && number.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        });
        if is_id {
            return Some(Self(text.0.into()));
        }
        let help =
            "write NAME@NUMBER, such as \"gdprport@32473\" with the number of your organisation at IANA";
        report.error(node.loc, format!("{} is no name of structured data", quoted(&text)), help.to_owned());
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::delivery::{Delivery, Target};
    use crate::written::Source;

    fn read(keys: &str) -> Result<SyslogSettings, Vec<String>> {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"syslog\"\n{keys}\n");
        let mut delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("TOML");
        match delivery.sinks.pop().map(|sink| sink.target) {
            Some(Target::Syslog(settings)) => Ok(settings),
            _ => {
                Err(delivery.faulty[0].problems.list.iter().map(|problem| problem.message.clone()).collect())
            }
        }
    }

    #[test]
    fn what_is_not_said_has_a_default_by_the_address() {
        let of = |address: &str| read(&format!("address = \"{address}\"")).expect("valid");
        let tls = of("tls://siem.example.org");
        assert_eq!(tls.place(), "tls://siem.example.org:6514");
        assert_eq!((tls.framing, tls.confirm), (Framing::OctetCounting, Confirm::Tcp));
        assert_eq!((tls.facility.number(), tls.max_size, &*tls.sd_id), (16, 8192, "gdprport@32473"));
        assert_eq!(of("tcp://[2001:db8::1]:601").framing, Framing::OctetCounting);
        assert_eq!(of("udp://192.0.2.1").place(), "udp://192.0.2.1:514");
        assert_eq!(of("unix:///dev/log").framing, Framing::Lf);
    }

    #[rstest]
    #[case("address = \"siem:514\"", "`siem:514` is no address of a syslog receiver: it names no protocol")]
    #[case("address = \"tcp://siem\"", "`tcp://siem` is no address of a syslog receiver: it has no port")]
    #[case(
        "address = \"http://siem\"",
        "`http://siem` is no address of a syslog receiver: its protocol is none of"
    )]
    #[case(
        "address = \"unix://dev/log\"",
        "`unix://dev/log` is no address of a syslog receiver: its path does not"
    )]
    #[case(
        "address = \"tcp://h:1\"\nca = \"/ca.pem\"",
        "`ca` has no effect: this connection is not encrypted"
    )]
    #[case("address = \"udp://h:1\"\nframing = \"lf\"", "`framing` has no effect with `udp://`")]
    #[case("address = \"udp://h:1\"\nmax_size = \"64KiB\"", "the size is out of range")]
    #[case("address = \"tcp://h:1\"\nfacility = \"kern\"", "there is no facility `kern`")]
    #[case("address = \"tcp://h:1\"\nconfirm = \"none\"", "there is no confirmation `none`")]
    #[case("address = \"tcp://h:1\"\nsd_id = \"a b@1\"", "`a b@1` is no name of structured data")]
    #[case("facility = \"user\"", "a sink has no `address`")]
    fn a_wrong_key_of_syslog_is_refused(#[case] keys: &str, #[case] why: &str) {
        let problems = read(keys).expect_err("wrong");
        assert!(problems.len() == 1 && problems[0].starts_with(why), "{problems:?}");
    }
}
