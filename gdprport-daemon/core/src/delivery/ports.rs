//! The TCP ports that receivers are reached at, as far as the configuration says: a broker may name others later.

use super::{SyslogAddress, Target};

impl Target {
    /// The ports that the deliverer connects to; none for what is no TCP.
    #[must_use]
    pub fn tcp_ports(&self) -> Vec<u16> {
        match self {
            Self::Syslog(syslog) => match &syslog.address {
                SyslogAddress::Unix(_) | SyslogAddress::Udp(_) => Vec::new(),
                SyslogAddress::Tcp(at) | SyslogAddress::Tls(at) => vec![at.port],
            },
            Self::Nats(nats) => nats.servers.iter().map(|server| server.port).collect(),
            Self::Kafka(kafka) => kafka.brokers.iter().map(|broker| broker.port).collect(),
            Self::Http(http) => vec![http.url.port()],
            Self::Splunk(splunk) => vec![splunk.http.url.port()],
            Self::Elastic(elastic) => vec![elastic.http.url.port()],
            Self::Loki(loki) => vec![loki.http.url.port()],
            Self::Otlp(otlp) => vec![otlp.http.url.port()],
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::delivery::Delivery;
    use crate::written::Source;

    #[test]
    fn a_receiver_is_reached_at_the_port_that_is_written_or_usual() {
        let text = "[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://siem.example.org/in\"\n\
                    [[sink]]\nname = \"b\"\ntype = \"http\"\nurl = \"http://[2001:db8::1]:8080/in\"\n\
                    [[sink]]\nname = \"c\"\ntype = \"syslog\"\naddress = \"udp://loghost.example.org\"\n\
                    [[sink]]\nname = \"d\"\ntype = \"syslog\"\naddress = \"tls://loghost.example.org\"\n";
        let source = Source { name: "gdprport.toml".to_owned(), text: text.to_owned() };
        let delivery = Delivery::parse(source).expect("a configuration");
        assert!(delivery.faulty.is_empty(), "{:?}", delivery.faulty);
        let ports: Vec<Vec<u16>> = delivery.sinks.iter().map(|sink| sink.target.tcp_ports()).collect();
        assert_eq!(ports, [vec![443], vec![8_080], vec![], vec![6_514]]);
    }
}
