//! Containers at random, and a naive reading of the keys that ask about them.
//!
//! What a pattern of an image means is written out here as a function for each, so that it shares nothing with the product.

use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::generated::{CONTAINER, PATTERNS, Rule, STATED_BY};
use super::reference::wild;
use super::*;
use crate::model::{Names, StatedBy, Workload};

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const ORDERS_B: &str = "orders@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const SHOP_B: &str = "registry.example/shop/orders:1.4@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Registry, path and tag of a reference.
type Parts = (&'static str, &'static str, Option<&'static str>);
/// What a pattern asks of them; `None`: nothing.
type Asks = Option<fn(Parts) -> bool>;

pub(super) const IMAGE_TEXTS: [&str; 17] = [
    "orders",
    "shop/orders",
    "registry.example/shop/orders",
    "shop/orders:1.*",
    "**",
    "*",
    "docker.io/library/postgres",
    "library/postgres",
    "postgres:16",
    A,
    ORDERS_B,
    "registry.example/**",
    "localhost/*",
    "**/orders:latest",
    "*.example/*/orders",
    "library/*",
    "index.docker.io/postgres:1?",
];

/// What they ask, and the digest.
const IMAGE_PATTERNS: [(Asks, Option<&str>); 17] = [
    (Some(|(_, path, _)| path == "orders"), None),
    (Some(|(_, path, _)| path == "shop/orders"), None),
    (Some(|(registry, path, _)| registry == "registry.example" && path == "shop/orders"), None),
    (Some(|(_, path, tag)| path == "shop/orders" && tag.is_some_and(|tag| tag.starts_with("1."))), None),
    (Some(|_| true), None),
    (Some(|(_, path, _)| !path.contains('/')), None),
    (Some(|(registry, path, _)| registry == "docker.io" && path == "postgres"), None),
    (
        Some(|(registry, path, _)| {
            path == "library/postgres" || registry == "docker.io" && path == "postgres"
        }),
        None,
    ),
    (Some(|(_, path, tag)| path == "postgres" && tag == Some("16")), None),
    (None, Some(A)),
    (Some(|(_, path, _)| path == "orders"), Some(B)),
    (Some(|(registry, _, _)| registry == "registry.example"), None),
    (Some(|(registry, path, _)| registry == "localhost" && !path.contains('/')), None),
    (Some(|(_, path, tag)| (path == "orders" || path.ends_with("/orders")) && tag == Some("latest")), None),
    (
        Some(|(registry, path, _)| {
            registry.ends_with(".example") && path.ends_with("/orders") && path.matches('/').count() == 1
        }),
        None,
    ),
    (
        Some(|(registry, path, _)| match path.strip_prefix("library/") {
            Some(rest) => !rest.contains('/'),
            None => registry == "docker.io" && !path.contains('/'),
        }),
        None,
    ),
    (
        Some(|(registry, path, tag)| {
            registry == "docker.io" && path == "postgres" && tag.is_some_and(|tag| tag == "16" || tag == "17")
        }),
        None,
    ),
];

/// Images, what their references name (`Err(true)`: a digest alone, `Err(false)`: nothing that is a reference), and the digest
/// in them.
const IMAGES: [(&str, Result<Parts, bool>, Option<&str>); 15] = [
    ("orders", Ok(("docker.io", "orders", Some("latest"))), None),
    ("orders:1.4", Ok(("docker.io", "orders", Some("1.4"))), None),
    ("evil/orders", Ok(("docker.io", "evil/orders", Some("latest"))), None),
    ("orders-evil", Ok(("docker.io", "orders-evil", Some("latest"))), None),
    ("registry.example/shop/orders:1.4", Ok(("registry.example", "shop/orders", Some("1.4"))), None),
    ("registry.example:5000/shop/orders:2", Ok(("registry.example:5000", "shop/orders", Some("2"))), None),
    (SHOP_B, Ok(("registry.example", "shop/orders", Some("1.4"))), Some(B)),
    (ORDERS_B, Ok(("docker.io", "orders", None)), Some(B)),
    ("postgres:16", Ok(("docker.io", "postgres", Some("16"))), None),
    ("docker.io/library/postgres:17", Ok(("docker.io", "postgres", Some("17"))), None),
    ("registry.example/library/postgres", Ok(("registry.example", "library/postgres", Some("latest"))), None),
    ("localhost/orders", Ok(("localhost", "orders", Some("latest"))), None),
    ("Orders evil", Err(false), None),
    (A, Err(true), Some(A)),
    ("a.example/b/c/orders", Ok(("a.example", "b/c/orders", Some("latest"))), None),
];

pub(super) fn held() -> impl Strategy<Value = Container> {
    let ids = select(vec![
        ("3f1c", None),
        ("9999", Some("pod-1")),
        ("8888", None),
        ("abcdefabcdef01", Some("feedfacefeed02")),
    ]);
    let known = names().prop_map(|names| Naming::Known(names.into()));
    let naming = prop_oneof![1 => Just(Naming::Pending), 1 => Just(Naming::Unknown), 6 => known];
    let claimed = prop_oneof![6 => Just(None), 1 => Just(Some(1000)), 1 => Just(Some(1001))];
    (ids, claimed, naming).prop_map(|((id, pod), claimed_by, naming)| Container {
        claimed_by,
        naming,
        ..container(id, pod)
    })
}

type Texts = BTreeMap<std::sync::Arc<str>, std::sync::Arc<str>>;

fn label(label: Option<(&str, &str)>) -> Texts {
    label.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn names() -> impl Strategy<Value = Names> {
    let text = |often: f64, values: &[&'static str]| {
        option::weighted(often, select(values.to_vec())).prop_map(|text| text.map(std::sync::Arc::from))
    };
    let image = option::weighted(0.9, select(IMAGES.to_vec()));
    let labels =
        option::weighted(0.8, select(vec![("app", "orders"), ("app", "other"), ("rev", "3f1c99aa12bc")]));
    let labels = (
        labels,
        option::of(Just(("tier", "db"))),
        prop_oneof![4 => Just(0), 1 => Just(3), 1 => Just(u32::MAX)],
    );
    let workload = option::of(select(vec![("Deployment", "orders"), ("Job", "other")]));
    let by = select(vec![
        (0, None),
        (0, Some("root")),
        (0, None),
        (1000, Some("alice")),
        (1000, None),
        (u32::MAX, None),
    ]);
    (
        text(0.9, &["orders-1", "abcdefabcdef", "3f1c"]),
        image,
        (text(0.5, &[A, B]), text(0.5, &[A, B])),
        labels,
        (text(0.5, &["shop", "crm"]), text(0.5, &["orders-7f-x", "feedfacefeed"]), workload),
        by,
    )
        .prop_map(|(name, image, (image_digest, image_id), (first, second, labels_omitted), pod, by)| {
            Names {
                name,
                image: image.map(|(text, ..)| text.into()),
                image_digest,
                image_id,
                // Those that events do not show are counted, and known to rules.
                labels_omitted: labels_omitted.saturating_add(u32::from(second.is_some())),
                labels: label(first),
                labels_unshown: label(second),
                compose: None,
                namespace: pod.0,
                pod_name: pod.1,
                workload: pod.2.map(|(kind, name)| Workload { kind: kind.into(), name: name.into() }),
                stated_by: StatedBy { uid: by.0, user: by.1.map(Into::into) },
                writes_state: false,
            }
        })
}

/// The labels of a rule as they are written, by key.
fn wanted(chosen: &[usize]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut wanted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for text in chosen.iter().map(|index| PATTERNS[6][*index]) {
        let (key, value) = text.split_once('=').expect("a key and a value");
        wanted.entry(key).or_default().push(value);
    }
    wanted
}

pub(super) fn written(chosen: &[usize]) -> String {
    let labels =
        wanted(chosen).into_iter().map(|(key, values)| format!("{key} = [\"{}\"]", values.join("\", \"")));
    format!("label = {{ {} }}", labels.collect::<Vec<_>>().join(", "))
}

fn all(fits: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let fits: Vec<_> = fits.into_iter().collect();
    if fits.contains(&Some(false)) {
        Some(false)
    } else {
        fits.into_iter().all(|fit| fit.is_some()).then_some(true)
    }
}

fn any(fits: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(fits.into_iter().map(|fit| fit.map(|fit| !fit))).map(|none| !none)
}

/// Texts that can only be ids, of those that the generators use.
const IDS: [&str; 2] = ["abcdefabcdef*", "feedfacefeed*"];

/// Whether a key that asks about a container matches.
pub(super) fn naive_key(key: usize, rule: &Rule, process: &Process) -> Option<bool> {
    let patterns: Vec<&str> = rule.keys[key].iter().map(|index| PATTERNS[key][*index]).collect();
    let Some(container) = &process.container else {
        let absent = process.cgroup.is_some() && !process.container_unproven;
        return if key == STATED_BY { Some(true) } else { absent.then_some(false) };
    };
    let names = container.names();
    if key == STATED_BY {
        return word(rule, container, process);
    }
    let matches = |value: &str| patterns.iter().any(|pattern| wild(pattern.as_bytes(), value.as_bytes()));
    if by_id(key, rule, container) {
        return Some(true);
    }
    if (key == 4 || key == 7) && patterns.iter().all(|pattern| IDS.contains(pattern)) {
        return Some(false);
    }
    let called = |name: &Option<std::sync::Arc<str>>| {
        let name = name.as_deref()?;
        let mut names = patterns.iter().filter(|pattern| !IDS.contains(pattern));
        Some(names.any(|pattern| wild(pattern.as_bytes(), name.as_bytes())))
    };
    let names = names?;
    let in_pod = container.pod.is_some() || names.namespace.is_some() || names.pod_name.is_some();
    let hidden = names.labels_omitted as usize - names.labels_unshown.len();
    match key {
        4 => called(&names.name),
        5 => any(rule.keys[5].iter().map(|index| naive_image(*index, names))),
        6 => all(wanted(&rule.keys[6]).into_iter().map(|(key, values)| {
            match names.labels.get(key).or(names.labels_unshown.get(key)) {
                Some(value) => Some(values.iter().any(|pattern| wild(pattern.as_bytes(), value.as_bytes()))),
                None => (hidden == 0).then_some(false),
            }
        })),
        _ if !in_pod => Some(false),
        7 => called(&names.pod_name),
        8 => names.namespace.as_deref().map(matches),
        _ => match &names.workload {
            None => (hidden < 1000).then_some(false),
            Some(workload) => {
                let whole = format!("{}/{}", workload.kind, workload.name);
                Some(patterns.iter().any(|pattern| {
                    let value = if pattern.contains('/') { &whole } else { &*workload.name };
                    wild(pattern.as_bytes(), value.as_bytes())
                }))
            }
        },
    }
}

fn by_id(key: usize, rule: &Rule, container: &Container) -> bool {
    let id = (key == 4).then_some(&*container.id);
    let pod = (key == 4 || key == 7).then_some(container.pod.as_deref()).flatten();
    rule.keys[key].iter().any(|index| {
        let matches = |value: &str| wild(PATTERNS[key][*index].as_bytes(), value.as_bytes());
        id.is_some_and(matches) || pod.is_some_and(matches)
    })
}

fn naive_image(index: usize, names: &Names) -> Option<bool> {
    let (asks, digest) = IMAGE_PATTERNS[index];
    let image = names.image.as_deref();
    let image = image.map(|text| IMAGES.iter().find(|(known, ..)| *known == text).expect("a known image"));
    let named = asks.map_or(Some(true), |asks| match image {
        None | Some((_, Err(true), _)) => None,
        Some((_, Err(false), _)) => Some(false),
        Some((_, Ok(parts), _)) => Some(asks(*parts)),
    });
    let exact = digest.map_or(Some(true), |wanted| {
        let in_reference = image.and_then(|(.., digest)| *digest);
        let manifests = [names.image_digest.as_deref(), in_reference];
        if manifests.contains(&Some(wanted)) || names.image_id.as_deref() == Some(wanted) {
            return Some(true);
        }
        let all_known = manifests.iter().any(Option::is_some) && names.image_id.is_some();
        all_known.then_some(false)
    });
    all([named, exact])
}

/// Whether the rule takes the word of those who made and named the container.
fn word(rule: &Rule, container: &Container, process: &Process) -> Option<bool> {
    let patterns = || rule.keys[STATED_BY].iter().map(|index| PATTERNS[STATED_BY][*index]);
    let takes = |uid: u32, name: Option<Option<&str>>| {
        any(patterns().map(|pattern| match (pattern.parse::<u32>(), name) {
            (Ok(number), _) => Some(number == uid),
            (Err(_), None) => None,
            (Err(_), Some(None)) => Some(wild(pattern.as_bytes(), uid.to_string().as_bytes())),
            (Err(_), Some(Some(name))) => Some(wild(pattern.as_bytes(), name.as_bytes())),
        }))
    };
    let names = container.names();
    let made = container.claimed_by.map_or(Some(true), |uid| {
        let by_state =
            names.filter(|names| names.stated_by.uid == uid).map(|names| names.stated_by.user.as_deref());
        let by_itself = || process.user.as_deref().filter(|_| process.uid == uid).map(Some);
        takes(uid, by_state.or_else(by_itself))
    });
    let by_name = CONTAINER.into_iter().any(|key| {
        let names = rule.keys[key].iter().any(|index| !IDS.contains(&PATTERNS[key][*index]));
        names && !by_id(key, rule, container)
    });
    let stated = match names.filter(|names| by_name && names.stated_by.uid != 0) {
        Some(names) => takes(names.stated_by.uid, Some(names.stated_by.user.as_deref())),
        None => Some(true),
    };
    all([made, stated])
}
