//! Verdicts on processes in containers: what is compared, whose word counts, and what is said of it.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::model::{Names, StatedBy, Workload};

const ID: &str = "4f1c99aa12bc4f1c99aa12bc4f1c99aa12bc4f1c99aa12bc4f1c99aa12bc4f1c";
const UID: &str = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// One port, one rule that demands this of the process.
fn asking(process: &str) -> ActivePolicy {
    policy(&format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\n\
         peers = [\"any\"]\nprocess = {{ {process} }}\n"
    ))
}

/// Names as Docker's state has them.
fn names(image: &str) -> Names {
    Names {
        name: Some("orders-1".into()),
        image: Some(image.into()),
        image_digest: None,
        image_id: Some(DIGEST.into()),
        labels: [("app", "orders"), ("tier", "web")].map(|(key, value)| (key.into(), value.into())).into(),
        labels_omitted: 0,
        labels_unshown: BTreeMap::new(),
        compose: None,
        namespace: None,
        pod_name: None,
        workload: None,
        stated_by: StatedBy { uid: 0, user: Some("root".into()) },
        writes_state: false,
    }
}

fn orders() -> Names {
    names("registry.example/shop/orders:1.4")
}

fn in_pod() -> Names {
    Names {
        name: Some("app".into()),
        namespace: Some("shop".into()),
        pod_name: Some("orders-7f9c-x2x".into()),
        workload: Some(Workload { kind: "Deployment".into(), name: "orders".into() }),
        ..orders()
    }
}

fn by(uid: u32, user: Option<&str>) -> Names {
    Names { stated_by: StatedBy { uid, user: user.map(Into::into) }, ..orders() }
}

fn process(claimed_by: Option<u32>, naming: Naming) -> Process {
    let container = Container { claimed_by, naming, ..container(ID, None) };
    Process { unit: Some("docker-4f1c.scope".into()), container: Some(container), ..postgres() }
}

fn known(names: Names) -> Process {
    process(None, Naming::Known(names.into()))
}

fn verdict(demand: &str, process: &Process) -> Verdict {
    asking(demand).evaluate(&connected(5432, "10.0.2.7", Some(process)), Timestamp::UNIX_EPOCH)
}

/// What is said of a flow that is not declared, and which keys failed.
fn said(demand: &str, process: &Process) -> String {
    match verdict(demand, process) {
        Verdict::Declared { rule } => format!("declared {rule}"),
        Verdict::Undecided { missing, .. } => format!("undecided: {}", missing.join(" | ")),
        Verdict::Violation { reasons, nearest } => {
            let details: Vec<_> = reasons.into_iter().map(|reason| reason.detail).collect();
            let failed = nearest.expect("there is one rule").failed.join(",");
            format!("violation: {} [{failed}]", details.join(" | "))
        }
    }
}

#[test]
fn a_container_is_known_by_its_id_or_its_pod() {
    let demand = "container = [\"3f1c99aa12bc*\", \"1b4e28ba-2fa1-*\"]";
    let within = |id, pod| Process { container: Some(container(id, pod)), ..postgres() };
    let ask = |process: &Process| line(&verdict(demand, process));
    assert_eq!(ask(&within("3f1c99aa12bc99", None)), "declared r");
    assert_eq!(ask(&within("aaaa", Some(UID))), "declared r");
    assert_eq!(ask(&within("aaaa", Some("ffff-11"))), "violation undeclared-process nearest r(container)");
    assert_eq!(ask(&postgres()), "violation undeclared-process nearest r(container)");
}

/// The uid of the pod meets both keys, and a rule that gives it to both is found by it among many.
#[test]
fn a_pods_uid_may_be_asked_of_container_and_pod() {
    let rule = |role: &str, process: &str| {
        format!(
            "[[port.allow]]\nrole = \"{role}\"\ndirection = \"out\"\npeers = [\"any\"]\nprocess = {{ {process} }}\n"
        )
    };
    let others: String =
        (0..64).map(|n| rule(&format!("o{n}"), &format!("unit = \"o{n}.service\""))).collect();
    let within = |pod| Process { container: Some(container("aaaa", pod)), ..postgres() };
    for demand in [
        format!("container = \"{UID}\", pod = \"{UID}\""),
        format!("container = [\"{UID}\", \"bbbb\"], pod = [\"other\", \"{UID}\"]"),
    ] {
        let head = "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n";
        let policy = policy(&format!("{head}{others}{}", rule("pod", &demand)));
        let ask =
            |pod| policy.evaluate(&connected(5432, "10.0.2.7", Some(&within(pod))), Timestamp::UNIX_EPOCH);
        assert_eq!(line(&ask(Some(UID))), "declared pod", "{demand}");
        assert_ne!(ask(Some("ffff-11")).outcome(), "declared", "{demand}");
    }
}

