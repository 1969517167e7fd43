//! Containers as people call them.
//!
//! Belongs here: the words for a container in tables and lines, and how they are cut. Its names are texts of whoever made
//! it, so that only characters stay that a runtime allows in them: nothing steers the terminal, looks like another letter,
//! takes two columns, or passes for the words around it.

use gdprport_core::ledger::ContainerIdentity;
use gdprport_core::model::{Compose, Container, Names, Naming, StatedBy};

/// Digits of an id and of a digest, as container tools show them.
const DIGITS: usize = 12;

/// In less room than this only the end can be cut off, which is left to where it is shown.
const LEAST_ROOM: usize = 16;

/// The container in at most `room` characters, if there is room for [`LEAST_ROOM`] of its name: `shop/db (postgres:16)` of Compose,
/// `shop/orders-7d9f8b6c5-x2x1q/app (Deployment orders)` in Kubernetes, `orders-db-1 (postgres:16)` otherwise, and
/// `docker 4f1d0c2b3a49 (name unknown)` without a name. `alice: ` before it if that is her word and not root's.
pub(super) fn container(container: &Container, room: usize) -> String {
    let whose = whose(container);
    let room = room.saturating_sub(whose.chars().count());
    let forms = match &container.naming {
        Naming::Known(names) => named(container, names),
        Naming::Pending => unnamed(container, "pending"),
        Naming::Unknown => unnamed(container, "unknown"),
    };
    let fits = forms.iter().find(|form| form.chars().count() <= room);
    let shown =
        fits.map_or_else(|| forms.last().map_or_else(String::new, |form| cut(form, room)), String::clone);
    whose + &shown
}

/// The same of what the ledger and the inventory keep of a container, which is no id.
pub(super) fn kept_container(container: &ContainerIdentity, room: usize) -> String {
    let whose = match container.stated_by {
        None | Some(0) => String::new(),
        Some(u32::MAX) => "anybody: ".to_owned(),
        Some(uid) => format!("uid {uid}: "),
    };
    let room = room.saturating_sub(whose.chars().count());
    let runtime = || container.runtime.as_deref().map_or_else(|| "container".to_owned(), part);
    let Some(name) = container.name.as_deref().map(part) else {
        return format!("{whose}{} (name unknown)", runtime());
    };
    let called = match &container.namespace {
        Some(namespace) => format!("{}/{name}", part(namespace)),
        None => name,
    };
    let kind = container.workload.as_deref().map(|workload| only(workload, |c| c == '/' || is_of_part(c)));
    let forms = [kind, container.image.as_deref().map(image)].into_iter().flatten();
    let mut forms = forms.map(|more| format!("{called} ({more})"));
    let shown = forms.find(|form| form.chars().count() <= room).unwrap_or_else(|| cut(&called, room));
    whose + &shown
}

/// Whose word the name is, or the id, unless it is root's.
fn whose(container: &Container) -> String {
    let stated_by = container.names().map(|names| &names.stated_by).filter(|by| by.uid != 0);
    match (stated_by, container.claimed_by.filter(|uid| *uid != 0)) {
        (Some(StatedBy { uid: u32::MAX, .. }), _) | (None, Some(u32::MAX)) => "anybody: ".to_owned(),
        (Some(StatedBy { user: Some(user), .. }), _) => format!("{}: ", cut(&part(user), 16)),
        (Some(StatedBy { uid, user: None }), _) => format!("uid {uid}: "),
        (None, Some(uid)) => format!("uid {uid}: "),
        (None, None) => String::new(),
    }
}

/// The longest form first.
fn named(container: &Container, names: &Names) -> Vec<String> {
    let image = names.image.as_deref().map(image);
    let name = names.name.as_deref().map(part);
    let pod = names.pod_name.as_deref().map(part);
    let compose = names.compose.as_ref().filter(|compose| is_of(compose, names.name.as_deref()));
    let (called, kind) = match (pod, compose, &name) {
        (Some(pod), ..) => {
            let pod = names.namespace.iter().map(|namespace| part(namespace)).chain([pod]).chain(name);
            let workload = names.workload.as_ref();
            let kind = workload.map(|workload| format!("{} {}", part(&workload.kind), part(&workload.name)));
            (pod.collect::<Vec<_>>().join("/"), kind)
        }
        (None, Some(compose), _) => {
            let service = compose.service.iter().map(|service| part(service));
            ([part(&compose.project)].into_iter().chain(service).collect::<Vec<_>>().join("/"), None)
        }
        (None, None, Some(name)) => (name.clone(), None),
        // What has no name of its own is not called as if it had the image's.
        (None, None, None) => (id(container), None),
    };
    let mut forms = Vec::with_capacity(4);
    match (&kind, &image) {
        (Some(kind), Some(image)) => forms.push(format!("{called} ({kind}, {image})")),
        (None, Some(image)) => {
            forms.push(format!("{called} ({image})"));
            if let Some((_, last)) = image.rsplit_once('/') {
                forms.push(format!("{called} (…/{last})"));
            }
        }
        (_, None) => {}
    }
    forms.extend(kind.map(|kind| format!("{called} ({kind})")));
    forms.push(called);
    forms
}

