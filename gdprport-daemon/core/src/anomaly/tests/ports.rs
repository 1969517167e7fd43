//! Ports as there are in the field, made up for half a year: what they move by hour, when nobody watched, and what was added to
//! them that is to be found.

use super::random::Random;

/// Weeks that are made up.
pub(super) const WEEKS: i64 = 26;
pub(super) const HOURS: i64 = WEEKS * 168;
/// Weeks that are judged, of which none is in the time of learning.
pub(super) const JUDGED: i64 = WEEKS - 4;

const MIB: f64 = 1_048_576.0;

/// What a port is like when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// People at work: mornings, noon, weekends, holidays and the day after.
    Office,
    /// A service that is used at all hours.
    Steady,
    /// A copy each night, the whole on Sundays, now and then an hour late or again.
    Backup,
    /// The same job by local time: an hour earlier in UTC from one Sunday on.
    SummerTime,
    /// Hours that differ by factors: the logarithm has a deviation of 1.
    HeavyTailed,
    /// Jobs at no regular time, of sizes that differ by orders of magnitude.
    Irregular,
    /// Hardly anything, and now and then a few pages.
    Sparse,
    /// People at work, three in a hundred more each week.
    Growing,
    /// A service that one day moves five times as much, and goes on so.
    Shifted,
    /// The same each hour, to the byte.
    Constant,
    /// People at work, and a report on the first of each month.
    MonthEnd,
    /// A service that begins in the tenth week.
    Begun,
    /// A service that ends in the twentieth week.
    Ended,
}

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Office,
        Self::Steady,
        Self::Backup,
        Self::SummerTime,
        Self::HeavyTailed,
        Self::Irregular,
        Self::Sparse,
        Self::Growing,
        Self::Shifted,
        Self::Constant,
        Self::MonthEnd,
        Self::Begun,
        Self::Ended,
    ];
}

/// What was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Added {
    /// Three times the busiest regular hour, within an hour.
    Three,
    /// Ten times, within an hour.
    Ten,
    /// Thirty times, over six hours.
    Thirty,
    /// As much as the busiest regular hour, at the quietest hour of the week.
    AtNight,
    /// Thirty times the connections with their bytes: somebody who asks for one after the other.
    Scraping,
}

impl Added {
    pub(super) const ALL: [Self; 5] = [Self::Three, Self::Ten, Self::Thirty, Self::AtNight, Self::Scraping];
}

/// A port.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) sent: Vec<u64>,
    pub(super) received: Vec<u64>,
    pub(super) connections: Vec<u64>,
    pub(super) watched: Vec<bool>,
    /// What, from which hour, for how many.
    pub(super) added: Vec<(Added, i64, i64)>,
}

/// How busy people are in this hour, of 1.
fn office(hour: i64) -> f64 {
    let (day, of_day) = (hour.div_euclid(24).rem_euclid(7), hour.rem_euclid(24));
    let at_work = match of_day {
        0..6 => 0.01,
        6..8 => 0.2,
        8..12 => 1.0,
        12 => 0.6,
        13..17 => 0.9,
        17..19 => 0.3,
        _ => 0.05,
    };
    if day >= 5 { at_work * 0.05 } else { at_work }
}

