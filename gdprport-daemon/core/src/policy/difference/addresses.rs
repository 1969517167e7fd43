//! Sets of addresses, so that wider and narrower can be said in numbers.

use ipnet::IpNet;

use crate::figures::counted;
use crate::policy::model::loopback_nets;
use crate::policy::outline::DeclaredPeer;

/// Addresses of both families, as ranges that ascend, do not overlap and do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

impl Addresses {
    /// Those that peers name; host names have none that is known here.
    pub(super) fn of(peers: &[DeclaredPeer]) -> Self {
        let mut all = Self::default();
        for peer in peers {
            match peer {
                DeclaredPeer::Any => {
                    all.v4.push((0, u32::MAX.into()));
                    all.v6.push((0, u128::MAX));
                }
                DeclaredPeer::Loopback => loopback_nets().iter().for_each(|net| all.add(net)),
                DeclaredPeer::Net(net) => all.add(net),
                DeclaredPeer::Host(_) => {}
            }
        }
        merge(&mut all.v4);
        merge(&mut all.v6);
        all
    }

    fn add(&mut self, net: &IpNet) {
        match net {
            IpNet::V4(net) => {
                self.v4.push((u32::from(net.network()).into(), u32::from(net.broadcast()).into()));
            }
            IpNet::V6(net) => self.v6.push((net.network().into(), net.broadcast().into())),
        }
    }

    /// Those that are not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self { v4: without(&self.v4, &other.v4), v6: without(&self.v6, &other.v6) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// How many they are. Saturates.
    pub(super) fn count(&self) -> u128 {
        size(&self.v4).saturating_add(size(&self.v6))
    }

    /// `256 addresses`, `2^64 addresses of IPv6`, or both.
    pub(super) fn words(&self) -> String {
        let (v4, v6) = (size(&self.v4), size(&self.v6));
        let v4 = (v4 > 0).then(|| many(v4));
        let v6 = (v6 > 0).then(|| format!("{} of IPv6", many(v6)));
        match (v4, v6) {
            (Some(v4), Some(v6)) => format!("{v4} and {v6}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "no address".to_owned(),
        }
    }
}

/// Up to 2^32 in full; of more the power of two that is nearest below, as nobody reads 39 digits.
fn many(n: u128) -> String {
    match u64::try_from(n) {
        Ok(n) if n <= 1 << 32 => counted(n, "address"),
        // All of IPv6 is one more than the type holds.
        _ if n == u128::MAX => "2^128 addresses".to_owned(),
        _ if n.is_power_of_two() => format!("2^{} addresses", n.ilog2()),
        _ => format!("more than 2^{} addresses", n.ilog2()),
    }
}

fn size(ranges: &[(u128, u128)]) -> u128 {
    ranges.iter().map(|(first, last)| (last - first).saturating_add(1)).fold(0, u128::saturating_add)
}

fn merge(ranges: &mut Vec<(u128, u128)>) {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges.drain(..) {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => merged.push((first, last)),
        }
    }
    *ranges = merged;
}

fn without(all: &[(u128, u128)], taken: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let mut left = Vec::new();
    let mut next = 0;
    for (first, last) in all.iter().copied() {
        let mut begin = Some(first);
        while taken.get(next).is_some_and(|(_, end)| *end < first) {
            next += 1;
        }
        for (from, to) in taken.iter().skip(next).take_while(|(from, _)| *from <= last) {
            let Some(at) = begin else { break };
            if *from > at {
                left.push((at, from - 1));
            }
            begin = to.checked_add(1).filter(|after| *after <= last).map(|after| after.max(at));
        }
        if let Some(at) = begin {
            left.push((at, last));
        }
    }
    left
}
