//! What a change of the policy or of account names does to open flows.

use super::*;

#[test]
fn late_account_names_are_filled_in_once_and_reevaluate_flows() {
    let mut fixture = Fixture::new(8);
    for cookie in [1, 2] {
        fixture.ingest(arrived(cookie, 10, 1));
        let late = Shared::new(Process { names_pending: true, ..process(7, Attribution::Exact) });
        fixture.table.flows.get_mut(&cookie).expect("it is there").flow.process = Some(late);
    }
    fixture.ingest(accepted(1, 11, 2));
    fixture.settle(10 + SETTLE);
    fixture.world.strict = true;
    fixture.table.resolve_names(&mut fixture.world, &mut fixture.out);
    assert!(fixture.out.is_empty(), "still not known");
    fixture.world.strict = false;
    fixture.table.resolve_names(&mut fixture.world, &mut fixture.out);
    let out = std::mem::take(&mut fixture.out);
    assert_eq!(kinds(&out), [ChangeKind::Updated]);
    assert_eq!(out[0].flow.cookie, 2);
    let named = out[0].flow.process.as_ref().expect("a process");
    assert_eq!((named.user.as_deref(), named.names_pending), (Some("etl"), false));
    fixture.table.resolve_names(&mut fixture.world, &mut fixture.out);
    assert!(fixture.out.is_empty(), "once is enough");
}

#[test]
fn a_change_of_policy_reports_only_what_it_changed() {
    let mut fixture = Fixture::new(8);
    let to = "192.0.2.9:5432";
    fixture.ingest(ConnectionRecord::Connected(event(1, 10, SocketRole::Connected, 1, "10.0.0.1:40000", to)));
    fixture.ingest(ConnectionRecord::Connected(event(2, 10, SocketRole::Connected, 7, "10.0.0.1:40001", to)));
    fixture.world.strict = true;
    fixture.table.reevaluate(&mut fixture.world, &mut fixture.out);
    assert_eq!(kinds(&fixture.out), [ChangeKind::Updated]);
    assert!(fixture.out[0].is_new_violation() && fixture.out[0].flow.cookie == 1);
}

#[test]
fn a_flow_carries_the_port_index_of_its_last_evaluation() {
    let mut fixture = Fixture::new(8);
    let to = "192.0.2.9:5432";
    let event = event(1, 10, SocketRole::Connected, 1, "10.0.0.1:40000", to);
    assert_eq!(fixture.ingest(ConnectionRecord::Connected(event))[0].flow.port_index, Some(0));
    for port in [Some(3), None] {
        fixture.world.port = port;
        fixture.table.reevaluate(&mut fixture.world, &mut fixture.out);
        assert!(fixture.out.is_empty(), "the verdict is the same");
        assert_eq!(fixture.table.get(1).expect("it is open").port_index, port);
    }
    fixture.world.port = Some(5);
    fixture.table.retain(|_| false, &mut fixture.out);
    assert_eq!(fixture.out[0].flow.port_index, None, "a removal is no evaluation");
}