/// Whether a container has a name that Compose gives: `shop-db-1`, `shop_db_1` until version 1. The labels alone prove less: they
/// can be an image's own, and so its author's.
fn is_of(compose: &Compose, name: Option<&str>) -> bool {
    let after = |text: &str| name?.strip_prefix(text)?.strip_prefix(['-', '_']).map(str::to_owned);
    let rest = after(&compose.project);
    match (&compose.service, rest) {
        (Some(service), Some(rest)) => {
            rest.strip_prefix(&**service).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        }
        (None, rest) => rest.is_some(),
        (Some(_), None) => false,
    }
}

fn unnamed(container: &Container, name: &str) -> Vec<String> {
    let (id, short) = (id(container), short_id(container));
    vec![format!("{id} (name {name})"), id, short]
}

/// `docker 4f1d0c2b3a49`.
fn id(container: &Container) -> String {
    format!(
        "{} {}",
        container.runtime.as_deref().map_or_else(|| "container".to_owned(), part),
        short_id(container)
    )
}

fn short_id(container: &Container) -> String {
    part(container.id.get(..DIGITS).unwrap_or(&container.id))
}

/// An image's reference, its digest in short.
fn image(reference: &str) -> String {
    let text = only(reference, |c| c.is_ascii_graphic() && !matches!(c, '(' | ')' | ','));
    match text.rsplit_once("sha256:") {
        Some((before, digest)) if digest.len() > DIGITS && digest.is_ascii() => {
            format!("{before}sha256:{}…", &digest[..DIGITS])
        }
        _ => text,
    }
}

/// A name, which is not a path of names.
fn part(name: &str) -> String {
    only(name, is_of_part)
}

const fn is_of_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '$')
}

fn only(text: &str, may_stay: impl Fn(char) -> bool) -> String {
    text.chars().map(|c| if may_stay(c) { c } else { '\u{fffd}' }).collect()
}

