//! What is shown of an audit's finding.

use super::*;
use crate::audit::Evidence;
use crate::event::samples::findings::finding;

#[test]
fn a_finding_shows_no_person_and_no_pseudonym_of_one() {
    let privacy = privacy();
    let alice = privacy.user_name("alice");
    let mut found = finding();
    found.message = format!("redis (user@1000.service), /home/{alice}/a listens on 10.0.2.15:6379.");
    found.subject.process = Some("/home/alice/bin/redis-server".into());
    let value = "/home/alice/bin/redis-server, /usr/bin/redis-server (3)".to_owned();
    found.evidence = vec![Evidence { what: "executable".into(), value }];
    privacy.finding(&mut found);
    let expected = format!("/home/{alice}/bin/redis-server");
    assert_eq!(found.subject.process.as_deref(), Some(&*expected));
    assert_eq!(found.evidence[0].value, format!("{expected}, /usr/bin/redis-server (3)"));
    let unit = format!("user@{}.service", privacy.id(1000));
    assert_eq!(found.message, format!("redis ({unit}), /home/{alice}/a listens on 10.0.2.15:6379."));
    assert_eq!(found.fingerprint, finding().fingerprint);
}
