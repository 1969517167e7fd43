//! What rules ask of processes.

use rstest::rstest;

use super::super::process::demand;
use super::*;

fn pod() -> ContainerIdentity {
    ContainerIdentity {
        runtime: Some("containerd".into()),
        name: Some("app".into()),
        image: Some("registry.example/shop/orders:1.4".into()),
        namespace: Some("shop".into()),
        workload: Some("Deployment/orders".into()),
        stated_by: None,
    }
}

fn docker(name: &str, image: &str, stated_by: Option<u32>) -> Identity {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    let container =
        ContainerIdentity { name: some(name), image: some(image), stated_by, ..Default::default() };
    Identity { container: Some(container), ..identity("docker-4f1d0c2b3a49.scope", "/usr/bin/a", "root") }
}

#[rstest]
#[case::a_service(
    postgres(),
    r#"{ unit = "postgresql@15-main.service", exe = "/usr/lib/postgresql/15/bin/postgres" }"#
)]
#[case::a_login(psql(), r#"{ exe = "/usr/lib/postgresql/15/bin/psql", user = "alice" }"#)]
#[case::one_connection(
    identity("s@3-10.0.0.1:22-10.0.0.2:9.service", "/usr/sbin/s", "root"),
    r#"{ exe = "/usr/sbin/s", user = "root" }"#
)]
#[case::no_executable(identity("a.service", "", "etl"), r#"{ unit = "a.service", user = "etl" }"#)]
#[case::no_name(identity("", "/usr/bin/a", ""), r#"{ exe = "/usr/bin/a", user = 107 }"#)]
#[case::a_name_of_digits(identity("", "/usr/bin/a", "1001"), r#"{ exe = "/usr/bin/a", user = 107 }"#)]
#[case::wildcards(identity("", "/usr/bin/[", "a"), r#"{ exe = "/usr/bin/[[]", user = "a" }"#)]
#[case::a_pod(Identity { container: Some(pod()), ..postgres() }, r#"{ namespace = "shop", workload = "Deployment/orders", container = "app", image = "registry.example/shop/orders:1.4" }"#)]
#[case::a_job(Identity { container: Some(ContainerIdentity { workload: Some("Job/nightly-28391040".into()), image: None, ..pod() }), ..postgres() }, r#"{ namespace = "shop", workload = "Job/nightly-*", container = "app" }"#)]
#[case::a_container(
    docker("shop-db-1", "postgres:16", None),
    r#"{ container = "shop-db-1", image = "postgres:16" }"#
)]
#[case::a_name_that_docker_made_up(
    docker("brave_curie", "postgres:16", None),
    r#"{ image = "postgres:16" }"#
)]
#[case::a_user_s_word(
    docker("orders", "localhost/orders", Some(1000)),
    r#"{ container = "orders", image = "localhost/orders", stated_by = 1000 }"#
)]
#[case::a_name_like_an_id(docker("4f1d0c2b3a49", "postgres:16", None), r#"{ image = "postgres:16" }"#)]
fn a_rule_asks_for_what_proves_best(#[case] identity: Identity, #[case] table: &str) {
    assert_eq!(demand(&identity).expect("it is proven").table, table);
}

#[rstest]
#[case::nobody(Identity::UNKNOWN, "the process is not known")]
#[case::a_user_alone(identity("", "", "etl"), "neither its executable nor its unit is known")]
#[case::no_text(
    identity("", "$'/tmp/\\xff'", "etl"),
    "the path of its executable is no text that a rule can ask for"
)]
#[case::steers(identity("", "/tmp/a\u{1b}[2J", "etl"), "neither its executable nor its unit is known")]
#[case::no_names(docker("", "", None), "it runs in a container whose names are not known")]
fn what_is_not_proven_is_no_rule(#[case] identity: Identity, #[case] why: &str) {
    assert_eq!(demand(&identity).expect_err("it is not proven"), why);
}

/// A policy is compared with true values.
#[test]
fn no_rule_asks_for_a_pseudonym() {
    let (person, id) = ("u-34d45cbc91de5ce7", 2_825_500_089);
    let of = |unit: &str, exe: &str| Identity {
        uid: Some(id),
        user: Some(person.into()),
        ..identity(unit, exe, person)
    };
    let known = demand(&of("backup.service", "/usr/bin/backup")).expect("unit and exe are true");
    assert!(!known.table.contains("user") && known.table.contains("backup.service"), "{}", known.table);
    for (unit, exe) in [
        ("", "/usr/bin/psql"),
        ("backup.service", ""),
        ("", "/home/u-34d45cbc91de5ce7/bin/x"),
        ("sync@u-34d45cbc91de5ce7.service", "/usr/bin/sync"),
    ] {
        let why = demand(&of(unit, exe)).expect_err("nothing true is left to ask for");
        assert_eq!(why, "the ledger has a pseudonym of its user");
    }
}