/// Whoever makes a container or a pod chooses its name.
#[test]
fn a_name_that_looks_like_an_id_is_none() {
    for (text, name) in [("3f1c99aa12bc*", "3f1c99aa12bc-evil"), (ID, ID), (UID, UID)] {
        let named = Names { name: Some(name.into()), pod_name: Some(name.into()), ..in_pod() };
        let within = Process {
            container: Some(Container { naming: Naming::Known(named.into()), ..container("aaaa", None) }),
            ..postgres()
        };
        for key in ["container", "pod"] {
            let verdict = verdict(&format!("{key} = \"{text}\""), &within);
            assert_eq!(verdict.outcome(), "violation", "{key} {text}");
        }
    }
}

#[rstest]
#[case::path("shop/orders", true)]
#[case::whole("registry.example/shop/orders:1.4", true)]
#[case::tag("shop/orders:1.*", true)]
#[case::registry("*.example/shop/orders", true)]
#[case::whole_registry("registry.example/**", true)]
#[case::one_directory("*/orders", true)]
#[case::any_directory("**/orders", true)]
#[case::any("**", true)]
#[case::image_id(DIGEST, true)]
#[case::image_id_without_algorithm(&DIGEST[7..], true)]
#[case::last_part_alone("orders", false)]
#[case::one_part("*", false)]
#[case::another_tag("shop/orders:1.5", false)]
#[case::another_registry("other.example/shop/orders", false)]
#[case::docker_hub("docker.io/shop/orders", false)]
#[case::a_star_ends_at_a_slash("registry.example/*", false)]
#[case::a_prefix("shop/order", false)]
fn what_an_image_pattern_gives_must_match(#[case] pattern: &str, #[case] matches: bool) {
    let outcome = verdict(&format!("image = \"{pattern}\""), &known(orders()));
    assert_eq!(outcome.outcome(), if matches { "declared" } else { "violation" });
}

#[rstest]
#[case::in_a_directory("orders", "evil/orders")]
#[case::of_another_registry_and_directory("orders", "evil.example/x/orders")]
#[case::longer("orders", "orders-evil")]
#[case::library_of_others("docker.io/library/postgres", "evil.example/library/postgres")]
#[case::as_a_tag("orders:1.4", "evil:orders-1.4")]
#[case::registry_in_the_path("registry.example/**", "evil.example/registry.example/orders")]
#[case::local_build("docker.io/orders", "localhost/orders")]
fn no_other_image_is_taken_for_the_wanted_one(#[case] pattern: &str, #[case] image: &str) {
    let outcome = verdict(&format!("image = \"{pattern}\""), &known(names(image)));
    assert_eq!(outcome.outcome(), "violation");
}

#[test]
fn docker_hubs_own_images_are_named_with_and_without() {
    for pattern in ["postgres", "library/postgres", "docker.io/postgres", "docker.io/library/postgres:16"] {
        for image in ["postgres:16", "library/postgres:16", "docker.io/library/postgres:16"] {
            let verdict = verdict(&format!("image = \"{pattern}\""), &known(names(image)));
            assert_eq!(verdict.outcome(), "declared", "{pattern} {image}");
        }
    }
}

