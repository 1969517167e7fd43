//! How typical mistakes in the keys about containers look.

use insta::assert_snapshot;

use super::*;

/// The problems of one rule with this `process`, errors and warnings.
fn found(process: &str) -> String {
    let text = format!(
        "version = 1\n[controller]\nname = \"Example\"\ncontact = \"x@example.org\"\n[[port]]\nname = \"db\"\n\
         port = 5432\nlisten = \"any\"\ntls = {{ min = \"1.3\" }}\n[port.record]\npurpose = \"p\"\nsubjects = \"s\"\n\
         data = \"d\"\nrecipients = []\ntransfers = []\nretention = \"r\"\nmeasures = []\n[[port.allow]]\n\
         role = \"r\"\ndirection = \"in\"\npeers = \"any\"\n[port.allow.process]\n{process}\n"
    );
    match compile(&[source("policy.toml", &text)]) {
        Ok(policy) => policy.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_digest_is_whole() {
    assert_snapshot!(found("image = [\"orders:1.4@sha256:xyz\", \"sha256:12ab\", \"orders@sha256:*\"]"), @r#"
    policy.toml:23:10: error: `sha256:xyz` is no digest
     23 | image = ["orders:1.4@sha256:xyz", "sha256:12ab", "orders@sha256:*"]
        |          ^^^^^^^^^^^^^^^^^^^^^^^
        = help: a digest is compared exactly: write `sha256:` and all its 64 digits, without wildcards

    policy.toml:23:35: error: `sha256:12ab` is no digest
     23 | image = ["orders:1.4@sha256:xyz", "sha256:12ab", "orders@sha256:*"]
        |                                   ^^^^^^^^^^^^^
        = help: a digest is compared exactly: write `sha256:` and all its 64 digits, without wildcards

    policy.toml:23:50: error: `sha256:*` is no digest
     23 | image = ["orders:1.4@sha256:xyz", "sha256:12ab", "orders@sha256:*"]
        |                                                  ^^^^^^^^^^^^^^^^^
        = help: a digest is compared exactly: write `sha256:` and all its 64 digits, without wildcards
    "#);
}

#[test]
fn labels_are_a_table() {
    assert_snapshot!(found("label = \"app=orders\""), @r#"
    policy.toml:23:9: error: expected a table of labels, found the text `app=orders`
     23 | label = "app=orders"
        |         ^^^^^^^^^^^^
        = help: write `label = { app = "orders" }`
    "#);
}

#[test]
fn a_list_of_labels_is_written_as_a_table() {
    assert_snapshot!(found("label = [\"app=orders\", \"app.kubernetes.io/name=db\"]"), @r#"
    policy.toml:23:9: error: expected a table of labels, found a list
     23 | label = ["app=orders", "app.kubernetes.io/name=db"]
        |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: write `label = { app = "orders", "app.kubernetes.io/name" = "db" }`
    "#);
}

#[test]
fn a_key_with_dots_is_put_in_quotes() {
    assert_snapshot!(found("label = { app.kubernetes.io = \"x\" }\nunit = \"a.service\""), @r#"
    policy.toml:23:11: error: the label `app` is a table
     23 | label = { app.kubernetes.io = "x" }
        |           ^^^
        = help: put a key with dots in quotes: `"app.kubernetes.io" = …`
    "#);
}

#[test]
fn labels_have_values_that_are_texts() {
    assert_snapshot!(found("label = { app = 5, tier = [], \"\" = \"x\" }"), @r#"
    policy.toml:23:17: error: expected a text, found the number `5`
     23 | label = { app = 5, tier = [], "" = "x" }
        |                 ^
        = help: write it in quotes

    policy.toml:23:27: error: the list is empty
     23 | label = { app = 5, tier = [], "" = "x" }
        |                           ^^
        = help: name at least one, or leave the key out where it is optional

    policy.toml:23:31: error: `` is no key of a label
     23 | label = { app = 5, tier = [], "" = "x" }
        |                               ^^
        = help: a label's key has 1 to 317 bytes
    "#);
}

#[test]
fn an_empty_table_of_labels_is_refused() {
    assert_snapshot!(found("label = {}"), @r#"
    policy.toml:23:9: error: the table of labels is empty
     23 | label = {}
        |         ^^
        = help: write `label = { app = "orders" }`
    "#);
}

#[test]
fn stated_by_alone_asks_for_nothing() {
    assert_snapshot!(found("stated_by = \"alice\"\nunit = \"a.service\""), @r#"
    policy.toml:23:13: error: `stated_by` says whose word about a container counts, and nothing is asked of one
     23 | stated_by = "alice"
        |             ^^^^^^^
        = help: add `container`, `image`, `label`, `pod`, `namespace` or `workload`, or remove it
    "#);
}

#[test]
fn a_mistyped_key_about_containers_is_corrected() {
    assert_snapshot!(found("images = \"orders\"\nlabels = { app = \"x\" }\nname_space = \"shop\""), @r#"
    policy.toml:23:1: error: `process` has no key `images`
     23 | images = "orders"
        | ^^^^^^
        = help: did you mean `image`?

    policy.toml:24:1: error: `process` has no key `labels`
     24 | labels = { app = "x" }
        | ^^^^^^
        = help: did you mean `label`?

    policy.toml:25:1: error: `process` has no key `name_space`
     25 | name_space = "shop"
        | ^^^^^^^^^^
        = help: did you mean `namespace`?
    "#);
}

#[test]
fn an_image_that_there_is_not_is_warned_of() {
    assert_snapshot!(found("image = [\"https://registry.example/shop/orders\", \"docker://orders:1\", \"Shop/Orders:A\", \"shop/ orders\", \"registry.example/\", \"orders:1:2\", \"*\"]"), @r#"
    policy.toml:23:10: warning: `https://registry.example/shop/orders` can match nothing: an image has no `https://`
     23 | image = ["https://registry.example/shop/orders", "docker://orders:1", "Shop/Orders:A", "shop/ orders", "regist
        |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: write "registry.example/shop/orders"
    policy.toml:23:50: warning: `docker://orders:1` can match nothing: an image has no `docker://`
     23 | image = ["https://registry.example/shop/orders", "docker://orders:1", "Shop/Orders:A", "shop/ orders", "regist
        |                                                  ^^^^^^^^^^^^^^^^^^^
        = help: write "orders:1"
    policy.toml:23:71: warning: `Shop/Orders:A` can match nothing: the path of an image is written in lower case
     23 | rs", "docker://orders:1", "Shop/Orders:A", "shop/ orders", "registry.example/", "orders:1:2", "*"]
        |                           ^^^^^^^^^^^^^^^
        = help: write "shop/orders:A"
    policy.toml:23:88: warning: `shop/ orders` can match nothing: an image has no blanks
     23 | ders:1", "Shop/Orders:A", "shop/ orders", "registry.example/", "orders:1:2", "*"]
        |                           ^^^^^^^^^^^^^^
        = help: write "shop/orders"
    policy.toml:23:104: warning: `registry.example/` can match nothing: the image's path has an empty part
     23 | rders:A", "shop/ orders", "registry.example/", "orders:1:2", "*"]
        |                           ^^^^^^^^^^^^^^^^^^^
        = help: write it as "shop/orders", with a registry before it or a tag behind it if they matter
    policy.toml:23:125: warning: `orders:1:2` can match nothing: a tag is not empty and has no colon
     23 | rs", "registry.example/", "orders:1:2", "*"]
        |                           ^^^^^^^^^^^^
        = help: write the tag behind one colon, such as "orders:1.4", or leave it out
    policy.toml:23:139: warning: `*` matches images whose path has one part, such as `postgres`, and not `shop/orders`
     23 | .example/", "orders:1:2", "*"]
        |                           ^^^
        = help: write "**" for any image
    "#);
}

#[test]
fn names_of_kubernetes_have_no_slash() {
    assert_snapshot!(found("namespace = \"shop/orders\"\npod = [\"shop/orders-1\", \"Orders-1\"]\ncontainer = [\"orders-1/app\", \"/web-1\", \"docker://3f1c\", \"3f1c99aa12bc\"]"), @r#"
    policy.toml:23:13: warning: `shop/orders` can match nothing: the name of a namespace has no slash
     23 | namespace = "shop/orders"
        |             ^^^^^^^^^^^^^
        = help: write `namespace = "shop"` and `pod = "orders"`
    policy.toml:24:8: warning: `shop/orders-1` can match nothing: a pod's name has no slash
     24 | pod = ["shop/orders-1", "Orders-1"]
        |        ^^^^^^^^^^^^^^^
        = help: write `pod = "orders-1"` and `namespace = "shop"`
    policy.toml:24:25: warning: `Orders-1` can match nothing: names of Kubernetes are written in lower case
     24 | pod = ["shop/orders-1", "Orders-1"]
        |                         ^^^^^^^^^^
        = help: write "orders-1"
    policy.toml:25:14: warning: `orders-1/app` can match nothing: neither the name nor the id of a container has a slash
     25 | container = ["orders-1/app", "/web-1", "docker://3f1c", "3f1c99aa12bc"]
        |              ^^^^^^^^^^^^^^
        = help: write `container = "app"` and `pod = "orders-1"`
    policy.toml:25:30: warning: `/web-1` can match nothing: neither the name nor the id of a container has a slash
     25 | container = ["orders-1/app", "/web-1", "docker://3f1c", "3f1c99aa12bc"]
        |                              ^^^^^^^^
        = help: write "web-1"
    policy.toml:25:40: warning: `docker://3f1c` can match nothing: neither the name nor the id of a container has a slash
     25 | container = ["orders-1/app", "/web-1", "docker://3f1c", "3f1c99aa12bc"]
        |                                        ^^^^^^^^^^^^^^^
        = help: write "3f1c"
    policy.toml:25:57: warning: `3f1c99aa12bc` can match nothing: it is the beginning of an id, which has 64 digits
     25 | /web-1", "docker://3f1c", "3f1c99aa12bc"]
        |                           ^^^^^^^^^^^^^^
        = help: write "3f1c99aa12bc*"
    "#);
}

#[test]
fn a_workload_has_a_kind_that_there_is() {
    assert_snapshot!(found("workload = [\"deploy/orders\", \"statefulsets/db\", \"CloneSet/web\", \"shop/Deployment/orders\", \"Deployment/orders\", \"*/web\"]"), @r#"
    policy.toml:23:13: warning: `deploy/orders` can match nothing: a kind is one of Deployment, StatefulSet, DaemonSet, Job, Rollout
     23 | workload = ["deploy/orders", "statefulsets/db", "CloneSet/web", "shop/Deployment/orders", "Deployment/orders",
        |             ^^^^^^^^^^^^^^^
        = help: write "Deployment/orders"
    policy.toml:23:30: warning: `statefulsets/db` can match nothing: a kind is one of Deployment, StatefulSet, DaemonSet, Job, Rollout
     23 | workload = ["deploy/orders", "statefulsets/db", "CloneSet/web", "shop/Deployment/orders", "Deployment/orders",
        |                              ^^^^^^^^^^^^^^^^^
        = help: write "StatefulSet/db"
    policy.toml:23:49: warning: `CloneSet/web` can match nothing: a kind is one of Deployment, StatefulSet, DaemonSet, Job, Rollout
     23 | workload = ["deploy/orders", "statefulsets/db", "CloneSet/web", "shop/Deployment/orders", "Deployment/orders",
        |                                                 ^^^^^^^^^^^^^^
        = help: leave the kind out: "web"
    policy.toml:23:65: warning: `shop/Deployment/orders` can match nothing: a workload is written as its kind, a slash and its name
     23 | sets/db", "CloneSet/web", "shop/Deployment/orders", "Deployment/orders", "*/web"]
        |                           ^^^^^^^^^^^^^^^^^^^^^^^^
        = help: write `namespace` as a key of its own, and "Deployment/orders"
    "#);
}

#[test]
fn a_bad_pattern_in_one_part_of_an_image_is_refused() {
    assert_snapshot!(found("image = [\"orders:[1\", \"{a.example/x,b}\"]"), @r#"
    policy.toml:23:10: error: `orders:[1` is no pattern: unclosed character class; missing ']'
     23 | image = ["orders:[1", "{a.example/x,b}"]
        |          ^^^^^^^^^^^
        = help: registry, path and tag are a pattern each: close `{…}` and `[…]` within one

    policy.toml:23:23: error: `{a.example/x,b}` is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
     23 | image = ["orders:[1", "{a.example/x,b}"]
        |                       ^^^^^^^^^^^^^^^^^
        = help: registry, path and tag are a pattern each: close `{…}` and `[…]` within one
    "#);
}
