//! Times.

use jiff::Timestamp;

/// A time of OCSF: milliseconds since 1970.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}
