//! What a policy's files mean together.

use insta::assert_snapshot;

use super::super::Emit;
use super::*;

fn both(first: &str, second: &str) -> Result<Policy, Problems> {
    compile(&[source("policy.toml", first), source("policy.d/more.toml", second)])
}

fn clash(first: &str, second: &str) -> String {
    let mut problems = both(first, second).expect_err("the files clash");
    problems.list.retain(|problem| problem.severity == super::super::Severity::Error);
    problems.to_string()
}

const DB: &str = "version = 1\n[peers]\napps = [\"10.0.2.0/24\"]\n[[port]]\nname = \"db\"\nport = 5432\n";

#[test]
fn a_drop_in_adds_ports_peers_and_rules() {
    let policy = both(
        DB,
        "version = 1\n[peers]\nops = [\"10.0.3.0/24\"]\n[[port]]\nname = \"queue\"\nport = 5672\n\
         [[allow]]\nport = \"db\"\nrole = \"admin\"\ndirection = \"in\"\npeers = [\"ops\", \"apps\"]\n",
    )
    .expect("the drop-in only adds");
    let policy = active(Ok(policy));
    let verdict = policy.evaluate(&accepted(5432, "10.0.3.1", None), Timestamp::UNIX_EPOCH);
    assert_eq!(line(&verdict), "declared admin");
    assert_eq!(policy.port(5672).map(|info| &*info.name), Some("queue"));
}

#[test]
fn every_file_names_the_version() {
    assert_snapshot!(clash(DB, "[peers]\nops = [\"10.0.3.0/24\"]\n"), @r"
    policy.d/more.toml:1:1: error: the policy has no `version`
     1 | [peers]
       | ^
       = help: add `version = 1`
    ");
}

#[test]
fn a_drop_in_that_redefines_is_a_clash_that_names_both_places() {
    assert_snapshot!(
        clash(DB, "version = 1\n[peers]\napps = [\"10.9.0.0/16\"]\n[[port]]\nname = \"db\"\nport = 5433\n"),
        @r#"
    policy.d/more.toml:3:1: error: the peers `apps` are named twice: first at policy.toml:3:1
     3 | apps = ["10.9.0.0/16"]
       | ^^^^
       = help: use another name

    policy.d/more.toml:5:8: error: port `db` is declared twice: first at policy.toml:5:8
     5 | name = "db"
       |        ^^^^
       = help: use another name, or add rules to it with `[[allow]]`
    "#
    );
}

#[test]
fn two_local_services_cannot_claim_one_number() {
    assert_snapshot!(clash(DB, "version = 1\n[[port]]\nname = \"other\"\nport = [80, \"5430-5440\"]\n"), @r#"
    policy.d/more.toml:4:13: error: port 5432 is already claimed by `db` at policy.toml:6:8
     4 | port = [80, "5430-5440"]
       |             ^^^^^^^^^^^
       = help: keep both in one declaration with a role each; remote services may share a number if their networks do not overlap
    "#);
}

#[test]
fn remote_services_share_a_number_only_on_apart_networks() {
    let remote = |name: &str, service: &str| {
        format!("version = 1\n[[port]]\nname = \"{name}\"\nport = 5432\nservice = {service}\n")
    };
    assert_snapshot!(
        clash(&remote("crm", "[\"10.7.0.0/16\"]"), &remote("erp", "[\"10.8.0.0/16\", \"10.7.3.0/24\"]")),
        @r"
    policy.d/more.toml:4:8: error: port 5432 is already claimed by `crm` at policy.toml:4:8
     4 | port = 5432
       |        ^^^^
       = help: keep both in one declaration with a role each; remote services may share a number if their networks do not overlap
    "
    );
    assert!(both(&remote("crm", "[\"db.a.example\"]"), &remote("erp", "[\"db.a.example\"]")).is_err());
    assert!(both(&remote("crm", "[\"any\"]"), &remote("erp", "[\"fd00::1\"]")).is_err());
    assert!(both(&remote("crm", "[\"10.7.0.0/16\"]"), &remote("erp", "[\"10.8.0.0/16\"]")).is_ok());
}

#[test]
fn a_flow_falls_under_the_service_that_its_peer_belongs_to() {
    let remote = |name: &str, service: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nport = 5432\nservice = [\"{service}\"]\n\
             [[port.allow]]\nrole = \"to-{name}\"\ndirection = \"out\"\npeers = [\"any\"]\n"
        )
    };
    let text = format!("{DB}{}{}", remote("crm", "10.7.0.0/16"), remote("erp", "erp.example.org"));
    let policy = policy(&text).with_names(resolved(&[("erp.example.org", &["192.0.2.9"])]));
    assert_eq!(policy.policy().host_names().collect::<Vec<_>>(), ["erp.example.org"]);
    let ask = |facts: Facts<'_>| {
        let info = policy.port_of(&facts).expect("the port is watched");
        let evaluation = policy.judge(&facts, Timestamp::UNIX_EPOCH);
        assert_eq!(evaluation.port, Some(info.index));
        (info.name.to_string(), line(&evaluation.verdict))
    };
    assert_eq!(ask(connected(5432, "10.7.1.1", None)), ("crm".to_owned(), "declared to-crm".to_owned()));
    assert_eq!(ask(connected(5432, "192.0.2.9", None)), ("erp".to_owned(), "declared to-erp".to_owned()));
    assert_eq!(ask(connected(5432, "192.0.2.8", None)).0, "db");
    assert_eq!(ask(accepted(5432, "10.7.1.1", None)).0, "db");
    assert_eq!(policy.watched().filter(|info| info.number == 5432).count(), 3);
}

