//! What a receiver answered, and what that means whatever protocol it speaks: one sentence for each status.

use std::time::{Duration, SystemTime};

use super::words::Words;
use crate::deliver::Failure;

/// An answer: its status, what its headers ask for, and its body, of at most `ANSWER_MAX` bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status (RFC 9110 §15).
    pub status: u16,
    /// `Content-Type`, without parameters, in lower case.
    pub content_type: String,
    /// How long `Retry-After` asks to wait.
    pub after: Option<Duration>,
    /// Where a redirect points.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether its status says that all is well.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Its status and what it says, for people.
    pub(crate) fn summary(&self, words: &Words) -> String {
        words.sentence(&format!("{}{}", self.status, words.said(&self.body)))
    }

    /// Why nothing was taken, for a status that does not say so of the events themselves.
    pub(crate) fn failure(&self, words: &Words) -> Failure {
        let status = self.status;
        let said = words.said(&self.body);
        let what = match status {
            300..=399 => {
                let to = self.location.as_deref().unwrap_or("an address that it does not name");
                format!(
                    "redirects to {to} ({status}), which is not followed: write the address that is meant into `url`"
                )
            }
            401 => format!("does not know who this is (401): look at {}{said}", words.keys),
            403 => format!("refuses access (403): look at {}{said}", words.keys),
            404 | 405 | 410 => format!("has nothing that takes events there ({status}): look at `url`{said}"),
            407 => {
                "is behind a proxy that asks for credentials (407): look at `proxy_credentials`".to_owned()
            }
            408 => format!("gave up waiting for the request (408){said}"),
            413 => format!("takes no request of this size (413){said}"),
            415 => format!("does not take this format (415): look at `type` and `encoding`{said}"),
            429 => format!("asks for a pause (429){said}"),
            502..=504 => format!("is not available now ({status}){said}"),
            500..=599 => format!("has a fault of its own ({status}){said}"),
            _ => format!("answered {status}{said}"),
        };
        Failure { after: self.after, too_large: status == 413, ..words.failure(&what) }
    }
}

/// The pause that `Retry-After` asks for: seconds, or a date (RFC 9110 §10.2.3). A date is compared with the receiver's own
/// `Date`, so that it does not matter whose clock is wrong; without one, with `now`.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What has more digits than a number can have is longer than any bound.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = http_date(value)?;
    let from = date.and_then(http_date).or_else(|| jiff::Timestamp::try_from(now).ok())?;
    let pause = until.as_second().saturating_sub(from.as_second());
    Some(Duration::from_secs(u64::try_from(pause).unwrap_or(0)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still made.
fn http_date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use gdprport_core::delivery::Auth;

    fn pause(value: &str, date: Option<&str>) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        retry_after(value, date, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_pause_is_read_as_seconds_or_as_a_date() {
        assert_eq!(pause("120", None), Some(120));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:37 GMT", None), Some(60));
        assert_eq!(pause("Sun, 06 Nov 1994 07:50:37 GMT", None), Some(0), "in the past");
        for nonsense in ["", "-1", "soon", "1.5", "Sun, 99 Nov 1994 08:49:37 GMT", "\u{661}"] {
            assert_eq!(pause(nonsense, None), None, "{nonsense}");
        }
        assert_eq!(pause("99999999999999999999999", None), Some(u64::from(u32::MAX)));
    }

    /// A receiver whose clock is ten years ahead asks for a minute all the same.
    #[test]
    fn a_wrong_clock_of_the_receiver_makes_no_long_pause() {
        let date = Some("Mon, 06 Nov 2034 08:49:37 GMT");
        assert_eq!(pause("Mon, 06 Nov 2034 08:50:37 GMT", date), Some(60));
    }

    #[rstest]
    #[case(301, "redirects to https://elsewhere/ (301)")]
    #[case(401, "look at the sink's `token`")]
    #[case(403, "look at the sink's `token`")]
    #[case(404, "look at `url`")]
    #[case(407, "look at `proxy_credentials`")]
    #[case(413, "no request of this size")]
    #[case(429, "asks for a pause")]
    #[case(500, "a fault of its own (500); it said: oh no")]
    #[case(503, "not available now (503)")]
    #[case(299, "answered 299")]
    fn every_status_is_one_clear_sentence(#[case] status: u16, #[case] part: &str) {
        let token = gdprport_core::delivery::SecretRef::Credential("t".into());
        let words = Words::new("https://siem/x", &Auth::Token(token), Vec::new());
        let location = Some("https://elsewhere/".to_owned());
        let answer = Answer { status, location, body: b"oh\nno".to_vec(), ..Answer::default() };
        let failure = answer.failure(&words);
        assert!(failure.why.starts_with("https://siem/x ") && failure.why.contains(part), "{}", failure.why);
        assert_eq!(failure.too_large, status == 413);
    }
}