/// MiB by hour, when all is well.
fn usual(kind: Kind, random: &mut Random) -> Vec<f64> {
    let size = 40.0 * random.noise(1.0).clamp(0.1, 10.0);
    let holidays: Vec<i64> = (0..6).map(|_| random.between(0, WEEKS * 7)).collect();
    let at_work = |hour: i64, random: &mut Random| {
        let day = hour.div_euclid(24);
        let busy =
            if holidays.contains(&day) { office(hour + (5 - day.rem_euclid(7)) * 24) } else { office(hour) };
        let after = if holidays.contains(&(day - 1)) { 1.5 } else { 1.0 };
        size * busy * after * random.noise(0.35)
    };
    let job = random.between(0, 24);
    let copy = 100.0 * random.noise(1.0);
    let shift = random.between(6 * 168, 22 * 168);
    let mut mib = vec![0.0; usize::try_from(HOURS).expect("few")];
    for hour in 0..HOURS {
        let at = usize::try_from(hour).expect("positive");
        let of_day = hour.rem_euclid(24);
        let wave = 1.0 + 0.4 * (of_day as f64 * std::f64::consts::TAU / 24.0).sin();
        mib[at] += match kind {
            Kind::Office => at_work(hour, random),
            Kind::Steady => size * wave * random.noise(0.2),
            Kind::Backup | Kind::SummerTime => {
                let moved = kind == Kind::SummerTime && hour >= 13 * 168;
                let begins = (job - i64::from(moved)).rem_euclid(24);
                if of_day == begins {
                    let whole = hour.div_euclid(24).rem_euclid(7) == 6;
                    let amount = copy * if whole { 12.0 } else { 1.0 } * random.noise(0.1);
                    let late = usize::from(kind == Kind::Backup && random.chance(0.03));
                    if let Some(sum) = mib.get_mut(at + late) {
                        *sum += amount;
                    }
                    // It failed, and somebody started it again in the morning.
                    let again = usize::try_from(random.between(3, 10)).expect("small");
                    if kind == Kind::Backup
                        && random.chance(0.01)
                        && let Some(sum) = mib.get_mut(at + again)
                    {
                        *sum += amount;
                    }
                }
                0.2 * random.noise(0.5)
            }
            Kind::HeavyTailed => size * 0.3 * wave * random.noise(1.0),
            Kind::Irregular => {
                let job =
                    if random.chance(3.0 / 168.0) { 30.0 * random.pareto(1.2).min(1_000.0) } else { 0.0 };
                job + 0.05 * random.noise(1.0)
            }
            Kind::Sparse => {
                if random.chance(0.1) {
                    2.0 * random.noise(1.5)
                } else {
                    0.0
                }
            }
            Kind::Growing => at_work(hour, random) * 1.03_f64.powf(hour as f64 / 168.0),
            Kind::Shifted => size * wave * random.noise(0.2) * if hour >= shift { 5.0 } else { 1.0 },
            Kind::Constant => 80.0,
            Kind::MonthEnd => {
                let first = hour.div_euclid(24).rem_euclid(30) == 0 && of_day == 5;
                at_work(hour, random) + if first { size * 20.0 * random.noise(0.2) } else { 0.0 }
            }
            Kind::Begun => {
                if hour < 10 * 168 {
                    0.0
                } else {
                    at_work(hour, random)
                }
            }
            Kind::Ended => {
                if hour < 20 * 168 {
                    at_work(hour, random)
                } else {
                    0.0
                }
            }
        };
    }
    mib
}

fn bytes(mib: f64) -> u64 {
    (mib * MIB) as u64
}

impl Port {
    /// A port of this kind. `add`: what is to be found.
    pub(super) fn new(kind: Kind, seed: u64, add: Option<Added>) -> Self {
        let mut random = Random::new(seed);
        let mib = usual(kind, &mut random);
        let per = 0.05 * random.noise(0.7);
        let back = 0.03 * random.noise(0.7);
        let sent: Vec<u64> = mib.iter().map(|mib| bytes(*mib)).collect();
        let received: Vec<u64> = mib.iter().map(|mib| bytes(mib * back * random.noise(0.2))).collect();
        let connections = mib.iter().map(|mib| (mib / per * random.noise(0.2)) as u64).collect();
        // A restart now and then, and a host that was off over a weekend.
        let mut watched = vec![true; mib.len()];
        for _ in 0..8 {
            let (from, hours) =
                (random.between(0, HOURS - 72), if random.chance(0.2) { 60 } else { random.between(1, 6) });
            (from..from + hours).for_each(|hour| watched[usize::try_from(hour).expect("positive")] = false);
        }
        let mut port = Self { sent, received, connections, watched, added: Vec::new() };
        for hour in 0..port.sent.len() {
            if !port.watched[hour] {
                // Of half an hour at most.
                let part = random.unit() * 0.5;
                for amount in [&mut port.sent[hour], &mut port.received[hour], &mut port.connections[hour]] {
                    *amount = (*amount as f64 * part) as u64;
                }
            }
        }
        if let Some(added) = add {
            let from = random.between(5 * 168, (WEEKS - 2) * 168);
            port.add(added, from, &mut random);
        }
        port
    }

    fn add(&mut self, added: Added, from: i64, random: &mut Random) {
        let place = |hour: i64| usize::try_from(hour).expect("positive");
        let mut sorted = self.sent[place(from - 5 * 168)..place(from)].to_vec();
        sorted.sort_unstable();
        // The busiest hour but for the few that are out of the ordinary.
        let busiest = (sorted[sorted.len() * 99 / 100] as f64).max(64.0 * MIB);
        let from = if added == Added::AtNight {
            let week = from..from + 168;
            week.min_by_key(|hour| self.sent[place(*hour)]).expect("a week has hours")
        } else {
            from
        };
        let (hours, amount) = match added {
            Added::Three => (1, 3.0 * busiest),
            Added::Ten => (1, 10.0 * busiest),
            Added::Thirty => (6, 30.0 * busiest),
            Added::AtNight => (1, 1.5 * busiest),
            Added::Scraping => (5, 10.0 * busiest),
        };
        let most = self.connections[place(from - 5 * 168)..place(from)].iter().max().copied().unwrap_or(0);
        for hour in from..from + hours {
            let part = amount / hours as f64 * random.noise(0.1);
            self.sent[place(hour)] += part as u64;
            if added == Added::Scraping {
                self.connections[place(hour)] += most * 6 + 1_200;
            }
            self.watched[place(hour)] = true;
        }
        self.added.push((added, from, hours));
    }
}
