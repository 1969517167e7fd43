//! A client of the control socket that follows the events, as a kind of sink.

use bytes::Bytes;

use crate::control::follower::FollowerSink;
use crate::sink::Follower;

impl Follower for FollowerSink {
    fn offer(&mut self, line: &Bytes) -> bool {
        Self::offer(self, line)
    }

    fn is_gone(&self) -> bool {
        Self::is_gone(self)
    }
}