#[test]
fn a_digest_is_compared_with_all_that_are_known() {
    let demand = format!("image = \"shop/orders@{OTHER}\"");
    let of = |image_digest: Option<&str>, image_id: Option<&str>| {
        known(Names {
            image_digest: image_digest.map(Into::into),
            image_id: image_id.map(Into::into),
            ..orders()
        })
    };
    assert_eq!(said(&demand, &of(Some(OTHER), None)), "declared r");
    assert_eq!(said(&demand, &of(None, Some(OTHER))), "declared r");
    let pulled = known(names(&format!("registry.example/shop/orders@{OTHER}")));
    assert_eq!(said(&demand, &pulled), "declared r");
    assert_eq!(
        said(&demand, &of(None, Some(DIGEST))),
        "undecided: the state of its runtime has not every digest of image registry.example/shop/orders:1.4 of \
         container orders-1"
    );
    assert_eq!(
        said(&demand, &of(Some(DIGEST), Some(DIGEST))),
        format!(
            "violation: image is registry.example/shop/orders:1.4 {DIGEST} {DIGEST} (container orders-1, unit \
             docker-4f1c.scope), r allows shop/orders@{OTHER} [image]"
        )
    );
    let by_digest = known(names(DIGEST));
    assert_eq!(
        said("image = \"orders\"", &by_digest),
        "undecided: the state of its runtime names the image of container orders-1 by its digest only"
    );
}

#[test]
fn a_strangers_image_is_shown_with_container_and_unit() {
    assert_eq!(
        said("image = \"shop/orders:1.*\"", &known(names("evil/miner:7"))),
        format!(
            "violation: image is evil/miner:7 {DIGEST} (container orders-1, unit docker-4f1c.scope), r allows \
             shop/orders:1.* [image]"
        )
    );
    assert_eq!(
        said("image = \"shop/orders\"", &postgres()),
        "violation: image is none (in no container, unit postgresql@15-main.service), r allows shop/orders [image]"
    );
    let long = known(Names { name: Some("x".repeat(253).into()), ..names(&"y".repeat(512)) });
    assert!(said("image = \"shop/orders\"", &long).len() < 700);
}

#[test]
fn names_that_are_not_known_yet_are_not_those_nobody_states() {
    let demand = "image = \"orders\", label = { app = \"orders\" }";
    assert_eq!(
        said(demand, &process(None, Naming::Pending)),
        "undecided: the names of container 4f1c99aa12bc are not known yet, and the rule asks for image, label"
    );
    assert_eq!(
        said(demand, &process(None, Naming::Unknown)),
        "undecided: no state of a runtime on this host names container 4f1c99aa12bc, and the rule asks for image, label"
    );
    let unproven = Process { container_unproven: true, ..postgres() };
    assert_eq!(said(demand, &unproven), "undecided: image, label of process 812 is not known");
}

#[test]
fn what_certainly_fails_is_a_violation_before_names_are_known() {
    let demand = "image = \"orders\", user = \"etl\"";
    let pending = process(None, Naming::Pending);
    assert_eq!(line(&verdict(demand, &pending)), "violation undeclared-process nearest r(user)");
}

#[test]
fn every_wanted_label_must_match() {
    let both = "label = { app = \"orders\", tier = [\"web\", \"api-*\"] }";
    assert_eq!(said(both, &known(orders())), "declared r");
    let mut other = orders();
    other.labels.insert("app".into(), "miner".into());
    other.labels.remove("tier");
    assert_eq!(
        said(both, &known(other.clone())),
        "violation: label is app=miner, no tier (container orders-1, unit docker-4f1c.scope), r allows app=orders, \
         tier=api-*, web [label]"
    );
    let omitted = Names { labels_omitted: 3, ..orders() };
    assert_eq!(
        said("label = { team = \"a\" }", &known(omitted.clone())),
        "undecided: container orders-1 has 3 labels that were too many or too long to keep, and a wanted one may be \
         among them"
    );
    let unread = Names { labels: BTreeMap::new(), labels_omitted: u32::MAX, ..in_pod() };
    assert_eq!(
        said("label = { app = \"orders\" }", &known(unread.clone())),
        "undecided: the labels of container app could not be read, and the rule asks for label"
    );
    assert_eq!(
        said("workload = \"orders\"", &known(Names { workload: None, ..unread })),
        "undecided: the labels of the pod of container app could not be read, and the rule asks for workload"
    );
    // One that is known to differ fails, whatever the others are.
    let certain = verdict("label = { team = \"a\", app = \"b\" }", &known(omitted));
    assert_eq!(line(&certain), "violation undeclared-process nearest r(label)");
}

