//! What is computed of a record.

use super::model::{Activity, Capacity, Posed, Records, Rows, Shares};
use crate::model::PostureState;

impl Records {
    /// Every activity: those that are declared, then those that were seen and are not.
    pub fn all(&self) -> impl Iterator<Item = &Activity> {
        self.activities.iter().chain(&self.undeclared)
    }

    /// Whether the bytes of every activity are known by hour.
    #[must_use]
    pub fn has_hours(&self) -> bool {
        let is_moved =
            |activity: &&Activity| activity.seen.as_ref().is_some_and(|seen| seen.all.volume.bytes() > 0);
        self.all().filter(is_moved).all(|activity| !activity.timeline.hours.is_empty())
    }
}

impl Activity {
    /// Its TCP ports as a policy writes them: `5432` or `5432-5439`.
    #[must_use]
    pub fn ports(&self) -> Vec<String> {
        let written = |range: &std::ops::RangeInclusive<u16>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        self.numbers.iter().map(written).collect()
    }

    /// The keys of the record that the law requires and that are not declared: of a controller by Art. 30(1), of a processor
    /// by Art. 30(2).
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let Some(record) = &self.declared else { return vec!["record"] };
        match self.capacity {
            Capacity::Controller => record.missing(),
            Capacity::Processor(_) => {
                let keys = [("purpose", record.purpose.is_none()), ("transfers", record.transfers.is_none())];
                keys.into_iter().filter_map(|(key, missing)| missing.then_some(key)).collect()
            }
        }
    }
}

impl Rows {
    /// Their numbers as ranges, each with its first and its last.
    #[must_use]
    pub fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for number in &self.0 {
            match ranges.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(*number) => last.1 = *number,
                _ => ranges.push((*number, *number)),
            }
        }
        ranges
    }
}

impl Posed {
    /// Whether it is known to be encrypted, and not weakly. What is not known never is.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        match self.state {
            PostureState::Tls13 | PostureState::Tls12 | PostureState::EncryptedOther => true,
            // The version follows once the server's side was seen.
            PostureState::StarttlsUpgraded => self.version.is_some(),
            PostureState::WeakTls
            | PostureState::StarttlsRefused
            | PostureState::Plaintext
            | PostureState::Unrecognised
            | PostureState::NoData
            | PostureState::Unknown => false,
        }
    }
}

impl Shares {
    /// How many are known to be encrypted, of how many that had something to encrypt or may have had.
    #[must_use]
    pub fn encrypted(&self) -> (u64, u64) {
        let sum = |of: &dyn Fn(&&Posed) -> bool| {
            self.0.iter().filter(of).fold(0_u64, |sum, posed| sum.saturating_add(posed.flows))
        };
        (sum(&|posed| posed.is_encrypted()), sum(&|posed| posed.state != PostureState::NoData))
    }
}
