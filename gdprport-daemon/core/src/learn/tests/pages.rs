//! How starter policies look.

use super::*;

fn host() -> Inventory {
    let local = group("127.0.0.1", Direction::In, 4, Some(psql()));
    let apps = (11..16).map(|host| group(&format!("10.0.2.{host}"), Direction::In, 3, None));
    let orders = identity("orders-api.service", "/usr/bin/python3.11", "orders");
    let script = identity("session-9.scope", "/usr/bin/python3.11", "alice");
    let script = Identity { script: Some("/home/alice/export.py".into()), ..script };
    let mut postgresql =
        listening(5432, &["127.0.0.1", "10.0.2.15"], postgres(), [local].into_iter().chain(apps).collect());
    postgresql.service.by.push(Recognised::Executable);
    postgresql.service.why = Some("Databases hold what applications know about people.".into());
    postgresql.postures = vec![
        (
            PostureKey {
                state: PostureState::Tls13,
                version: Some(TlsVersion::Tls13),
                cipher: None,
                certificate_until: None,
            },
            17,
        ),
        (
            PostureKey {
                state: PostureState::Plaintext,
                version: None,
                cipher: None,
                certificate_until: None,
            },
            2,
        ),
    ];
    let mut mysql = listening(3306, &["10.0.9.8"], orders, vec![group("10.0.9.8", Direction::Out, 10, None)]);
    mysql.postures = vec![(
        PostureKey {
            state: PostureState::StarttlsUpgraded,
            version: Some(TlsVersion::Tls12),
            cipher: None,
            certificate_until: None,
        },
        10,
    )];
    let mongo = listening(27017, &["10.0.9.9"], script, vec![group("10.0.9.9", Direction::Out, 1, None)]);
    let python = identity("", "/usr/bin/python3.11", "alice");
    Inventory {
        listeners: vec![
            postgresql,
            listening(
                6379,
                &["0.0.0.0", "::"],
                identity("redis-server.service", "/usr/bin/redis-check-rdb", "redis"),
                vec![],
            ),
            listening(
                8090,
                &["127.0.0.1"],
                python,
                vec![group("127.0.0.1", Direction::In, 1, Some(Identity::UNKNOWN))],
            ),
        ],
        remote: vec![mysql, mongo],
        ..Inventory::default()
    }
}

#[test]
fn a_host_with_databases() {
    insta::assert_snapshot!(written(&host()).text);
}

#[test]
fn a_host_without_services_has_a_policy_too() {
    let starter = written(&Inventory::default());
    active(&starter.text);
    assert_eq!((starter.ports, starter.rules, starter.blanks), (0, 0, 3));
}

#[test]
fn answers_are_taken() {
    let controller = ControllerAnswer::new(" Example \"GmbH\" ", Some("privacy@example.org"), None);
    assert!(ControllerAnswer::new(" ", None, None).is_err());
    assert!(ControllerAnswer::new("a\nb", None, None).is_err());
    let services = vec![
        (Which::Port(8090), true),
        (Which::Service("redis".into()), false),
        (Which::Service("mysql".into()), true),
    ];
    let answers = Answers { controller: Some(controller.expect("a text")), services };
    let starter = starter(&Seen::of_inventory(&host()), &answers, &CONTEXT);
    let policy = active(&starter.text);
    assert_eq!(starter.ports, 4, "{}", starter.text);
    assert!(starter.text.contains("name = 'Example \"GmbH\"'"), "{}", starter.text);
    assert!(policy.policy().watched().any(|port| port.declared && port.number == 8090));
    assert!(!policy.policy().watched().any(|port| port.declared && port.number == 6379));
}
