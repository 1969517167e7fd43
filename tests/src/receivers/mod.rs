//! Receivers of events, for tests of delivery: each a guard that starts one, kills and restarts it, and reads what arrived. Most are
//! real; where there is none that could run here, a strict fake checks what the real one checks and misbehaves on command.

mod bulk;
mod connection;
mod echo;
mod hec;
mod http_fake;
mod kafka;
mod loki;
mod nats;
mod otlp;
mod process;
mod provided;
mod rotel;
mod rsyslog;
mod s_server;
mod syslog;
mod syslog_ng;
mod tls_front;
mod tsa;

pub use bulk::Bulk;
pub use echo::{Echo, Tongue};
pub use hec::Hec;
pub use http_fake::{Fake, Mood, Plain, Protocol, Reply, Request, Taken};
pub use kafka::{KafkaMock, KafkaRecord, TOPIC};
pub use loki::Loki;
pub use nats::{NatsCluster, STREAM};
pub use otlp::Otlp;
pub use provided::provided;
pub use rotel::Rotel;
pub use rsyslog::{Rsyslog, RsyslogTls};
pub use s_server::SServer;
pub use syslog_ng::SyslogNg;
pub use tls_front::TlsFront;
pub use tsa::Tsa;