#[test]
fn a_pod_is_known_by_namespace_name_and_workload() {
    let pod = known(in_pod());
    for demand in [
        "namespace = \"shop\", pod = \"orders-*\", container = \"app\"",
        "workload = \"orders\"",
        "workload = \"Deployment/orders\"",
        "workload = [\"StatefulSet/*\", \"*/orders\"]",
    ] {
        assert_eq!(said(demand, &pod), "declared r", "{demand}");
    }
    assert_eq!(
        said("namespace = \"shop\", workload = \"Job/orders\"", &pod),
        "violation: workload is Deployment/orders (container app, unit docker-4f1c.scope), r allows Job/orders [workload]"
    );
    // A container that is named and in no pod is in no namespace.
    assert_eq!(
        said("namespace = \"shop\"", &known(orders())),
        "violation: namespace is none (container orders-1, unit docker-4f1c.scope), r allows shop [namespace]"
    );
    // However many labels it has beside those that are kept.
    let bare = known(Names { workload: None, labels_omitted: 70, ..in_pod() });
    assert_eq!(
        line(&verdict("workload = \"orders\"", &bare)),
        "violation undeclared-process nearest r(workload)"
    );
}

#[test]
fn a_users_word_counts_only_where_the_rule_takes_it() {
    let alice = known(by(1000, Some("alice")));
    assert_eq!(
        said("image = \"shop/orders\"", &alice),
        "violation: stated_by is alice (1000), who can write the state that names container orders-1; r takes the word \
         of root [stated_by]"
    );
    for users in ["\"alice\"", "1000", "[\"bob\", \"al*\"]"] {
        assert_eq!(
            said(&format!("image = \"shop/orders\", stated_by = {users}"), &alice),
            "declared r",
            "{users}"
        );
    }
    assert_eq!(
        said("image = \"other\", stated_by = \"bob\"", &alice),
        format!(
            "violation: image is registry.example/shop/orders:1.4 {DIGEST} (container orders-1, unit docker-4f1c.scope), r \
             allows other; stated_by is alice (1000), who can write the state that names container orders-1; r takes the \
             word of root and of bob [image,stated_by]"
        )
    );
    assert!(
        said("image = \"shop/orders\"", &known(by(u32::MAX, None)))
            .contains("stated_by is more than one user, who")
    );
    // The id is root's word all the same.
    assert_eq!(said(&format!("container = \"{ID}\""), &alice), "declared r");
    assert_eq!(said("container = \"*\"", &alice), "declared r");
    assert_eq!(
        line(&verdict("container = \"orders-*\"", &alice)),
        "violation undeclared-process nearest r(stated_by)"
    );
}

#[test]
fn a_container_that_a_user_made_counts_only_by_their_word() {
    let rootless = |naming| process(Some(1000), naming);
    let named = || Naming::Known(by(1000, Some("alice")).into());
    for naming in [Naming::Pending, Naming::Unknown, named()] {
        let verdict = said("container = \"*\"", &rootless(naming));
        assert!(verdict.contains("who made container") && verdict.ends_with("[stated_by]"), "{verdict}");
    }
    assert_eq!(said("container = \"*\", stated_by = 1000", &rootless(Naming::Unknown)), "declared r");
    assert_eq!(said("container = \"*\", stated_by = \"alice\"", &rootless(named())), "declared r");
    let by_number = said("image = \"orders\", stated_by = 1001", &rootless(Naming::Unknown));
    assert!(
        by_number.starts_with("violation: stated_by is 1000, who made container 4f1c99aa12bc; r takes"),
        "{by_number}"
    );
    assert_eq!(
        said("container = \"*\", stated_by = \"alice\"", &rootless(Naming::Pending)),
        "undecided: how user 1000 is called, who made container 4f1c99aa12bc, is not known, and the rule takes the word \
         of alice"
    );
    // The user's own process shows how they are called.
    let own = |user: &str| Process { uid: 1000, user: Some(user.into()), ..rootless(Naming::Unknown) };
    assert_eq!(said("container = \"*\", stated_by = \"alice\"", &own("alice")), "declared r");
    assert_eq!(verdict("container = \"*\", stated_by = \"alice\"", &own("mallory")).outcome(), "violation");
}

#[test]
fn nobodys_word_is_asked_where_there_is_no_process() {
    let facts = connected(5432, "10.0.2.7", None);
    let verdict = asking("image = \"orders\"").evaluate(&facts, Timestamp::UNIX_EPOCH);
    assert_eq!(line(&verdict), "undecided the process is not known, and the rule asks for image nearest r");
}