#[test]
fn a_port_has_what_was_declared_of_it() {
    let policy = policy(
        "version = 1\n[controller]\nname = \"Example\"\n[[port]]\nname = \"mail\"\nport = [25, \"586-587\"]\n\
         protocol = \"smtp\"\nemit = { summary = \"90s\" }\n[port.record]\npurpose = \"mail\"\ntransfers = []\n\
         special_category = true\n[[port]]\nname = \"queue\"\nport = 5672\nemit = \"violations\"\n",
    );
    let info = policy.port(586).expect("within the range");
    assert_eq!((&*info.name, info.protocol.as_deref()), ("mail", Some("smtp")));
    assert_eq!(info.emit, Emit::Summary { every: std::time::Duration::from_secs(90) });
    let record = info.record.as_ref().expect("a record");
    assert_eq!(record.purpose.as_deref(), Some("mail"));
    assert_eq!((record.special_category, record.transfers.as_deref()), (Some(true), Some(&[][..])));
    let queue = policy.port(5672).expect("declared");
    assert_eq!((queue.emit, queue.protocol.as_deref()), (Emit::Violations, Some("amqp")));
    assert_eq!(policy.policy().controller().map(|controller| &*controller.name), Some("Example"));
    assert!(policy.watched().map(|info| info.number).is_sorted());
}

/// What Art. 26, 27 and 30(2) GDPR ask for, and what templates of authorities have beside Art. 30(1).
#[test]
fn a_record_has_what_processors_and_templates_need() {
    let text = "version = 1\n[controller]\nname = \"Example\"\njoint = [\"Partner AG\"]\nrepresentative = \"EU rep\"\n\
                countries = \"/etc/gdprport/countries.csv\"\nnotify_within = \"96h\"\n[[port]]\nname = \"db\"\nport = 5432\n[port.record]\n\
                on_behalf_of = [\"Customer GmbH\"]\njoint = []\nsafeguards = [\"clauses\"]\nlocation = \"Vienna\"\n\
                dpia = \"DPIA-3\"\n";
    let policy = policy(text);
    let controller = policy.policy().controller().expect("declared").clone();
    assert_eq!(controller.joint.as_deref(), Some(&["Partner AG".into()][..]));
    assert_eq!(controller.representative.as_deref(), Some("EU rep"));
    assert_eq!(controller.countries.as_deref(), Some("/etc/gdprport/countries.csv"));
    assert_eq!(controller.notify_within, Some(std::time::Duration::from_hours(96)));
    let record = policy.port(5432).expect("declared").record.clone().expect("a record");
    assert_eq!(record.on_behalf_of.as_deref(), Some(&["Customer GmbH".into()][..]));
    assert_eq!(record.joint.as_deref(), Some(&[][..]), "declared to be none");
    assert_eq!(record.location.as_deref(), Some(&["Vienna".into()][..]));
    assert_eq!(
        (record.safeguards.as_ref().map(|list| list.len()), record.dpia.as_deref()),
        (Some(1), Some("DPIA-3"))
    );
}

#[test]
fn a_busy_port_is_summed_up_unless_it_says_otherwise() {
    let of = |emit: &str| {
        let text = format!("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n{emit}");
        policy(&text).port(5432).expect("declared").emit
    };
    assert_eq!(of(""), Emit::Auto { most: 20 });
    assert_eq!(of("emit = \"auto\""), Emit::default());
    assert_eq!(of("emit = { auto = 60 }"), Emit::Auto { most: 60 });
    assert_eq!(of("emit = \"every\""), Emit::Every);
    let catalog = super::super::catalog_only();
    assert!(catalog.watched().all(|port| port.emit == Emit::default()), "also where there is no policy");
}

