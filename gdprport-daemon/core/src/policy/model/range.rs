//! Ranges of IPv4 addresses, which are no peers: recognized, so that what to write instead can be said.

use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv4Subnets};

/// How many networks are listed for one range.
const LISTED: usize = 8;

/// What to write instead of a range such as `10.0.0.1-10.0.0.9` or `10.0.0.1-9`; `None` if the text is none.
pub(super) fn networks_of_range(text: &str) -> Option<String> {
    let (first, last) = text.split_once('-')?;
    let first: Ipv4Addr = first.trim().parse().ok()?;
    let last = last.trim();
    // The short form replaces the last byte.
    let short = || {
        let [a, b, c, _] = first.octets();
        Some(Ipv4Addr::new(a, b, c, last.parse().ok()?))
    };
    let last = last.parse().ok().or_else(short)?;
    if last < first {
        return Some(format!("the range runs backwards: from {last} to {first}"));
    }
    let mut networks: Vec<_> = Ipv4Subnets::new(first, last, 0).take(LISTED + 1).collect();
    if networks.len() > LISTED {
        networks = vec![enclosing(first, last)];
        let all = shown(&networks);
        return Some(format!("write networks; the smallest one that has all of the range is {all}"));
    }
    Some(format!("write the networks of the range: {}", shown(&networks)))
}

/// The smallest network that contains both.
fn enclosing(first: Ipv4Addr, last: Ipv4Addr) -> Ipv4Net {
    let common = (first.to_bits() ^ last.to_bits()).leading_zeros();
    // At most 32, as an address has so many bits.
    let prefix = u8::try_from(common).unwrap_or(32);
    Ipv4Net::new_assert(first, prefix).trunc()
}

fn shown(networks: &[Ipv4Net]) -> String {
    let one = |net: &Ipv4Net| match net.prefix_len() {
        32 => format!("\"{}\"", net.addr()),
        _ => format!("\"{net}\""),
    };
    networks.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_recognized_in_its_usual_forms() {
        let nine = "write the networks of the range: \"10.0.0.1\", \"10.0.0.2/31\", \"10.0.0.4/30\", \"10.0.0.8/31\"";
        for text in ["10.0.0.1-10.0.0.9", "10.0.0.1-9", "10.0.0.1 - 10.0.0.9"] {
            assert_eq!(networks_of_range(text).as_deref(), Some(nine), "{text}");
        }
        for (text, said) in [
            ("10.0.0.0-10.0.0.255", "write the networks of the range: \"10.0.0.0/24\""),
            ("10.0.0.7-7", "write the networks of the range: \"10.0.0.7\""),
            ("0.0.0.0-255.255.255.255", "write the networks of the range: \"0.0.0.0/0\""),
            ("10.0.0.9-10.0.0.1", "the range runs backwards: from 10.0.0.1 to 10.0.0.9"),
            (
                "10.0.0.1-10.0.3.254",
                "write networks; the smallest one that has all of the range is \"10.0.0.0/22\"",
            ),
        ] {
            assert_eq!(networks_of_range(text).as_deref(), Some(said), "{text}");
        }
        for text in ["db-1.internal", "10.0.0.1", "10.0.0.1-", "10.0.0.1-256", "10.0.0.1-db", "-", ""] {
            assert_eq!(networks_of_range(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_networks_have_every_address_of_the_range(first in any::<u32>(), length in 0_u32..100_000) {
            let (first, last): (Ipv4Addr, Ipv4Addr) = (first.into(), first.saturating_add(length).into());
            let around = enclosing(first, last);
            prop_assert!(around.contains(&first) && around.contains(&last));
            let range = format!("{first}-{last}");
            prop_assert!(networks_of_range(&range).is_some());
        }
    }
}
