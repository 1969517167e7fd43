//! Reading a filter while it is typed: what is wrong is said in one sentence, with where it stands.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

use super::term::{Filter, Term, Want};
use crate::model::{Direction, PostureState};
use crate::top::Rank;

/// Terms of one filter; nobody types more.
const MOST: usize = 64;

/// What the keys are called.
const KEYS: [&str; 10] =
    ["port", "unit", "peer", "verdict", "tls", "process", "user", "container", "dir", "reason"];

/// Names of `tls:`, and what each means. Every state that events have is one too.
const TLS: [(&str, &[PostureState]); 6] = [
    ("yes", &[PostureState::Tls13, PostureState::Tls12, PostureState::StarttlsUpgraded]),
    (
        "no",
        &[
            PostureState::Plaintext,
            PostureState::StarttlsRefused,
            PostureState::EncryptedOther,
            PostureState::Unrecognised,
        ],
    ),
    ("weak", &[PostureState::WeakTls]),
    ("unknown", &[PostureState::Unknown, PostureState::NoData]),
    ("1.3", &[PostureState::Tls13]),
    ("1.2", &[PostureState::Tls12]),
];

/// The same for states by their own names.
const STATES: [&[PostureState]; 10] = [
    &[PostureState::Tls13],
    &[PostureState::Tls12],
    &[PostureState::WeakTls],
    &[PostureState::StarttlsUpgraded],
    &[PostureState::StarttlsRefused],
    &[PostureState::Plaintext],
    &[PostureState::EncryptedOther],
    &[PostureState::Unrecognised],
    &[PostureState::NoData],
    &[PostureState::Unknown],
];

const VERDICTS: [&str; 4] = ["violation", "undecided", "declared", "accepted"];

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Where the word begins that is wrong: so many characters before it.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for FilterError {}

/// A word as it was typed: without its quotes.
struct Token {
    at: usize,
    text: String,
    /// The colon that separates its key: not one that stands in quotes.
    colon: Option<usize>,
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let terms: Vec<Term> = tokens(text)?.into_iter().map(term).collect::<Result<_, _>>()?;
        if terms.len() > MOST {
            return Err(FilterError { at: 0, what: format!("there are more than {MOST} words") });
        }
        Ok(Self { terms })
    }
}

/// Words, separated by spaces that do not stand in quotes.
fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut current: Option<Token> = None;
    let mut quoted = None;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() && quoted.is_none() {
            tokens.extend(current.take());
            continue;
        }
        let token = current.get_or_insert_with(|| Token { at, text: String::new(), colon: None });
        match c {
            '"' if quoted.is_some() => quoted = None,
            '"' => quoted = Some(at),
            ':' if quoted.is_none() && token.colon.is_none() => {
                token.colon = Some(token.text.len());
                token.text.push(c);
            }
            c => token.text.push(c),
        }
    }
    if let Some(at) = quoted {
        return Err(FilterError { at, what: "a quote is open: close it with \"".to_owned() });
    }
    tokens.extend(current);
    Ok(tokens)
}

fn term(token: Token) -> Result<Term, FilterError> {
    let Token { at, text, colon } = token;
    let (not, begin) = if text.starts_with('-') && text.len() > 1 { (true, 1) } else { (false, 0) };
    let wrong = |what: String| FilterError { at, what };
    // An IPv6 address has colons of its own.
    let is_address = text.get(begin..).is_some_and(|word| word.parse::<IpAddr>().is_ok());
    let key = colon.and_then(|colon| text.get(begin..colon)).filter(|key| is_word(key) && !is_address);
    let rest = colon.and_then(|colon| text.get(colon + 1..)).unwrap_or_default();
    let any = match key {
        Some(key) if !rest.starts_with(':') => {
            let key = known(key).map_err(wrong)?;
            let values: Vec<&str> = rest.split(',').filter(|value| !value.is_empty()).collect();
            if values.is_empty() {
                return Err(wrong(format!("{key}: needs a value, {}", hint(key))));
            }
            values.into_iter().map(|value| want(key, value)).collect::<Result<_, _>>().map_err(wrong)?
        }
        _ => {
            let word = text.get(begin..).unwrap_or_default();
            if word.is_empty() {
                return Err(wrong("\"\" is nothing to look for".to_owned()));
            }
            vec![Want::Word(word.to_lowercase())]
        }
    };
    Ok(Term { not, any })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphabetic)
}

