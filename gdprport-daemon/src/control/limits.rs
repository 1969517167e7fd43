//! Every bound of the control socket, on both ends: how many, how large, how long.
//!
//! Does not belong here: what happens to those who exceed one (`server`, `client`).

use std::time::Duration;

use gdprport_core::policy::TOTAL_BYTES_MAX;

/// Connections there may be at once. Each costs a task and at most `MAX_HEAD` twice: some 3 MB in all.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// Places among them that only root may take: members of the group cannot lock root out.
pub(super) const ROOT_RESERVE: u64 = 8;

/// Connections there may be at once to the address of `[metrics]`, beside those: any user of the host may take them.
pub(super) const MAX_SCRAPERS: usize = 16;

/// For how long a scrape is answered with what the scrape before was told by the loop. So nobody makes the loop work more than
/// once in that time, and a scrape says what is true up to this long ago.
pub(super) const SCRAPE_FRESH: Duration = Duration::from_secs(1);

/// Requests that may wait for the loop. As many as there may be connections, each of which asks one at
/// a time, and one for all scrapes.
pub(super) const REQUEST_QUEUE: usize = MAX_CONNECTIONS + 1;

/// Clients that may follow the events at once: each may hold a queue of events.
pub(super) const MAX_FOLLOWERS: u64 = 16;

/// Events that may wait for one follower: at about 1.5 KB each under 1 MB, and a burst of a second at 500/s.
/// Followers share the bytes, so that several slow ones cost little more than one.
pub(super) const FOLLOWER_QUEUE: usize = 512;

/// Lists of flows that may be on their way at once, each up to 10 MB, and as many again for root.
pub(super) const MAX_LISTS: u64 = 4;

/// Bytes that a request's head may have; also hyper's buffer each way.
pub(super) const MAX_HEAD: usize = 16 * 1_024;

/// Header fields that a request may have.
pub(super) const MAX_HEADERS: usize = 64;

/// Bytes that a request's body may have.
pub(super) const MAX_BODY: usize = 64 * 1_024;

/// Connections that may wait to be accepted: a burst of this size gets a reply, if only a refusal.
pub(super) const BACKLOG: i32 = 1_024;

/// Bytes of the findings of one audit: a finding has 1 to 2 KB, and there are at most `audit::MAX_FINDINGS`. One is taken at
/// a time.
pub(super) const MAX_FINDINGS_BODY: usize = 8 << 20;

/// Bytes of a policy with its texts as JSON: twice what the texts may have, as most of them is not escaped. One is taken at a
/// time.
pub(super) const MAX_POLICY_BODY: usize = 2 * TOTAL_BYTES_MAX;

/// How long open connections have to finish once the daemon stops.
pub(super) const DRAIN: Duration = Duration::from_secs(1);

/// How long the start waits for the number of the socket's group; files provide it in well under a millisecond.
pub(super) const GROUP_WITHIN: Duration = Duration::from_secs(2);

/// How long the server takes at most for a reply. Less than [`CLIENT_TIMEOUT`], so that it is the server's message
/// that arrives.
pub(super) const REPLY_WITHIN: Duration = Duration::from_secs(4);

/// How long the deliverer takes at most to test a sink: a receiver may be slow.
pub(crate) const TEST_WITHIN: Duration = Duration::from_secs(40);

/// How long the daemon takes at most to read a policy and put it in force: a hundred thousand peers on a busy host take seconds.
pub(crate) const POLICY_WITHIN: Duration = Duration::from_secs(30);

/// How long the daemon takes at most for what is asked of the evidence log: of a large one all bundles are read.
pub(crate) const EVIDENCE_WITHIN: Duration = Duration::from_secs(120);

/// How long a client waits for a reply.
pub(super) const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of one reply that a client reads: several times the largest that the server sends.
pub(super) const MAX_REPLY: usize = 64 << 20;

/// Bytes of one line of the event stream that a client reads: an event is about 1.5 KB.
pub(super) const MAX_LINE: usize = 1 << 20;
