//! Comparing what was connected with what the events say, by who and with whom. Pure.
//!
//! Belongs here: reading `flow.open`, `flow.summary` and `violation` (docs/events.md) as claims about numbers of
//! connections, and finding which connections no claim covers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// One end of connections on the port: which end it is, whose it is and who is at the other one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    /// `in` or `out`, as in events.
    pub(crate) direction: String,
    pub(crate) exe: String,
    pub(crate) user: String,
    pub(crate) peer: IpAddr,
}

/// How connections were reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// The kernel side described each, whether its `flow.open` was sent or counted in a sum because the port was busy.
    Alone,
    /// There was no room to describe each: in a sum with `overload`.
    Sums,
    /// Found open later. Their opening may be in a sum too, so that they only fill what is missing.
    Found,
}

/// A number of connections that were reported together. What is `None` was given up, or is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    how: How,
    direction: Option<String>,
    exe: Option<String>,
    user: Option<String>,
    /// The peer's address, or its network's with the number of bits.
    peer: Option<(IpAddr, u8)>,
}

/// What the events about a port say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Flows {
    /// Events and sums of opened and of closed ends.
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    claims: BTreeMap<Claim, u64>,
    /// When somebody was first reported as a violation, by executable; ms since 1970.
    violations: BTreeMap<String, f64>,
}

impl Flows {
    /// When connections of this executable were first reported as a violation; ms since 1970.
    pub(crate) fn violation_of(&self, exe: &str) -> Option<f64> {
        self.violations.get(exe).copied()
    }

    fn add(&mut self, event: &Value) {
        let kind = event["kind"].as_str().unwrap_or_default();
        match kind {
            "flow.open" => {
                self.opened += 1;
                let found = event["process"]["attribution"] == "snapshot";
                let claim = Claim {
                    how: if found { How::Found } else { How::Alone },
                    direction: text(&event["flow"]["direction"]),
                    exe: text(&event["process"]["exe"]),
                    user: text(&event["process"]["user"]),
                    peer: address(&event["flow"]["peer"]["ip"]).map(|ip| (ip, bits(ip))),
                };
                *self.claims.entry(claim).or_default() += 1;
            }
            "flow.close" => self.closed += 1,
            "flow.summary" => self.add_summary(&event["summary"]),
            _ => {}
        }
        let violation = event["verdict"]["outcome"] == "violation";
        let exe = match kind {
            "violation" => text(&event["process"]["exe"]),
            "flow.summary" if violation => text(&event["summary"]["group"]["exe"]),
            _ => None,
        };
        if let Some((exe, time)) = exe.zip(event["time"].as_str().and_then(unix_ms)) {
            let first = self.violations.entry(exe).or_insert(time);
            *first = first.min(time);
        }
    }

    fn add_summary(&mut self, summary: &Value) {
        let count = |key: &str| summary[key].as_u64().unwrap_or_default();
        self.opened += count("opened");
        self.closed += count("closed");
        if count("opened") == 0 {
            return;
        }
        let group = &summary["group"];
        let gave_up = |what: &str| {
            summary["coarse"]["gave_up"].as_array().is_some_and(|all| all.iter().any(|one| one == what))
        };
        let unless = |what: &str, value: Option<String>| value.filter(|_| !gave_up(what));
        let claim = Claim {
            how: if summary["overload"].is_object() { How::Sums } else { How::Alone },
            direction: unless("direction", text(&group["direction"])),
            exe: unless("process", text(&group["exe"])),
            user: unless("process", text(&group["user"])),
            peer: address(&group["peer_ip"]).map(|ip| {
                let prefix = group["peer_prefix"].as_u64().and_then(|prefix| u8::try_from(prefix).ok());
                (ip, prefix.unwrap_or_else(|| bits(ip)))
            }),
        };
        *self.claims.entry(claim).or_default() += count("opened");
    }
}

impl Claim {
    fn covers(&self, who: &Who) -> bool {
        let same = |claimed: &Option<String>, true_one: &str| {
            claimed.as_ref().is_none_or(|claimed| claimed == true_one)
        };
        same(&self.direction, &who.direction)
            && same(&self.exe, &who.exe)
            && same(&self.user, &who.user)
            && self.peer.is_none_or(|(network, prefix)| within(who.peer, network, prefix))
    }

    /// How much it leaves open: the most exact claims are matched first, what was found later last.
    fn breadth(&self) -> (bool, usize, u32) {
        let open = [&self.direction, &self.exe, &self.user].into_iter().filter(|part| part.is_none()).count();
        let bits = self.peer.map_or(256, |(ip, prefix)| u32::from(bits(ip).saturating_sub(prefix)));
        (self.how == How::Found, open, bits)
    }
}

