//! Which country an address is in, by a file that the controller names: lines of `prefix,country`.
//!
//! Belongs here: reading the text and looking up. Where the file is and who may change it is `app`'s; which transfers are declared
//! is the policy's. What such a file says is an estimate of whoever made it: of an address, not of the data.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// Bytes of a file that are read: 1,500,000 lines of IPv6.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Lines with a prefix that a file may have: twice those of all registries together, and 40 MB once read.
const PREFIXES_MAX: usize = 2_000_000;
/// Mistakes that are listed; of more there is their number.
const MISTAKES: usize = 10;
/// Characters of a line that a mistake shows.
const SHOWN: usize = 60;

/// ISO 3166-1 alpha-2, 249 codes. `ZZ` stands for none of them.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
     CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD \
     GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM \
     KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
     NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ \
     SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU \
     WF WS YE YT ZA ZM ZW";

/// Where the GDPR applies: the member states of the Union, those of the EEA (Decision 154/2018 of its Joint Committee), and the
/// regions of members with codes of their own where the Treaties apply (Art. 355(1) and (4) TFEU).
const EEA: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO AX GF GP MF MQ RE YT";

/// A country, by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Its code, two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// Whether it is no third country: a transfer to it is none under Art. 44 GDPR.
    #[must_use]
    pub fn is_in_eea(self) -> bool {
        is_one_of(EEA, self.0)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_one_of(codes: &str, code: [u8; 2]) -> bool {
    codes.split_ascii_whitespace().any(|known| known.as_bytes() == code)
}

/// Networks and their countries. Six bytes for each edge of IPv4 and 18 for each of IPv6, of which a prefix has two at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Countries {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// What a file has wrong; nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    /// The first of them: the line, from 1, and what is wrong in it.
    pub list: Vec<(usize, String)>,
    /// How many more there are.
    pub omitted: usize,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (line, what)) in self.list.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}line {line}: {what}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "; and {omitted} more"),
        }
    }
}

impl std::error::Error for Mistakes {}

impl Countries {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// Every mistake, by its line.
    pub fn parse(bytes: &[u8]) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes { list: Vec::new(), omitted: 0 };
        if bytes.len() > FILE_BYTES_MAX {
            mistakes.add(1, format!("the file has more than {} MiB", FILE_BYTES_MAX >> 20));
            return Err(mistakes);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let line = if index == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
            match read(line, index == 0) {
                Ok(None) => {}
                Ok(Some(_)) if v4.len() + v6.len() >= PREFIXES_MAX => {
                    mistakes.add(
                        number,
                        format!("up to here there are {PREFIXES_MAX} prefixes, and no more are read"),
                    );
                    break;
                }
                Ok(Some((net, country))) => {
                    let at = u32::try_from(number).unwrap_or(u32::MAX);
                    match net {
                        IpNet::V4(net) => {
                            v4.push(Written::new(net.network().to_bits(), net.prefix_len(), country, at));
                        }
                        IpNet::V6(net) => {
                            v6.push(Written::new(net.network().to_bits(), net.prefix_len(), country, at));
                        }
                    }
                }
                Err(what) => mistakes.add(number, what),
            }
        }
        let countries = Self { v4: Ranges::of(v4, &mut mistakes), v6: Ranges::of(v6, &mut mistakes) };
        if mistakes.list.is_empty() { Ok(countries) } else { Err(mistakes) }
    }

    /// The country of an address of full length, or of a network all of which is in one; `None`: the file does not say.
    #[must_use]
    pub fn of(&self, net: &IpNet) -> Option<Country> {
        match (net.network(), net.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.within(first.to_bits(), last.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                match first.to_ipv4_mapped().zip(last.to_ipv4_mapped()) {
                    Some((first, last)) => self.v4.within(first.to_bits(), last.to_bits()),
                    None => self.v6.within(first.to_bits(), last.to_bits()),
                }
            }
            _ => None,
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let (v4, v6) = (&self.v4, &self.v6);
        v4.starts.capacity() * 4 + v6.starts.capacity() * 16 + (v4.codes.capacity() + v6.codes.capacity()) * 2
    }
}

impl Mistakes {
    fn add(&mut self, line: usize, what: String) {
        if self.list.len() < MISTAKES {
            self.list.push((line, what));
        } else {
            self.omitted += 1;
        }
    }
}

/// One line; nothing of an empty one, a comment and the names of the columns.
fn read(line: &[u8], first: bool) -> Result<Option<(IpNet, Option<Country>)>, String> {
    let Ok(text) = str::from_utf8(line) else { return Err("it is not UTF-8".to_owned()) };
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') || first && text.eq_ignore_ascii_case("prefix,country") {
        return Ok(None);
    }
    let mut values = text.split(',').map(|value| value.trim().trim_matches('"'));
    let (Some(prefix), Some(code), None) = (values.next(), values.next(), values.next()) else {
        return Err(format!("{} is not a prefix and a country, as in `192.0.2.0/24,DE`", shown(text)));
    };
    let country = country(code)?;
    let net: IpNet = match prefix.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => match prefix.parse::<IpAddr>() {
            Ok(address) => address.into(),
            Err(_) => return Err(format!("{} is no network, such as 192.0.2.0/24", shown(prefix))),
        },
    };
    if net.addr() != net.network() {
        return Err(format!("{} has bits beyond its prefix: write {}", shown(prefix), net.trunc()));
    }
    Ok(Some((net, country)))
}

