//! The version and the time that packages carry. The time is the commit's, so that the same commit makes the same bytes.

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// What of a package depends on when it was made; nothing else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// As in `Cargo.toml`.
    pub(super) version: &'static str,
    /// Seconds since 1970.
    pub(super) epoch: u64,
}

/// How a time is written where.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// In JSON: `2026-11-29T23:48:49Z`.
    Rfc3339,
    /// In changelogs of Debian: `Sun, 29 Nov 2026 23:48:49 +0000`.
    Rfc2822,
    /// In changelogs of RPM: `Sun Nov 29 2026`.
    Day,
}

impl Stamp {
    /// The workspace's version, and the time of `SOURCE_DATE_EPOCH` or of the commit.
    ///
    /// # Errors
    /// Neither is there.
    pub(super) fn read() -> Result<Self> {
        let epoch = match env::var("SOURCE_DATE_EPOCH") {
            Ok(epoch) => epoch,
            Err(_) => sh::quiet(
                Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(sh::workspace()),
            )
            .context("the packages' time is the commit's; without git, set SOURCE_DATE_EPOCH")?,
        };
        let epoch = epoch.trim();
        let Ok(epoch) = epoch.parse() else {
            bail!("SOURCE_DATE_EPOCH is `{epoch}`, and must be seconds since 1970");
        };
        Ok(Self { version: env!("CARGO_PKG_VERSION"), epoch })
    }

    /// The time for people or programs, in UTC.
    ///
    /// # Errors
    /// There is no `date`.
    pub(super) fn time(&self, form: Form) -> Result<String> {
        let format = match form {
            Form::Rfc3339 => "+%Y-%m-%dT%H:%M:%SZ",
            Form::Rfc2822 => "+%a, %d %b %Y %H:%M:%S +0000",
            Form::Day => "+%a %b %d %Y",
        };
        let mut date = Command::new("date");
        date.args(["--utc", &format!("--date=@{}", self.epoch), format]).env("LC_ALL", "C");
        Ok(sh::quiet(&mut date)?.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_each_format_has_it() {
        let stamp = Stamp { version: "1.0.0", epoch: 1_795_996_129 };
        let written =
            [Form::Rfc3339, Form::Rfc2822, Form::Day].map(|form| stamp.time(form).expect("date runs"));
        assert_eq!(written, ["2026-11-29T23:48:49Z", "Sun, 29 Nov 2026 23:48:49 +0000", "Sun Nov 29 2026"]);
    }
}
