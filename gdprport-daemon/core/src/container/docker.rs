//! Docker's state: what dockerd knows of a container, of its images, and where it keeps both.
//!
//! Belongs here: `containers/ID/config.v2.json`, `image/DRIVER/repositories.json` and `/etc/docker/daemon.json`. Source: moby's
//! `container/container.go`, `volume/mounts/mounts.go` and `reference/store.go`, as of 20.10 to 29.

use std::sync::Arc;

use super::json::Json;
use super::pod;
use super::stated::{IMAGE_MAX, NAME_MAX, Stated, digest, text};
use super::{ImageRef, Unreadable};

/// Drivers that keep an image under the digest of its configuration. Another one is a snapshotter of containerd, where an
/// image is kept under the digest of its manifest, or of the index of its manifests.
const GRAPH_DRIVERS: [&str; 9] =
    ["overlay2", "overlay", "aufs", "btrfs", "zfs", "vfs", "devicemapper", "fuse-overlayfs", "windowsfilter"];

/// What `config.v2.json` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerContainer {
    /// What it says of the container.
    pub stated: Stated,
    /// The storage driver, in whose directory below `image/` is the list for [`image_digest`]; a single file name. `None` if
    /// the image is not kept there.
    pub driver: Option<Arc<str>>,
}

/// Reads `containers/ID/config.v2.json` of the container `id`.
///
/// # Errors
/// It is no JSON, or of another container.
pub fn container(bytes: &[u8], id: &str) -> Result<DockerContainer, Unreadable> {
    let wanted = ["ID", "Name", "Driver", "Image", "ImageManifest", "Config", "MountPoints"];
    let config = Json::read(bytes, &wanted)?;
    if config.get("ID").text() != Some(id) {
        return Err(Unreadable::OtherContainer);
    }
    let name = config.get("Name").text().unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let labels = config.get("Config").get("Labels");
    let mut stated = match KubernetesName::parse(name) {
        Some(kubernetes) => kubernetes.stated(labels),
        None => Stated { name: text(name, NAME_MAX), labels: labels.labels(|_| true), ..Stated::default() },
    };
    stated.image = config.get("Config").get("Image").text().and_then(|image| text(image, IMAGE_MAX));
    for (_, mount) in config.get("MountPoints").fields() {
        let source = mount.get("Source").text().unwrap_or_default();
        if mount.get("RW").flag() == Some(false) {
            stated.mounts_read_only(source);
        } else {
            stated.mounts(source);
        }
    }
    let driver = config.get("Driver").text().filter(|driver| GRAPH_DRIVERS.contains(driver));
    let image = config.get("Image").text().and_then(digest);
    let in_containerd = config.get("ImageManifest").get("digest").text().is_some();
    match driver {
        Some(_) if !in_containerd => stated.image_id = image,
        // The digest by which a registry knows it, also if that is an index for several platforms.
        _ if in_containerd => stated.image_digest = image,
        _ => {}
    }
    Ok(DockerContainer { stated, driver: driver.filter(|_| !in_containerd).map(Arc::from) })
}

/// The name that the kubelet's shim gives to a container of a pod: `k8s_NAME_POD_NAMESPACE_UID_ATTEMPT`. An image can set labels,
/// but no name, so that only this says that a container is in a pod.
struct KubernetesName<'a> {
    /// `POD` for the sandbox.
    name: &'a str,
    pod: &'a str,
    namespace: &'a str,
    uid: &'a str,
}

impl<'a> KubernetesName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let mut parts = name.split('_');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (prefix, name, pod, namespace, uid, attempt) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let is_one =
            prefix == "k8s" && parts.next().is_none() && attempt.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then_some(Self { name, pod, namespace, uid })
    }

    /// What is said of its pod and its place there.
    fn stated(&self, labels: &Json<'_>) -> Stated {
        let pod = pod::named(Some(self.pod), Some(self.namespace), Some(self.uid));
        if self.name == "POD" {
            // The shim has its own beside the pod's, and the annotations with a prefix.
            let is_own = |key: &str| !key.starts_with("io.kubernetes.") && !key.starts_with("annotation.");
            return Stated { labels: labels.labels(is_own), ..pod::labelled(pod, labels) };
        }
        // Its labels are the pod's, which the sandbox's state has.
        let sandbox = labels.get("io.kubernetes.sandbox.id").text().filter(|id| is_id(id));
        Stated { name: text(self.name, NAME_MAX), sandbox: sandbox.map(Arc::from), ..pod }
    }
}

