//! Connections are counted once, in however many rows they stand.

use super::world;
use crate::audit::count::Connections;
use crate::ledger::{Counts, Edge};

/// It opened undecided, was declared once its encryption was known, and ended there.
#[test]
fn a_connection_in_several_rows_is_one() {
    let row = |flows, opened, closed, failed| Edge {
        counts: Counts { flows, opened, closed, failed, ..Counts::default() },
        ..world::orders("10.0.2.7")
    };
    let passed = |flows, opened| Edge {
        counts: Counts { flows, moved: flows, opened, ..Counts::default() },
        ..world::orders("10.0.2.7")
    };
    assert_eq!(Connections::of(&[passed(63, 63), passed(63, 0), row(63, 0, 63, 0)]), 63);
    assert_eq!(Connections::of(&[passed(63, 63), row(63, 0, 0, 0)]), 63, "all are open");
    assert_eq!(Connections::of(&[passed(63, 63), passed(63, 0)]), 0, "where they stand is another row");
    assert_eq!(Connections::of(&[passed(63, 63), row(2, 1, 0, 0)]), 2, "the others stand elsewhere");
    assert_eq!(
        Connections::of(&[row(63, 63, 0, 0), row(63, 0, 0, 0), row(63, 0, 63, 0)]),
        63,
        "of a ledger of before"
    );
    assert_eq!(Connections::of(&[row(3, 0, 0, 3)]), 3, "a failed connect begins and ends");
    assert_eq!(Connections::of(&[row(40, 0, 0, 0)]), 1, "two connections of twenty days, or forty of one");
    assert_eq!(Connections::of(&[]), 0);
}