/// `None`: the file says that it does not know.
fn country(code: &str) -> Result<Option<Country>, String> {
    let upper = match code.as_bytes() {
        [a, b] => [a.to_ascii_uppercase(), b.to_ascii_uppercase()],
        _ => return Err(format!("{} is no country: two letters of ISO 3166-1, such as DE", shown(code))),
    };
    match &upper {
        b"ZZ" => Ok(None),
        b"UK" => Err("UK is no code of ISO 3166-1: the United Kingdom is GB".to_owned()),
        b"EU" | b"AP" => Err(format!("{} is no country; leave the line out, or write ZZ", shown(code))),
        _ if is_one_of(CODES, upper) => Ok(Some(Country(upper))),
        _ => Err(format!("{} is no country of ISO 3166-1", shown(code))),
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", cut.escape_debug())
}

/// An address as a number.
trait Bits: Copy + Ord + fmt::Debug {
    /// The last address of the network that begins here.
    fn last(self, prefix: u8) -> Self;
    /// The next address; `None`: there is none.
    fn next(self) -> Option<Self>;
}

macro_rules! bits {
    ($type:ty) => {
        impl Bits for $type {
            fn last(self, prefix: u8) -> Self {
                self | Self::MAX.checked_shr(prefix.into()).unwrap_or(0)
            }
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    };
}

bits!(u32);
bits!(u128);

/// One line of the file.
struct Written<T> {
    first: T,
    prefix: u8,
    country: Option<Country>,
    line: u32,
}

impl<T> Written<T> {
    const fn new(first: T, prefix: u8, country: Option<Country>, line: u32) -> Self {
        Self { first, prefix, country, line }
    }
}

/// All addresses, cut where the country changes: of nested prefixes the longest counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges<T> {
    /// Where a country begins, ascending; it reaches to the next one.
    starts: Vec<T>,
    /// Which; not known before the first.
    codes: Vec<[u8; 2]>,
}

/// Nobody says which.
const UNKNOWN: [u8; 2] = [0; 2];

impl<T: Bits> Ranges<T> {
    fn of(mut written: Vec<Written<T>>, mistakes: &mut Mistakes) -> Self {
        // Of the same prefix twice the earlier line comes first.
        written.sort_unstable_by_key(|written| (written.first, written.prefix, written.line));
        let mut ranges =
            Self { starts: Vec::with_capacity(written.len()), codes: Vec::with_capacity(written.len()) };
        // Those that the present one is within: where each ends, and its country.
        let mut within: Vec<(T, [u8; 2])> = Vec::new();
        let mut before: Option<&Written<T>> = None;
        for one in &written {
            if let Some(same) = before.filter(|other| (other.first, other.prefix) == (one.first, one.prefix))
            {
                if same.country != one.country {
                    let what = format!("the same prefix has another country in line {}", same.line);
                    mistakes.add(one.line as usize, what);
                }
                continue;
            }
            before = Some(one);
            ranges.leave(&mut within, |end| end < one.first);
            let code = one.country.map_or(UNKNOWN, |country| country.0);
            ranges.cut(one.first, code);
            within.push((one.first.last(one.prefix), code));
        }
        ranges.leave(&mut within, |_| true);
        ranges.starts.shrink_to_fit();
        ranges.codes.shrink_to_fit();
        ranges
    }

    /// Behind each that ends the one around it goes on.
    fn leave(&mut self, within: &mut Vec<(T, [u8; 2])>, ends: impl Fn(T) -> bool) {
        while let Some((end, _)) = within.last().copied().filter(|(end, _)| ends(*end)) {
            within.pop();
            if let Some(next) = end.next() {
                self.cut(next, within.last().map_or(UNKNOWN, |(_, code)| *code));
            }
        }
    }

    fn cut(&mut self, at: T, code: [u8; 2]) {
        if self.starts.last() == Some(&at) {
            self.starts.pop();
            self.codes.pop();
        }
        if self.codes.last().copied().unwrap_or(UNKNOWN) != code {
            self.starts.push(at);
            self.codes.push(code);
        }
    }

    fn within(&self, first: T, last: T) -> Option<Country> {
        let begin = self.starts.partition_point(|start| *start <= first).checked_sub(1)?;
        let is_one = self.starts.get(begin + 1).is_none_or(|next| *next > last);
        let code = *self.codes.get(begin)?;
        (is_one && code != UNKNOWN).then_some(Country(code))
    }
}

#[cfg(test)]
mod tests;
