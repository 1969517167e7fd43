//! Receivers of events, for tests of delivery: each a guard that starts one, kills and restarts it, and reads what arrived. Most are
//! real; where there is none that could run here, a strict fake checks what the real one checks and misbehaves on command.

mod connection;
mod http_fake;
mod process;
mod provided;
mod rsyslog;
mod s_server;
mod syslog;
mod syslog_ng;
mod tls_front;

pub use http_fake::{Fake, Mood, Plain, Protocol, Reply, Request, Taken};
pub use provided::provided;
pub use rsyslog::{Rsyslog, RsyslogTls};
pub use s_server::SServer;
pub use syslog_ng::SyslogNg;
pub use tls_front::TlsFront;
