//! Promises of what is shown, as tests.
//!
//! Belongs here: what several of them need.

mod documented;
mod finding;
mod leaks;
mod values;

use std::net::IpAddr;
use std::sync::Arc;

use super::{Accounts, Key, Privacy, Truncate};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                      postgres:x:110:118::/var/lib/postgresql:/bin/bash\n\
                      alice:x:1000:1000:Alice:/home/alice:/bin/bash\n\
                      bob:x:1001:1001:Bob:/srv/people/b.jones:/bin/bash\n";

fn key(seed: u8) -> Key {
    let mut secret = [seed; 32];
    secret[0] = !seed;
    Key::new(secret)
}

fn accounts() -> Accounts {
    Accounts::parse(PASSWD, "root:x:0:\npostgres:x:118:\nalice:x:1000:\nstaff:x:50:\n")
}

/// Everything by pseudonyms.
fn privacy() -> Arc<Privacy> {
    Privacy::new(Some(key(1)), Some(key(1)), None, accounts()).expect("pseudonyms").into()
}

fn truncated(ipv4: u8, ipv6: u8) -> Arc<Privacy> {
    Privacy::new(None, None, Truncate::new(ipv4, ipv6), Accounts::default()).expect("truncation").into()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
