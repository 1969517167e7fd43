//! For how long to watch.

use std::time::Duration;

/// As long as anybody waits at a terminal: what takes longer is a daemon's.
const WATCH_MAX: Duration = Duration::from_secs(3_600);

pub(super) fn watch_period(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|period| Duration::try_from(period).ok());
    parsed
        .filter(|period| (Duration::from_secs(1)..=WATCH_MAX).contains(period))
        .ok_or_else(|| "a time from 1s to 1h, such as 30s or 5m".to_owned())
}