/// True for a container's id, which is a single file name.
fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digest of the manifest with which the image of this id came from its registry, by `image/DRIVER/repositories.json`; `image` is
/// the reference by which it was asked for. `None` if it came from none, or with more than one.
///
/// # Errors
/// It is no JSON.
pub fn image_digest(
    repositories: &[u8],
    image: Option<&str>,
    image_id: &str,
) -> Result<Option<Arc<str>>, Unreadable> {
    let list = Json::read(repositories, &["Repositories"])?;
    let asked = image.and_then(ImageRef::parse);
    let (mut in_asked, mut anywhere) = (Vec::new(), Vec::new());
    for (_, references) in list.get("Repositories").fields() {
        for (reference, id) in references.fields() {
            let found = ImageRef::parse(reference).filter(|_| id.text() == Some(image_id));
            let Some((found, of)) = found.and_then(|found| Some((found, digest(found.digest?)?))) else {
                continue;
            };
            let is_asked = asked.is_some_and(|asked| {
                (asked.registry_or_default(), asked.repository)
                    == (found.registry_or_default(), found.repository)
            });
            if asked.and_then(|asked| asked.digest) == found.digest && is_asked {
                return Ok(Some(of));
            }
            if is_asked { in_asked.push(of) } else { anywhere.push(of) }
        }
    }
    let mut found = if in_asked.is_empty() { anywhere } else { in_asked };
    found.sort_unstable();
    found.dedup();
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// The directory in which dockerd keeps its state, by `daemon.json`: an absolute path. `None` if it has the one by default.
///
/// # Errors
/// It is no JSON.
pub fn data_root(daemon: &[u8]) -> Result<Option<String>, Unreadable> {
    let daemon = Json::read(daemon, &["data-root", "graph"])?;
    // `graph` until 17.05.
    let root = daemon.get("data-root").text().or_else(|| daemon.get("graph").text());
    Ok(root.filter(|root| root.starts_with('/') && !root.contains('\0')).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Docker 20.10.24 of Debian 12.
    const CONFIG: &[u8] = include_bytes!("fixtures/docker-config.json");
    const ID: &str = "daf3d6572e1c9d9e972c3ccd8ed0288d084dd2466ed249674cd1414c21641efb";

    const IMAGE: &str = "sha256:bf32f61e5d7ce49ebc234948b518e5526b3f0e6bfa13a81571a74737dd08836a";

    fn read(text: &str) -> DockerContainer {
        container(text.as_bytes(), "4f").expect("read")
    }

    #[test]
    fn a_container_has_its_name_image_and_labels() {
        let DockerContainer { stated, driver } = container(CONFIG, ID).expect("read");
        assert_eq!(stated.name.as_deref(), Some("orders"));
        assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
        assert_eq!((stated.image_id.as_deref(), driver.as_deref()), (Some(IMAGE), Some("overlay2")));
        assert_eq!(stated.labels.get("com.docker.compose.project").map(|value| &**value), Some("shop"));
        assert_eq!(stated.labels.into_parts().0.len(), 5);
        assert_eq!((stated.pod_name, stated.mounts), (None, Vec::new()));
    }

    #[test]
    fn a_file_of_another_container_says_nothing() {
        assert_eq!(container(CONFIG, "4f"), Err(Unreadable::OtherContainer));
        assert_eq!(container(b"{}", ""), Err(Unreadable::OtherContainer));
    }

    #[test]
    fn a_file_that_is_not_completely_written_says_nothing() {
        for end in (0..CONFIG.len() - 1).step_by(97) {
            assert_eq!(container(&CONFIG[..end], ID), Err(Unreadable::Malformed("JSON")), "{end}");
        }
    }

    #[test]
    fn one_odd_field_loses_no_other() {
        for odd in ["7", "null", "[]", "{}", "true", "[{\"a\":[]}]"] {
            let named = read(&format!(
                r#"{{"ID":"4f","Name":"/orders","Image":{odd},"Driver":{odd},"Config":{odd},"MountPoints":{odd}}}"#
            ));
            assert_eq!(named.stated, Stated { name: Some("orders".into()), ..Stated::default() }, "{odd}");
            let imaged = read(&format!(
                r#"{{"ID":"4f","Name":{odd},"Config":{{"Image":"a","Labels":{{"x":{odd},"y":"z"}}}}}}"#
            ));
            assert_eq!((imaged.stated.name, imaged.stated.image.as_deref()), (None, Some("a")), "{odd}");
            let (labels, omitted) = imaged.stated.labels.into_parts();
            assert_eq!((labels.len(), omitted), (1, 1), "{odd}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_read_only_is_writable() {
        let stated = read(
            r#"{"ID":"4f","MountPoints":{"/a":{"Source":"/var/lib","RW":true},"/b":{"Source":"/etc","RW":false},
            "/c":{"Source":"/srv","RW":"no"},"/d":{"Source":"volume","RW":true},"/e":[]}}"#,
        )
        .stated;
        let sources = |mounts: &[crate::container::Mount]| {
            mounts.iter().map(|mount| mount.source.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (sources(&stated.mounts), sources(&stated.read_only_mounts)),
            (vec!["/var/lib".into(), "/srv".into()], vec!["/etc".into()])
        );
    }

    /// There, `Image` is what a registry knows it by.
    #[test]
    fn an_image_kept_by_containerd_has_its_digest() {
        let of = |driver: &str, manifest: &str| {
            read(&format!(r#"{{"ID":"4f","Driver":"{driver}","Image":"{IMAGE}"{manifest}}}"#))
        };
        let manifest = format!(r#","ImageManifest":{{"digest":"sha256:{}"}}"#, "1".repeat(64));
        let containerd = of("overlayfs", &manifest);
        assert_eq!(
            (containerd.stated.image_digest.as_deref(), containerd.stated.image_id),
            (Some(IMAGE), None)
        );
        assert_eq!(containerd.driver, None);
        let unclear = of("overlayfs", "");
        assert_eq!(
            (unclear.stated.image_digest, unclear.stated.image_id, unclear.driver),
            (None, None, None)
        );
    }

    #[test]
    fn a_pods_container_is_known_by_its_name_alone() {
        let of = |name: &str| {
            read(&format!(
                r#"{{"ID":"4f","Name":"/{name}","Config":{{"Labels":{{"app":"orders",
                "io.kubernetes.pod.name":"other","io.kubernetes.sandbox.id":"{}"}}}}}}"#,
                "a".repeat(64)
            ))
            .stated
        };
        let container = of("k8s_web_orders-7f_shop_0a1b_2");
        assert_eq!(
            (container.name.as_deref(), container.pod_name.as_deref()),
            (Some("web"), Some("orders-7f"))
        );
        assert_eq!(
            (container.namespace.as_deref(), container.pod_uid.as_deref()),
            (Some("shop"), Some("0a1b"))
        );
        assert_eq!(
            (container.sandbox.as_deref(), container.labels.is_unread()),
            (Some(&*"a".repeat(64)), true)
        );
        let sandbox = of("k8s_POD_orders-7f_shop_0a1b_0");
        assert_eq!((sandbox.name.as_deref(), sandbox.sandbox.as_deref()), (None, None));
        assert_eq!(container.in_pod(sandbox).labels.into_parts().0.len(), 1);
        for name in
            ["k8s_web_orders_shop", "k8s_a_b_c_d_e_f", "k8s__b_c_d_1", "k8s_a_b_c_d_x", "web_a_b_c_d_1"]
        {
            assert_eq!((of(name).name.as_deref(), of(name).pod_name), (Some(name), None));
        }
    }

    #[test]
    fn a_manifests_digest_is_the_one_of_the_repository() {
        let [one, other] = ["1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let list = |entries: &[(&str, &str)]| {
            let mut repositories = serde_json::Map::new();
            for (reference, id) in entries {
                let name = reference.split_once('@').map_or(*reference, |(name, _)| name);
                repositories.entry(name).or_insert_with(|| serde_json::json!({}))[*reference] = (*id).into();
            }
            serde_json::json!({ "Repositories": repositories }).to_string().into_bytes()
        };
        let found = |list: &[u8], image| {
            image_digest(list, image, IMAGE).expect("read").map(|digest| digest.to_string())
        };
        let (hub_one, shop_other) = (format!("postgres@{one}"), format!("shop.example/db@{other}"));
        let both = list(&[("postgres:16", IMAGE), (&hub_one, IMAGE), (&shop_other, IMAGE)]);
        assert_eq!(found(&both, Some("docker.io/library/postgres:16")).as_ref(), Some(&one));
        assert_eq!(found(&both, Some("shop.example/db:16")).as_ref(), Some(&other));
        assert_eq!(found(&both, Some("built:1")), None, "either");
        assert_eq!(found(&both, None), None);
        assert_eq!(found(&list(&[(&hub_one, IMAGE)]), Some("built:1")).as_ref(), Some(&one));
        let hub_other = format!("postgres@{other}");
        let two = list(&[(&hub_one, IMAGE), (&hub_other, IMAGE)]);
        assert_eq!(found(&two, Some("postgres:16")), None, "either");
        assert_eq!(found(&two, Some(&hub_other)).as_ref(), Some(&other));
        assert_eq!(found(&list(&[(&hub_one, &other)]), Some("postgres:16")), None, "of another image");
        assert_eq!(found(b"{}", None), None);
        assert!(image_digest(b"{", None, IMAGE).is_err());
    }

    /// By Docker 20.10.24: images that came from no registry.
    #[test]
    fn an_image_from_no_registry_has_no_digest() {
        let list = include_bytes!("fixtures/docker-repositories.json");
        assert_eq!(image_digest(list, Some("postgres:16"), IMAGE), Ok(None));
    }

    #[test]
    fn the_data_root_is_the_one_that_dockerd_reads() {
        assert_eq!(
            data_root(br#"{"data-root":"/data/docker","debug":true}"#),
            Ok(Some("/data/docker".to_owned()))
        );
        assert_eq!(data_root(br#"{"graph":"/old"}"#), Ok(Some("/old".to_owned())));
        for text in
            ["{}", r#"{"data-root":1}"#, r#"{"data-root":"relative"}"#, r#"{"data-root":"/a\u0000b"}"#]
        {
            assert_eq!(data_root(text.as_bytes()), Ok(None), "{text}");
        }
        assert!(data_root(b"{\"data-root\":").is_err());
    }
}
