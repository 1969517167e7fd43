//! The file of countries, which somebody took from somewhere.

use ipnet::IpNet;

use crate::countries::Countries;

/// A file is read, or what is wrong is said within bounds; either way in room that its lines pay for.
///
/// # Panics
/// If not.
pub fn countries(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    match Countries::parse(bytes) {
        Ok(countries) => {
            assert!(countries.bytes() <= 36 * (lines + 1), "{} bytes of {lines} lines", countries.bytes());
            let everything: [IpNet; 2] = ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("a network"));
            for net in everything {
                // What is in one country as a whole is so in each part.
                let parts: Vec<_> = net.subnets(2).expect("shorter").map(|net| countries.of(&net)).collect();
                let whole = countries.of(&net);
                assert!(whole.is_none() || parts.iter().all(|part| *part == whole), "{net}: {parts:?}");
            }
        }
        Err(mistakes) => {
            assert!((1..=10).contains(&mistakes.list.len()));
            assert!(mistakes.list.iter().all(|(line, _)| (1..=lines).contains(line)));
            let said = mistakes.to_string();
            assert!(!said.contains(|c: char| c.is_control()), "{said}");
        }
    }
}
