//! Where the metrics are served beside the control socket, as it is written.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de};

/// The part `[metrics]` as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsConfig {
    /// An address of this host alone.
    #[serde(deserialize_with = "loopback")]
    pub listen: Option<SocketAddr>,
}

/// Metrics name ports and sinks, and nothing asks who reads them: so nobody outside of this host can.
fn loopback<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<SocketAddr>()
        .ok()
        .filter(|address| address.ip().is_loopback() && address.port() != 0)
        .map(Some)
        .ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no address that only this host reaches: write it as \"127.0.0.1:9469\" or \"[::1]:9469\""
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<MetricsConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn metrics_are_served_on_loopback_addresses_only() {
        assert_eq!(parse("").expect("valid").listen, None);
        for address in ["127.0.0.1:9469", "127.8.8.8:1", "[::1]:65535"] {
            let listen = parse(&format!("listen = \"{address}\"")).expect(address).listen;
            assert_eq!(listen.map(|listen| listen.to_string()).as_deref(), Some(address));
        }
        for address in [
            "0.0.0.0:9469",
            "[::]:9469",
            "192.0.2.7:9469",
            "[::ffff:127.0.0.1]:9469",
            "127.0.0.1",
            "127.0.0.1:0",
            "localhost:9469",
            ":9469",
            "",
        ] {
            let error = parse(&format!("listen = \"{address}\"")).expect_err(address);
            assert!(
                error.contains(&format!("`{address}` is no address that only this host reaches")),
                "{error}"
            );
        }
        assert!(parse("adress = \"127.0.0.1:9469\"").expect_err("a typing error").contains("unknown field"));
    }
}