/// What became of the connections of one [`Who`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) made: u64,
    pub(crate) alone: u64,
    pub(crate) sums: u64,
    pub(crate) found: u64,
    /// Of these, reported without their process.
    pub(crate) ownerless: u64,
}

impl Row {
    /// No event covers them.
    pub(crate) fn unaccounted(&self) -> u64 {
        self.made.saturating_sub(self.alone + self.sums + self.found)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.alone += other.alone;
        self.sums += other.sums;
        self.found += other.found;
        self.ownerless += other.ownerless;
    }
}

/// Every connection that was made, and what became of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) rows: BTreeMap<Who, Row>,
    /// Connections that were reported and not made, or more than once, or of somebody else.
    pub(crate) surplus: u64,
}

impl Account {
    /// Matches claims with the connections that were made, the most exact ones first.
    pub(crate) fn of(made: &BTreeMap<Who, u64>, flows: &Flows) -> Self {
        let row = |(who, made): (&Who, &u64)| (who.clone(), Row { made: *made, ..Row::default() });
        let mut account = Self { rows: made.iter().map(row).collect(), surplus: 0 };
        let mut claims: Vec<(&Claim, u64)> =
            flows.claims.iter().map(|(claim, count)| (claim, *count)).collect();
        claims.sort_by_key(|(claim, _)| claim.breadth());
        for (claim, mut left) in claims {
            for (who, row) in &mut account.rows {
                if left == 0 || !claim.covers(who) {
                    continue;
                }
                let part = left.min(row.unaccounted());
                left -= part;
                *match claim.how {
                    How::Alone => &mut row.alone,
                    How::Sums => &mut row.sums,
                    How::Found => &mut row.found,
                } += part;
                if claim.exe.is_none() {
                    row.ownerless += part;
                }
            }
            if claim.how != How::Found {
                account.surplus += left;
            }
        }
        account
    }

    pub(crate) fn total(&self) -> Row {
        let mut total = Row::default();
        self.rows.values().for_each(|row| total.add(row));
        total
    }
}

/// What these lines, events of the product, say about a port.
pub(crate) fn flows<'a>(lines: impl Iterator<Item = &'a str>, port: u16) -> Flows {
    let mut flows = Flows::default();
    for line in lines {
        // A million lines are read faster if those that do not count are not parsed.
        let counts = ["flow.open", "flow.close", "flow.summary", "violation"]
            .iter()
            .any(|kind| line.contains(&format!("\"kind\":\"{kind}\"")));
        if !counts || !line.contains(&format!("\"number\":{port},")) {
            continue;
        }
        if let Ok(event) = serde_json::from_str::<Value>(line) {
            flows.add(&event);
        }
    }
    flows
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn within(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let cut = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)).checked_shr(32 - u32::from(prefix.min(32))),
        IpAddr::V6(ip) => u128::from(ip).checked_shr(128 - u32::from(prefix.min(128))),
    };
    ip.is_ipv4() == network.is_ipv4() && cut(ip) == cut(network)
}

