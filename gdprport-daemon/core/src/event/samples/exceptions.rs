//! Violations that exceptions of the policy accept.

use jiff::civil::Date;

use crate::event::{Body, FlowEvent, ListenerEvent, Violation};
use crate::shared::Shared;
use crate::verdict::{Accepted, AlsoAccepted};

/// What exceptions say that accept a violation.
pub fn accepted() -> Shared<Accepted> {
    let until = Date::constant(2027, 1, 31);
    let also = AlsoAccepted {
        why: "no TLS before the next release".into(),
        by: "privacy@example.org".into(),
        until: Date::constant(2027, 6, 30),
    };
    Shared::new(Accepted {
        why: "reports move in January".into(),
        by: "dpo@example.org".into(),
        until,
        also: vec![also],
    })
}

/// Of this flow and this listener each, by one exception and by two.
pub(super) fn bodies(flow: &FlowEvent, listener: &ListenerEvent) -> impl Iterator<Item = Body> {
    let one = Shared::new(Accepted { also: Vec::new(), ..(*accepted()).clone() });
    [one, accepted()].into_iter().flat_map(|accepted| {
        let flow = FlowEvent { accepted: Some(accepted.clone()), ..flow.clone() };
        let listener = ListenerEvent { accepted: Some(accepted), ..listener.clone() };
        [Violation::Flow(flow), Violation::Listener(listener)]
            .map(|violation| Body::Violation(Box::new(violation)))
    })
}
