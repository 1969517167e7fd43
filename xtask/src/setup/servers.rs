//! The programs that the end-to-end tests talk to and through, from the distribution's packages.

use anyhow::{Result, bail};

use super::apt;

const PACKAGES: [&str; 30] = [
    // Opens reports.
    "chromium-headless-shell",
    "curl",
    "dovecot-imapd",
    // Load the completions, as zsh does.
    "fish",
    // With `man-db` and `mandoc`: read the manual.
    "groff-base",
    "iproute2",
    "jq",
    // The client of slapd.
    "ldap-utils",
    "man-db",
    "mandoc",
    "mariadb-server",
    // JetStream.
    "nats-server",
    // Loses segments.
    "nftables",
    "nginx-light",
    "nodejs",
    // Also makes the certificates of all servers.
    "openssl",
    "postfix",
    "postgresql",
    // With `promtool`.
    "prometheus",
    "python3",
    "python3-venv",
    "redis-server",
    // Makes a package of the same files that Debian's has.
    "rpm",
    "rsyslog",
    // Its TLS.
    "rsyslog-openssl",
    "slapd",
    "socat",
    // `systemd-analyze` checks the unit; transient units need a machine that systemd runs.
    "systemd",
    // What is drawn on a terminal.
    "tmux",
    "zsh",
];

/// Installs those that are missing, without starting any, and returns a summary.
pub(crate) fn provide() -> Result<String> {
    if !apt::exists() {
        bail!(
            "the servers come from Debian's packages, and there is no apt-get here: {}",
            PACKAGES.join(", ")
        );
    }
    let missing = apt::missing(&PACKAGES)?;
    if missing.is_empty() {
        return Ok(format!("all {} packages are here", PACKAGES.len()));
    }
    apt::install(&missing)?;
    Ok(format!("installed {}; none of them was started", missing.join(", ")))
}