/// Milliseconds since 1970 of a time as events have it (RFC 3339, UTC, ends with `Z`).
fn unix_ms(text: &str) -> Option<f64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.split(':');
    let (hours, minutes) = (time.next()?.parse::<f64>().ok()?, time.next()?.parse::<f64>().ok()?);
    let seconds = time.next()?.parse::<f64>().ok()?;
    // Years begin in March, so that the leap day is the last: https://howardhinnant.github.io/date_algorithms.html.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    Some(((days as f64 * 24.0 + hours) * 60.0 + minutes) * 60_000.0 + seconds * 1_000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PORT: u16 = 47_001;

    fn who(direction: &str, exe: &str, peer: &str) -> Who {
        let peer = peer.parse().expect("an address");
        Who { direction: direction.into(), exe: exe.into(), user: "games".into(), peer }
    }

    fn read(events: &[Value]) -> Flows {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        flows(lines.iter().map(String::as_str), PORT)
    }

    fn port() -> Value {
        json!({ "name": "x", "number": PORT, "protocol": null })
    }

    fn open(exe: &str, peer: &str, attribution: &str) -> Value {
        json!({
            "kind": "flow.open", "time": "2026-11-29T17:00:00.500000Z", "port": port(),
            "flow": { "direction": "out", "peer": { "ip": peer, "port": PORT } },
            "process": { "exe": exe, "user": "games", "attribution": attribution },
            "verdict": { "outcome": "declared" },
        })
    }

    fn sum(opened: u64, group: &Value, more: &Value) -> Value {
        let mut summary = json!({ "group": group, "opened": opened, "closed": 1 });
        let object = summary.as_object_mut().expect("an object");
        object.extend(more.as_object().cloned().unwrap_or_default());
        json!({
            "kind": "flow.summary", "time": "2026-11-29T17:00:02.000000Z", "port": port(), "summary": summary,
            "verdict": { "outcome": "violation" },
        })
    }

    fn group(exe: &Value, peer: &str) -> Value {
        json!({ "direction": "out", "exe": exe, "user": if exe.is_null() { Value::Null } else { "games".into() }, "peer_ip": peer })
    }

    #[test]
    fn each_connection_is_alone_in_a_sum_or_unaccounted() {
        let flows = read(&[
            open("/a", "127.0.0.1", "exact"),
            sum(5, &group(&json!("/a"), "127.0.0.1"), &json!({ "auto": { "because": "busy" } })),
            sum(3, &group(&json!("/a"), "127.0.0.1"), &json!({ "overload": { "why": "kernel-overload" } })),
        ]);
        assert_eq!((flows.opened, flows.closed), (9, 2));
        let made = BTreeMap::from([(who("out", "/a", "127.0.0.1"), 10), (who("out", "/b", "127.0.0.1"), 2)]);
        let account = Account::of(&made, &flows);
        let rows: Vec<&Row> = account.rows.values().collect();
        assert_eq!((rows[0].alone, rows[0].sums, rows[0].unaccounted()), (6, 3, 1));
        assert_eq!((rows[1].unaccounted(), account.surplus), (2, 0));
        assert_eq!(account.total().unaccounted(), 3);
    }

    #[test]
    fn a_coarse_sum_fills_only_what_finer_ones_leave() {
        let network = json!({ "direction": "out", "exe": null, "user": null, "peer_ip": "127.0.0.0", "peer_prefix": 24 });
        let coarse = json!({
            "coarse": { "gave_up": ["peer", "process"], "peers_at_least": 2 }, "overload": { "why": "kernel-overload" },
        });
        let flows = read(&[sum(4, &network, &coarse), sum(9, &group(&json!("/a"), "127.0.0.1"), &json!({}))]);
        let made = BTreeMap::from([
            (who("out", "/a", "127.0.0.1"), 10),
            (who("out", "/b", "127.0.0.9"), 2),
            (who("out", "/b", "127.0.1.9"), 1),
        ]);
        let account = Account::of(&made, &flows);
        let total = account.total();
        assert_eq!((total.alone, total.sums, total.ownerless), (9, 3, 3));
        // The last is in another network; one of the coarse sum was never made.
        assert_eq!((total.unaccounted(), account.surplus), (1, 1));
    }

    #[test]
    fn the_wrong_owner_is_both_missing_and_too_many() {
        let flows = read(&[open("/b", "127.0.0.1", "exact")]);
        let account = Account::of(&BTreeMap::from([(who("out", "/a", "127.0.0.1"), 1)]), &flows);
        assert_eq!((account.total().unaccounted(), account.surplus), (1, 1));
    }

    #[test]
    fn a_flow_that_was_found_later_is_not_counted_twice() {
        let counted = sum(1, &group(&json!("/a"), "127.0.0.1"), &json!({ "overload": {} }));
        let flows = read(&[open("/a", "127.0.0.1", "snapshot"), counted]);
        let account = Account::of(&BTreeMap::from([(who("out", "/a", "127.0.0.1"), 1)]), &flows);
        let total = account.total();
        assert_eq!((total.sums, total.found, total.unaccounted(), account.surplus), (1, 0, 0, 0));
    }

    #[test]
    fn the_first_violation_of_somebody_is_timed() {
        let mut violation = open("/s", "127.0.0.1", "exact");
        violation["kind"] = "violation".into();
        let flows = read(&[sum(3, &group(&json!("/s"), "127.0.0.1"), &json!({})), violation]);
        assert_eq!(flows.violation_of("/s"), unix_ms("2026-11-29T17:00:00.5Z"));
        assert_eq!(flows.violation_of("/a"), None);
    }

    #[test]
    fn times_of_events_are_read() {
        assert_eq!(unix_ms("1970-01-02T00:00:00.25Z"), Some(86_400_250.0));
        assert_eq!(unix_ms("2024-02-29T12:00:00Z"), Some(1_709_208_000_000.0));
        assert_eq!(unix_ms("2026-11-29 17:00:00"), None);
    }
}
