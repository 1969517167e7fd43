//! Connections that arrived and were denied.

use super::*;

/// Its cookie is the listener's, and nothing of the others that the listener accepts.
#[test]
fn a_refused_syn_is_inward_and_leaves_other_flows_alone() {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 7));
    for cookie in [1, 2, 2] {
        let refused = event(cookie, 20, SocketRole::Bound, 7, NEAR, "192.0.2.7:40001");
        let out = fixture.ingest(ConnectionRecord::Refused(refused, ending(Outcome::DeniedByPolicy)));
        assert_eq!(kinds(&out), [ChangeKind::Failed]);
        assert!(out[0].is_new_violation());
        assert_eq!((out[0].flow.direction, out[0].flow.cookie), (Direction::In, cookie));
        assert_eq!(out[0].flow.outcome, Outcome::DeniedByPolicy);
        assert_eq!(pid(out[0].flow.process.as_ref()), Some((7, Attribution::Listener)));
    }
    assert!(fixture.table.get(1).is_some());
}