#[test]
fn what_art_30_requires_and_is_not_declared_is_a_warning() {
    let policy = policy(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\nlisten = \"any\"\n\
         tls = { min = \"1.3\" }\n[port.record]\nowner = \"x\"\n",
    );
    let warnings: Vec<String> = policy.policy().warnings().iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n\n"), @r#"
    policy.toml:1:1: warning: the policy names no controller
     1 | version = 1
       | ^
       = help: Art. 30(1)(a) GDPR asks for one: add `[controller]`

    policy.toml:3:8: warning: port `db` has no rule, so nothing is declared on it
     3 | name = "db"
       |        ^^^^
       = help: add a `[[port.allow]]`

    policy.toml:7:1: warning: the record of processing has no `purpose`, `subjects`, `data`, `recipients`, `transfers`, `retention`
     7 | [port.record]
       | ^^^^^^^^^^^^^
       = help: Art. 30(1) GDPR asks for them; an empty list says that there are none
    "#);
}

#[test]
fn names_are_compared_without_case_and_trailing_dot() {
    let policy = policy(&format!(
        "{DB}[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"DB1.\", \"Db.Example.ORG.\"]\n"
    ));
    let mut names: Vec<_> = policy.policy().host_names().collect();
    names.sort_unstable();
    assert_eq!(names, ["db.example.org", "db1"]);
}

#[test]
fn ipv4_mapped_networks_mean_ipv4() {
    let policy = policy(&format!(
        "{DB}[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = [\"::ffff:10.0.0.0/104\", \"::ffff:192.0.2.1\"]\n"
    ));
    let ask = |peer| line(&policy.evaluate(&accepted(5432, peer, None), Timestamp::UNIX_EPOCH));
    assert_eq!(ask("10.200.0.1"), "declared r");
    assert_eq!(ask("192.0.2.1"), "declared r");
    assert_eq!(ask("11.0.0.1"), "violation undeclared-peer nearest r(peers)");
}

#[test]
fn the_digest_distinguishes_texts_and_not_paths() {
    let digest = |sources: &[Source]| compile(sources).expect("a policy").digest().to_owned();
    let one = digest(&[source("a", "version = 1\n"), source("b", "version = 1\n#x")]);
    assert_eq!(one, digest(&[source("c", "version = 1\n"), source("d", "version = 1\n#x")]));
    assert_ne!(one, digest(&[source("a", "version = 1\n#x"), source("b", "version = 1\n")]));
    assert!(one.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64));
}

#[test]
fn a_policy_and_its_names_are_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<ActivePolicy>();
}

#[test]
fn no_file_at_all_is_the_catalog() {
    let policy = compile(&[]).expect("nothing is wrong with nothing");
    assert!(policy.is_catalog_only());
    assert_eq!(policy.digest(), super::super::catalog_only().digest());
    assert!(
        !super::policy("version = 1\n").policy().is_catalog_only(),
        "a file that declares nothing is still a policy"
    );
}

#[test]
fn claiming_every_port_over_and_over_is_refused() {
    let port = |name: usize| {
        format!("[[port]]\nname = \"p{name}\"\nport = \"1-65535\"\nservice = [\"10.0.0.{name}\"]\n")
    };
    let text = |count: usize| format!("version = 1\n{}", (1..=count).map(port).collect::<String>());
    assert_eq!(policy(&text(4)).watched().count(), 4 * 65535);
    assert!(problems(&text(5)).to_string().contains("claims more than 262140 numbers"));
}

#[test]
fn sizes_are_bounded() {
    let large = "#".repeat(super::super::FILE_BYTES_MAX + 1);
    let problems = compile(&[source("a.toml", &large)]).expect_err("too large");
    assert!(problems.list[0].message.contains("bytes"), "{problems}");
    assert!(problems.to_string().len() < 1000);
    let many: Vec<_> = (0..=super::super::FILES_MAX).map(|n| source(&n.to_string(), "version = 1")).collect();
    assert!(compile(&many).is_err());
}

#[test]
fn more_problems_than_can_be_shown_are_counted() {
    let text =
        format!("version = 1\n[peers]\n{}", (0..1000).map(|n| format!("a{n} = 1\n")).collect::<String>());
    let problems = problems(&text);
    let errors = problems.list.iter().filter(|problem| problem.severity == super::super::Severity::Error);
    assert_eq!((errors.count(), problems.omitted), (200, 800));
    assert!(problems.to_string().ends_with("and 800 more"));
}