/// The begin and the end of a text that is too long: pods of one workload differ in the end.
fn cut(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room || room < LEAST_ROOM {
        return text.to_owned();
    }
    let end = (room - 1) / 3;
    let begin: String = text.chars().take(room - 1 - end).collect();
    begin + "…" + &text.chars().skip(count - end).collect::<String>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use gdprport_core::event::samples::containers;

    /// Changes the names of a sample.
    fn renamed(mut container: Container, change: impl FnOnce(&mut Names)) -> Container {
        let Naming::Known(names) = &mut container.naming else { panic!("the sample is named") };
        change(Arc::make_mut(names));
        container
    }

    #[test]
    fn a_container_is_called_as_its_tools_call_it() {
        for (sample, called) in [
            (
                containers::pod(),
                "shop/orders-7d9f8b6c5-x2x1q/app (Deployment orders, registry.example/shop/orders:1.4)",
            ),
            (containers::compose(), "shop/db (postgres:16)"),
            (renamed(containers::compose(), |names| names.compose = None), "shop-db-1 (postgres:16)"),
            (containers::rootless(), "alice: shop/db (postgres:16)"),
            (containers::pending(), "docker 4f1f4f1f4f1f (name pending)"),
            (containers::unknown(), "containerd 4f204f204f20 (name unknown)"),
        ] {
            assert_eq!(container(&sample, 100), called);
        }
    }

    #[test]
    fn in_less_room_what_names_it_stays() {
        let pod = containers::pod();
        for (room, called) in [
            (60, "shop/orders-7d9f8b6c5-x2x1q/app (Deployment orders)"),
            (40, "shop/orders-7d9f8b6c5-x2x1q/app"),
            (25, "shop/orders-7d9f…2x1q/app"),
            (8, "shop/orders-7d9f8b6c5-x2x1q/app"),
        ] {
            assert_eq!(container(&pod, room), called);
        }
        let long = renamed(containers::compose(), |names| {
            names.image = Some("registry.example/shop/db:1.4".into());
        });
        assert_eq!(container(&long, 40), "shop/db (registry.example/shop/db:1.4)");
        assert_eq!(
            container(&long, 30),
            "shop/db (…/db:1.4)",
            "it does not seem to be an image without a registry"
        );
        assert_eq!(container(&long, 12), "shop/db");
        assert_eq!(container(&containers::pending(), 30), "docker 4f1f4f1f4f1f");
    }

    #[test]
    fn labels_of_an_image_do_not_rename_its_containers() {
        let compose = |name: &str| renamed(containers::compose(), |names| names.name = Some(name.into()));
        for name in ["shop-db-1", "shop_db_1", "shop-db", "shop-db-run-4f1d"] {
            assert_eq!(container(&compose(name), 60), "shop/db (postgres:16)", "{name}");
        }
        for name in ["debug", "shop-dbx-1", "shopdb-1", "xshop-db-1", "shop-"] {
            assert_eq!(container(&compose(name), 60), format!("{name} (postgres:16)"));
        }
    }

    /// A user's own containers can have any name: whose it is stands first, where it is not cut off.
    #[test]
    fn a_name_by_another_than_root_says_so_first() {
        let by = |uid, user: Option<&str>| {
            let user = user.map(Into::into);
            renamed(containers::rootless(), |names| names.stated_by = StatedBy { uid, user })
        };
        assert_eq!(container(&by(1000, Some("alice")), 15), "alice: shop/db");
        assert_eq!(container(&by(1000, None), 15), "uid 1000: shop/db");
        assert_eq!(container(&by(u32::MAX, None), 15), "anybody: shop/db");
        // In a cgroup that a user made, the state of root's runtime says nothing of who runs there.
        assert_eq!(container(&by(0, Some("root")), 31), "uid 1000: shop/db (postgres:16)");
        let claimed = |uid| Container { claimed_by: Some(uid), ..containers::unknown() };
        assert_eq!(container(&claimed(1000), 33), "uid 1000: containerd 4f204f204f20");
        assert_eq!(container(&claimed(u32::MAX), 33), "anybody: containerd 4f204f204f20");
    }

    #[test]
    fn a_digest_is_shown_in_short() {
        let digest = "0123456789abcdef".repeat(4);
        let image = renamed(containers::compose(), |names| {
            names.image = Some(format!("postgres@sha256:{digest}").into());
        });
        assert_eq!(container(&image, 60), "shop/db (postgres@sha256:0123456789ab…)");
    }

    #[test]
    fn a_name_cannot_pass_for_the_words_around_it() {
        let shown = |name: &str| {
            let named = renamed(containers::rootless(), |names| {
                names.compose = None;
                names.name = Some(name.into());
                names.image = Some("x) root: (y".into());
            });
            container(&named, 100)
        };
        assert_eq!(shown("shop/db (postgres:16)"), "alice: shop�db��postgres�16� (x��root:��y)");
        assert_eq!(shown("\u{1b}[2Jоrders\u{202e}漢"), "alice: ��2J�rders�� (x��root:��y)");
    }

    proptest! {
        #[test]
        fn any_names_take_one_column_a_character(
            texts in prop::collection::vec(prop::option::of(any::<String>()), 8),
            uid in any::<u32>(),
            room in 0..80_usize,
        ) {
            let text = |at: usize| texts[at].as_deref().map(Arc::from);
            let sample = Container { id: text(0).unwrap_or_default(), runtime: text(1), ..containers::pod() };
            let sample = renamed(sample, |names| {
                (names.name, names.image, names.namespace, names.pod_name) = (text(2), text(3), text(4), text(5));
                let project = text(6).or(text(2)).unwrap_or_default();
                names.compose = Some(Compose { project, service: text(7) }).filter(|_| room % 2 == 0);
                names.stated_by = StatedBy { uid, user: text(7) };
            });
            let shown = container(&sample, room);
            prop_assert!(shown.chars().all(|c| matches!(c, ' '..='~' | '\u{fffd}' | '…')), "{:?}", shown);
            let count = shown.chars().count();
            prop_assert!(count <= room || room < LEAST_ROOM + 18, "{} in {}: {:?}", count, room, shown);
        }
    }
}
