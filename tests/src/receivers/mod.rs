//! Real receivers of events, for tests of delivery: each a guard that starts one, kills and restarts it, and reads what arrived.

mod provided;
mod s_server;

pub use provided::provided;
pub use s_server::SServer;
