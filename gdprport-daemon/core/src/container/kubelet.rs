//! What the kubelet leaves of pods on a node, whichever runtime it uses.
//!
//! Belongs here: names of its files, which are enough where no state of a runtime can be read. Sources, of Kubernetes:
//! `pkg/kubelet/kuberuntime/helpers.go` (`BuildPodLogsDirectory`) and `legacy.go` (`logSymlink`).
//!
//! - `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log`: a pod's name and namespace by its uid, which the cgroup path has. It does
//!   not say which of the containers has which id.
//! - `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`, links into it: the container's name as well, once it has started.
//! - `/var/lib/kubelet/pods/UID/` is not read: it has the names of containers and volumes, none of the pod. The last line of
//!   `etc-hosts` is a host name, which the author of a pod may choose.
//!
//! Neither has labels, nor an image.

use super::pod;
use super::stated::{NAME_MAX, Stated, text};

/// Bytes of a file's name, beyond which the kubelet cuts it off.
const FILE_NAME_MAX: usize = 255;

/// Reads the name of a directory in `/var/log/pods`, `NAMESPACE_POD_UID`. `None` if it is none, or the pod's name is cut off.
#[must_use]
pub fn pod_logs(directory: &str) -> Option<Stated> {
    let mut parts = directory.split('_');
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = parts.next().is_none() && is_name(namespace) && is_name(name) && is_uid(uid);
    valid.then(|| pod::named(Some(name), Some(namespace), Some(uid)))
}

/// Reads the name of a file in `/var/log/containers`, `POD_NAMESPACE_CONTAINER-ID.log`, if it is that of the container `id`.
#[must_use]
pub fn container_log(file: &str, id: &str) -> Option<Stated> {
    let stem = file
        .strip_suffix(".log")?
        .strip_suffix(id)
        .filter(|_| !id.is_empty() && file.len() <= FILE_NAME_MAX)?;
    let mut parts = stem.strip_suffix('-')?.split('_');
    let (name, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = parts.next().is_none() && is_name(name) && is_name(namespace) && is_name(container);
    let pod = valid.then(|| pod::named(Some(name), Some(namespace), None))?;
    Some(Stated { name: text(container, NAME_MAX), ..pod })
}

/// A name of Kubernetes: labels of RFC 1123 with dots between. It has no underscore.
fn is_name(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= NAME_MAX
        && name.split('.').all(|label| {
            label.starts_with(is_end)
                && label.ends_with(is_end)
                && label.chars().all(|c| is_end(c) || c == '-')
        })
}

/// A UUID, or the hash that is the uid of a static pod.
fn is_uid(uid: &str) -> bool {
    let hex = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|byte| *byte == b'-').count();
    hex == 32 && matches!(dashes, 0 | 4) && hex + dashes == uid.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const ID: &str = "071453acd626a9375f162ce485e7d8eb8454593e2e6dd7b23a88bed72656cb5f";

    fn shown(stated: Option<Stated>) -> Option<(String, String, Option<String>)> {
        let stated = stated?;
        assert!(stated.labels.is_unread() && stated.image.is_none() && stated.workload.is_none());
        let name = stated.name.or(stated.pod_uid).map(|text| text.to_string());
        Some((stated.namespace?.to_string(), stated.pod_name?.to_string(), name))
    }

    #[test]
    fn a_directory_of_logs_names_its_pod() {
        let expected = Some(("shop".into(), "orders-7d9c5b8f6d-x2x4q".into(), Some(UID.into())));
        assert_eq!(shown(pod_logs(&format!("shop_orders-7d9c5b8f6d-x2x4q_{UID}"))), expected);
        let is_static = shown(pod_logs(&format!("kube-system_etcd-node.example_{}", UID.replace('-', ""))));
        assert_eq!(is_static.map(|(_, pod, _)| pod).as_deref(), Some("etcd-node.example"));
    }

    #[test]
    fn a_container_is_named_by_the_link_with_its_id() {
        let file = format!("orders-7d9c5b8f6d-x2x4q_shop_app-{ID}.log");
        let expected = Some(("shop".into(), "orders-7d9c5b8f6d-x2x4q".into(), Some("app".into())));
        assert_eq!(shown(container_log(&file, ID)), expected);
        assert_eq!(container_log(&file, &ID.replace('5', "6")), None);
        assert_eq!(container_log(&file, &ID[1..]), None);
    }

    #[test]
    fn other_file_names_name_nothing() {
        let long = "a".repeat(254);
        for name in [
            "",
            "_",
            "__",
            "shop_orders",
            "shop__UID",
            "_orders_UID",
            "shop_orders_UID_x",
            "Shop_orders_UID",
            "shop_or ders_UID",
            "shop_or/ders_UID",
            "shop_..b_UID",
            "shop_-a_UID",
            "shop_orders\u{1b}[2J_UID",
            "shop_örders_UID",
            "LONG_orders_UID",
            "shop_orders_12",
            "shop_orders_",
        ] {
            assert_eq!(pod_logs(&name.replace("UID", UID).replace("LONG", &long)), None, "{name:?}");
        }
        for name in [
            "",
            ".log",
            "-ID.log",
            "a_b_c-ID",
            "a_b-ID.log",
            "a_b_cID.log",
            "a_b_c_d-ID.log",
            "a_b_\n-ID.log",
            "a__c-ID.log",
        ] {
            assert_eq!(container_log(&name.replace("ID", ID), ID), None, "{name:?}");
        }
        assert_eq!(container_log("a_b_c-.log", ""), None);
    }
}