/// The key of this name, or one that begins so and is the only one.
fn known(name: &str) -> Result<&'static str, String> {
    let lower = name.to_lowercase();
    if let Some(key) = KEYS.into_iter().find(|key| *key == lower) {
        return Ok(key);
    }
    let near =
        KEYS.into_iter().filter(|key| strsim::osa_distance(key, &lower) <= 2 || key.starts_with(&lower));
    let near = near.min_by_key(|key| strsim::osa_distance(key, &lower));
    let keys = KEYS.map(|key| format!("{key}:")).join(" ");
    Err(match near {
        Some(key) => format!("`{name}:` is no key; did you mean `{key}:`?"),
        None => format!("`{name}:` is no key; there are {keys}"),
    })
}

/// What values a key has.
fn hint(key: &str) -> &'static str {
    match key {
        "port" => "as in port:5432 or port:customers-db",
        "peer" => "as in peer:10.0.2.7 or peer:10.0.0.0/8",
        "unit" => "as in unit:postgresql",
        "process" => "as in process:psql",
        "user" => "as in user:etl",
        "container" => "as in container:orders",
        "reason" => "as in reason:undeclared-peer",
        "dir" => "in or out",
        "verdict" => "violation, undecided, declared or accepted",
        _ => "yes, no, weak, unknown, 1.3 or 1.2",
    }
}

fn want(key: &str, value: &str) -> Result<Want, String> {
    let lower = value.to_lowercase();
    Ok(match key {
        "port" => port(value)?,
        "peer" => peer(value)?,
        "unit" => Want::Unit(lower),
        "process" => Want::Process(lower),
        "user" => Want::User(lower),
        "container" => Want::Container(lower),
        "reason" => Want::Reason(lower),
        "dir" => match &*lower {
            "in" => Want::Direction(Direction::In),
            "out" => Want::Direction(Direction::Out),
            _ => return Err(format!("dir:{value} is neither in nor out")),
        },
        "verdict" => match VERDICTS.into_iter().find(|name| name.starts_with(&*lower)) {
            Some("violation") => Want::AnyViolation,
            Some("undecided") => Want::Verdict(Rank::Undecided),
            Some("declared") => Want::Verdict(Rank::Declared),
            Some(_) => Want::Verdict(Rank::Accepted),
            None => return Err(format!("verdict:{value} is none of {}", VERDICTS.join(", "))),
        },
        _ => tls(&lower).map(Want::Posture).ok_or_else(|| {
            format!("tls:{value} is none of yes, no, weak, unknown, 1.3, 1.2, and no state such as plaintext")
        })?,
    })
}

fn tls(value: &str) -> Option<&'static [PostureState]> {
    let named = TLS.into_iter().find(|(name, _)| *name == value).map(|(_, states)| states);
    let own = || STATES.into_iter().find(|states| states.iter().any(|state| state.as_str() == value));
    // While it is typed.
    let begun = || {
        let mut begun =
            STATES.into_iter().filter(|states| states.iter().any(|state| state.as_str().starts_with(value)));
        begun.next().filter(|_| begun.next().is_none())
    };
    named.or_else(own).or_else(begun)
}

fn port(value: &str) -> Result<Want, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number =
        |text: &str| text.parse::<u16>().map_err(|_| format!("port:{value} is beyond 65535, the last port"));
    let range = |range: RangeInclusive<u16>| {
        if range.is_empty() {
            return Err(format!("port:{value} ends before it begins"));
        }
        Ok(Want::PortNumber(range))
    };
    match value.split_once('-') {
        _ if digits(value) => number(value).and_then(|number| range(number..=number)),
        Some((from, to)) if digits(from) && digits(to) => range(number(from)?..=number(to)?),
        Some((from, "")) if digits(from) => Err(format!("port:{value} has no end, as in port:{from}-5439")),
        _ => Ok(Want::PortName(value.to_lowercase())),
    }
}

fn peer(value: &str) -> Result<Want, String> {
    if let Ok(address) = value.parse() {
        return Ok(Want::PeerAddress(address));
    }
    match value.split_once('/') {
        None => Ok(Want::PeerText(value.to_lowercase())),
        Some((_, "")) => Err(format!("peer:{value} needs the length of a prefix, as in peer:10.0.0.0/8")),
        Some(_) => value
            .parse::<IpNet>()
            .map(|network| Want::PeerNetwork(network.trunc()))
            .map_err(|_| format!("peer:{value} is no network such as 10.0.0.0/8 or fd00::/8")),
    }
}
