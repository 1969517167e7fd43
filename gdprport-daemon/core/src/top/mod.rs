//! A live view of what is open: flows of one port, direction, peer and process as one group, rates, and what of it is wanted.
//!
//! Belongs here: what the daemon adds up for such a view (`grouping`), and what its reader makes of it: strangers that are gone
//! already (`ended`), rows in an order (`row`), a filter (`filter`), rates (`rates`), a day as a line (`spark`). Does not belong
//! here: asking the daemon, and drawing.

mod ended;
mod filter;
mod group;
mod grouping;
mod rates;
mod row;
mod spark;
#[cfg(test)]
mod tests;

pub use ended::Ended;
pub use filter::{Filter, FilterError, Subject};
pub use group::{FlowGroup, FlowGroups, GroupId, GroupPeer, Rank, RowKey, Standings};
pub use grouping::{Grouping, Member};
pub use rates::{Counts, Rates, Tenths};
pub use row::{Row, Sort, merge};
pub use spark::sparkline;
