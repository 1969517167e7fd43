//! Looking up says what the plainest search says, and every mistake is named.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Countries {
    Countries::parse(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn of(countries: &Countries, net: &str) -> Option<String> {
    countries.of(&net.parse().expect("a network")).map(|country| country.to_string())
}

#[test]
fn the_longest_prefix_counts() {
    let countries = read(
        "\u{feff}prefix,country\r\n# from somewhere\n\n198.51.100.0/24,US\r\n198.51.100.128/25,de\n198.51.100.200,ZZ\n\"203.0.113.0/24\", \"CH\"\n2001:db8::/32,FR\n0.0.0.0/8,NO\n255.0.0.0/8,IS\n",
    );
    for (net, country) in [
        ("198.51.100.7/32", Some("US")),
        ("198.51.100.129/32", Some("DE")),
        ("198.51.100.200/32", None),
        ("198.51.100.201/32", Some("DE")),
        ("198.51.101.0/32", None),
        ("203.0.113.255/32", Some("CH")),
        ("203.0.114.0/32", None),
        ("2001:db8:1::1/128", Some("FR")),
        ("2001:db9::/128", None),
        ("::ffff:198.51.100.7/128", Some("US")),
        ("0.0.0.0/32", Some("NO")),
        ("255.255.255.255/32", Some("IS")),
        // All of a network has to be in one.
        ("198.51.100.0/25", Some("US")),
        ("198.51.100.0/24", None),
        ("198.51.100.0/16", None),
    ] {
        assert_eq!(of(&countries, net).as_deref(), country, "{net}");
    }
    let country = countries.of(&"2001:db8::1/128".parse().expect("a network")).expect("known");
    assert!(country.is_in_eea());
}

#[test]
fn every_mistake_is_named_by_its_line() {
    let text = "192.0.2.0/24,DE\n192.0.2.0,\n192.0.2.1/24,DE\nhere,DE\n192.0.2.0/24,FR\n10.0.0.0/8,UK\n\
                10.0.0.0/8;DE\n10.0.0.0/8,QQ\n10.0.0.0/33,DE\n";
    let mistakes = Countries::parse(text.as_bytes()).expect_err("mistakes");
    let said: Vec<String> = mistakes.list.iter().map(|(line, what)| format!("{line}: {what}")).collect();
    assert_eq!(
        said,
        [
            "2: `` is no country: two letters of ISO 3166-1, such as DE",
            "3: `192.0.2.1/24` has bits beyond its prefix: write 192.0.2.0/24",
            "4: `here` is no network, such as 192.0.2.0/24",
            "6: UK is no code of ISO 3166-1: the United Kingdom is GB",
            "7: `10.0.0.0/8;DE` is not a prefix and a country, as in `192.0.2.0/24,DE`",
            "8: `QQ` is no country of ISO 3166-1",
            "9: `10.0.0.0/33` is no network, such as 192.0.2.0/24",
            "5: the same prefix has another country in line 1",
        ]
    );
    let many = Countries::parse("x\n".repeat(99).as_bytes()).expect_err("mistakes");
    assert_eq!((many.list.len(), many.omitted), (10, 89));
    assert!(many.to_string().ends_with("; and 89 more") && !many.to_string().contains('\n'));
    let text = format!("{},DE", "\u{1b}[31m".repeat(1_000));
    let hostile = Countries::parse(text.as_bytes()).expect_err("a mistake").to_string();
    assert!(hostile.len() < 600 && !hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn codes_are_sorted_and_the_union_is_among_them() {
    let codes: Vec<&str> = CODES.split_ascii_whitespace().collect();
    assert_eq!(codes.len(), 249);
    assert!(codes.is_sorted_by(|a, b| a < b));
    let eea: Vec<&str> = EEA.split_ascii_whitespace().collect();
    assert_eq!(eea.len(), 27 + 3 + 7);
    assert!(eea.iter().all(|code| codes.contains(code)));
}

/// As many as all registries have given out.
#[test]
fn half_a_million_prefixes_take_little_memory() {
    let mut text = String::new();
    for n in 0..400_000_u32 {
        let country = ["DE", "US", "FR", "JP"][n as usize % 4];
        text.push_str(&format!("{}/24,{country}\n", std::net::Ipv4Addr::from(0x0100_0000 + n * 512)));
    }
    for n in 0..100_000_u128 {
        let first = std::net::Ipv6Addr::from_bits((0x2001_u128 << 112) + (n << 81));
        text.push_str(&format!("{first}/48,DE\n"));
    }
    let countries = read(&text);
    assert_eq!(of(&countries, "1.0.0.1/32").as_deref(), Some("DE"));
    // With a hole behind each, which real ones seldom have.
    let each = countries.bytes() / 500_000;
    assert!(each <= 17, "{each} bytes a prefix");
}

fn prefix() -> impl Strategy<Value = (IpNet, &'static str)> {
    let net = (any::<u16>(), 12_u8..=32).prop_map(|(low, len)| {
        let address = std::net::Ipv4Addr::from(0xC633_0000 | u32::from(low));
        IpNet::new(address.into(), len).expect("a length").trunc()
    });
    (net, prop::sample::select(vec!["DE", "US", "ZZ"]))
}

proptest! {
    #[test]
    fn a_lookup_finds_what_a_plain_search_finds(
        written in prop::collection::vec(prefix(), 0..40),
        asked in prop::collection::vec((any::<u16>(), 20_u8..=32), 1..40),
    ) {
        // The first of equal prefixes, so that none contradicts another.
        let mut distinct: Vec<(IpNet, &str)> = Vec::new();
        for (net, country) in written {
            if distinct.iter().all(|(other, _)| *other != net) {
                distinct.push((net, country));
            }
        }
        let text: String = distinct.iter().map(|(net, country)| format!("{net},{country}\n")).collect();
        let countries = read(&text);
        let plain = |address: std::net::Ipv4Addr| {
            let all = distinct.iter().filter(|(net, _)| net.contains(&IpAddr::from(address)));
            all.max_by_key(|(net, _)| net.prefix_len()).map(|(_, country)| *country).filter(|code| *code != "ZZ")
        };
        for (low, len) in asked {
            let address = std::net::Ipv4Addr::from(0xC633_0000 | u32::from(low));
            let net = IpNet::new(address.into(), len).expect("a length").trunc();
            let found = countries.of(&net).map(|country| country.to_string());
            let IpNet::V4(all) = net else { panic!("of version 4") };
            let mut each = (all.network().to_bits()..=all.broadcast().to_bits()).map(|bits| plain(bits.into()));
            let first = each.next().expect("an address");
            let expected = each.all(|other| other == first).then_some(first).flatten();
            prop_assert_eq!(found.as_deref(), expected, "{}", net);
        }
    }
}
