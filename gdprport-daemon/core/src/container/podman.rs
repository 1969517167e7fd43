//! Podman's state: what it knows of a container, in its own database and in the storage that it shares with others.
//!
//! Belongs here: the configuration of a container in libpod's database (`libpod/container_config.go`, of Podman 3 to 6), the
//! lists of containers/storage (`containers.go`, `images.go`), a container's `userdata/config.json`, and `storage.conf`.

use std::sync::Arc;

use super::bolt::{self, Reads};
use super::json::Json;
use super::labels::Labels;
use super::stated::{IMAGE_MAX, NAME_MAX, Stated, digest, text};
use super::{Unreadable, oci, sqlite};

/// Reads the configuration of the container `id`, as it stands in libpod's database: the only place that has its labels.
///
/// # Errors
/// It is no JSON, or of another container.
pub fn container(config: &[u8], id: &str) -> Result<Stated, Unreadable> {
    let config = Json::read(config, &["id", "name", "rootfsImageID", "rootfsImageName", "labels", "spec"])?;
    if config.get("id").text() != Some(id) {
        return Err(Unreadable::OtherContainer);
    }
    let mut stated = Stated {
        name: config.get("name").text().and_then(|name| text(name, NAME_MAX)),
        // With its registry. What the user typed (`RawImageName`) may have none, and Podman has its own list of those.
        image: config.get("rootfsImageName").text().and_then(|image| text(image, IMAGE_MAX)),
        image_id: config.get("rootfsImageID").text().and_then(digest),
        labels: config.get("labels").labels(|_| true),
        ..Stated::default()
    };
    oci::mounts(config.get("spec"), &mut stated);
    Ok(stated)
}

/// Reads the configuration of the container `id` from `libpod/bolt_state.db` below the storage's directory, the database of
/// Podman until 4, and of later ones whose database is from then. `None` if it does not know the container.
///
/// # Errors
/// The database or the configuration cannot be read.
pub fn in_bolt(read: &Reads<'_>, id: &str) -> Result<Option<Stated>, Unreadable> {
    let config = bolt::view(read, |view| match view.bucket(&[b"ctr", id.as_bytes()])? {
        Some(container) => container.get(b"config"),
        None => Ok(None),
    })?;
    config.map(|config| container(&config, id)).transpose()
}

/// Reads the configuration of the container `id` from `db.sql` in the storage's directory, the database of Podman 5. `None` if it
/// does not know the container. For `journal` see [`sqlite::view`].
///
/// # Errors
/// The database or the configuration cannot be read.
pub fn in_sqlite(
    read: &Reads<'_>,
    journal: &dyn Fn() -> bool,
    id: &str,
) -> Result<Option<Stated>, Unreadable> {
    // The columns are the id, the name, that of the pod, and this.
    let take = |row: sqlite::Row<'_>| row.text(3).map(str::to_owned);
    match sqlite::view(read, journal, |view| view.find("ContainerConfig", id, take))? {
        None => Ok(None),
        Some(None) => Err(Unreadable::Damaged("a container without configuration")),
        Some(Some(config)) => container(config.as_bytes(), id).map(Some),
    }
}

/// Reads what the storage says of the container `id`: `DRIVER-containers/containers.json`, and `volatile-containers.json` for one
/// that is removed when it ends. Labels are not there. `None` if it is not in the list, or is a pod's (CRI-O has the same storage).
///
/// # Errors
/// It is no list of JSON.
pub fn in_storage(containers: &[u8], id: &str) -> Result<Option<Stated>, Unreadable> {
    let is_it = |item: &Json<'_>| item.get("id").text() == Some(id);
    let Some(found) = Json::find(containers, &["id", "names", "image", "metadata"], is_it)? else {
        return Ok(None);
    };
    let metadata = found.get("metadata").text().unwrap_or_default();
    let wanted = ["image-name", "name", "pod-id", "pod-name"];
    let metadata = Json::read(metadata.as_bytes(), &wanted).unwrap_or_default();
    if ["pod-id", "pod-name"].iter().any(|key| metadata.get(key).text().is_some_and(|text| !text.is_empty()))
    {
        return Ok(None);
    }
    let name = metadata.get("name").text().or_else(|| found.get("names").items().first()?.text());
    Ok(Some(Stated {
        name: name.and_then(|name| text(name, NAME_MAX)),
        image: metadata.get("image-name").text().and_then(|image| text(image, IMAGE_MAX)),
        image_id: found.get("image").text().and_then(digest),
        labels: Labels::unread(),
        ..Stated::default()
    }))
}

/// The digest of the manifest of the image of this id, by `DRIVER-images/images.json`. `None` if the list does not have it.
///
/// # Errors
/// It is no list of JSON.
pub fn image_digest(images: &[u8], image_id: &str) -> Result<Option<Arc<str>>, Unreadable> {
    let wanted = digest(image_id);
    let is_it = |item: &Json<'_>| wanted.is_some() && item.get("id").text().and_then(digest) == wanted;
    let found = Json::find(images, &["id", "digest"], is_it)?;
    // Without its algorithm it would be no digest of a manifest.
    Ok(found.and_then(|image| {
        image.get("digest").text().filter(|text| text.starts_with("sha256:")).and_then(digest)
    }))
}

/// Reads what a container mounts from its `DRIVER-containers/ID/userdata/config.json`, the configuration with which it runs: volumes
/// too, which the database does not have. Names and labels are not there.
///
/// # Errors
/// It is no OCI configuration.
pub fn mounts(config: &[u8]) -> Result<Stated, Unreadable> {
    let mut stated = Stated { labels: Labels::unread(), ..Stated::default() };
    oci::Config::read(config)?.mounts(&mut stated);
    Ok(stated)
}

/// Bytes of a `storage.conf`.
const CONF_MAX: usize = 1 << 20;

/// Where containers/storage keeps its state, by `storage.conf` (containers-storage.conf(5)). What is not set has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageConf {
    /// Absolute path of the storage; by default `/var/lib/containers/storage`.
    pub graph_root: Option<String>,
    /// Absolute path of what does not outlive a restart of the machine; by default `/run/containers/storage`.
    pub run_root: Option<String>,
    /// The storage's driver, by default `overlay`; a single file name.
    pub driver: Option<String>,
    /// True if lists of containers are in [`run_root`](Self::run_root) too.
    pub is_transient: bool,
    /// The storage of users, with `$HOME` and `$UID` in it: see [`of_user`](Self::of_user).
    rootless: Option<String>,
}

impl StorageConf {
    /// Reads a `storage.conf`. A value of a wrong type counts as not set.
    ///
    /// # Errors
    /// It is no TOML.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > CONF_MAX {
            return Err(Unreadable::TooLarge);
        }
        let malformed = Unreadable::Malformed("TOML");
        let conf = str::from_utf8(bytes).map_err(|_| malformed)?;
        let conf: toml::Table = conf.parse().map_err(|_| malformed)?;
        let storage = conf.get("storage");
        let value = |key| storage?.get(key)?.as_str().filter(|value| !value.contains('\0'));
        let path = |key| value(key).filter(|path| path.starts_with('/')).map(str::to_owned);
        let is_name = |name: &&str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        Ok(Self {
            graph_root: path("graphroot"),
            run_root: path("runroot"),
            driver: value("driver").filter(is_name).map(str::to_owned),
            is_transient: storage
                .and_then(|storage| storage.get("transient_store")?.as_bool())
                .unwrap_or(false),
            rootless: value("rootless_storage_path").map(str::to_owned),
        })
    }

    /// The storage of a user, if the file says where it is: an absolute path. By default it is `.local/share/containers/storage` in the
    /// home directory.
    #[must_use]
    pub fn of_user(&self, home: &str, uid: u32) -> Option<String> {
        let uid = uid.to_string();
        let mut path = self.rootless.clone()?;
        for (variable, value) in [("${HOME}", home), ("$HOME", home), ("${UID}", &*uid), ("$UID", &*uid)] {
            path = path.replace(variable, value);
        }
        (path.starts_with('/') && !path.contains('$')).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All by Podman 4.3.1 of Debian 12. Of its database only two containers, without free pages.
    const DATABASE: &[u8] = include_bytes!("fixtures/podman4.db");
    const CONTAINERS: &[u8] = include_bytes!("fixtures/podman-containers.json");
    const IMAGES: &[u8] = include_bytes!("fixtures/podman-images.json");
    const CONFIG: &[u8] = include_bytes!("fixtures/podman-config.json");

    const ORDERS: &str = "0a17082b86d4b11b3812369a3041fac8ec3789c9e1bb5ccf2dbf4583119a446a";
    const IN_POD: &str = "d9d47e881e453c19fc4fd63d09548cea22fe96a3821f3203fd1079f1b4e05154";
    const IMAGE: &str = "sha256:0fe0451509dee7f0c74348f4423b9856e125409216dea99c1aa408e1b047e269";

    fn database(id: &str) -> Result<Option<Stated>, Unreadable> {
        let read = |offset: u64, bytes: &mut [u8]| {
            let from = usize::try_from(offset).expect("64 bits");
            let part = DATABASE.get(from..from.saturating_add(bytes.len()));
            part.map(|part| bytes.copy_from_slice(part)).is_some()
        };
        in_bolt(&read, id)
    }

    #[test]
    fn the_database_has_name_image_and_labels() {
        let stated = database(ORDERS).expect("read").expect("a container");
        assert_eq!(stated.name.as_deref(), Some("orders"));
        assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
        assert_eq!(stated.image_id.as_deref(), Some(IMAGE));
        assert_eq!(stated.labels.get("com.example.team").map(|value| &**value), Some("shop"));
        let in_pod = database(IN_POD).expect("read").expect("a container");
        assert_eq!((in_pod.name.as_deref(), in_pod.pod_name), (Some("in-pod"), None), "no pod of Kubernetes");
        assert_eq!(in_pod.image.as_deref(), Some("docker.io/library/postgres:16"));
        assert_eq!(database(&"4f".repeat(32)), Ok(None));
    }

    #[test]
    fn the_storage_has_all_but_the_labels() {
        let stated = in_storage(CONTAINERS, ORDERS).expect("read").expect("a container");
        assert_eq!(stated.name.as_deref(), Some("orders"));
        assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
        assert_eq!((stated.image_id.as_deref(), stated.labels.is_unread()), (Some(IMAGE), true));
        assert_eq!(in_storage(CONTAINERS, "4f"), Ok(None));
        for end in (0..CONTAINERS.len() - 2).step_by(61) {
            assert!(in_storage(&CONTAINERS[..end], ORDERS).is_err(), "{end}");
        }
    }

    #[test]
    fn what_the_database_says_comes_before_the_storage() {
        let of = |labels: &str| {
            let config = format!(r#"{{"id":"{ORDERS}","name":"orders"{labels}}}"#);
            let stated = container(config.as_bytes(), ORDERS).expect("read");
            stated.or(in_storage(CONTAINERS, ORDERS).expect("read").expect("a container"))
        };
        assert!(of("").labels.is_empty(), "it has none");
        assert!(of(r#","labels":{"app":"orders"}"#).labels.get("app").is_some());
        assert_eq!(of("").image.as_deref(), Some("registry.example/shop/orders:1.4"));
    }

    #[test]
    fn an_image_has_the_digest_of_its_manifest() {
        let found = image_digest(IMAGES, IMAGE).expect("read");
        assert_eq!(
            found.as_deref(),
            Some("sha256:125fdaae56143712bc71ef81a8b5f61b407a6bffc665f49f02dc5147300f0f86")
        );
        assert_eq!(image_digest(IMAGES, &"4f".repeat(32)), Ok(None));
        assert_eq!(image_digest(IMAGES, ""), Ok(None));
        assert_eq!(image_digest(br#"[{"id":"","digest":""}]"#, ""), Ok(None));
    }

    #[test]
    fn mounts_are_those_of_the_configuration_it_runs_with() {
        let stated = mounts(CONFIG).expect("read");
        assert_eq!(stated.mounts.len(), 5);
        assert!(stated.mounts.iter().any(|mount| mount.source.ends_with("/userdata/hosts")));
        assert!(stated.labels.is_unread() && stated.name.is_none());
    }

    /// CRI-O keeps its containers in the same storage.
    #[test]
    fn a_container_of_kubernetes_is_not_named_by_the_storage() {
        let metadata = r#"{\"pod-name\":\"orders\",\"pod-id\":\"7f\",\"name\":\"k8s_web_orders_shop_1_0\"}"#;
        let list = format!(r#"[{{"id":"4f","names":["k8s_web_orders_shop_1_0"],"metadata":"{metadata}"}}]"#);
        assert_eq!(in_storage(list.as_bytes(), "4f"), Ok(None));
    }

    #[test]
    fn an_odd_item_hides_no_other() {
        let list = r#"[7,null,[],{"id":7},{"id":"4f","names":["orders"],"image":[],"metadata":"{"},"x"]"#;
        let stated = in_storage(list.as_bytes(), "4f").expect("read").expect("a container");
        assert_eq!((stated.name.as_deref(), stated.image, stated.image_id), (Some("orders"), None, None));
        for text in ["null", "[]", "[7]"] {
            assert_eq!(in_storage(text.as_bytes(), "4f"), Ok(None), "{text}");
        }
        for text in ["", "{}", "7", "[", "[{}", "[]x"] {
            assert!(in_storage(text.as_bytes(), "4f").is_err(), "{text}");
        }
    }

    #[test]
    fn a_configuration_of_another_container_says_nothing() {
        assert_eq!(container(br#"{"id":"4f"}"#, "4e"), Err(Unreadable::OtherContainer));
        assert_eq!(container(br#"{"name":"orders"}"#, "4e"), Err(Unreadable::OtherContainer));
    }

    #[test]
    fn the_storage_is_where_its_configuration_says() {
        let half = StorageConf::read(b"[storage]\ngraphroot = \"/data/con");
        assert_eq!(half, Err(Unreadable::Malformed("TOML")), "not completely written");
        let conf = StorageConf::read(
            b"[storage]\ndriver = 'overlay'\ngraphroot = '/data/containers'\nrunroot = 7\ntransient_store = true\n\
            rootless_storage_path = '/data/$UID${HOME}/storage'\n",
        )
        .expect("read");
        assert_eq!((conf.graph_root.as_deref(), &conf.run_root), (Some("/data/containers"), &None));
        assert_eq!((conf.driver.as_deref(), conf.is_transient), (Some("overlay"), true));
        assert_eq!(conf.of_user("/home/ada", 1000).as_deref(), Some("/data/1000/home/ada/storage"));
        for (text, why) in
            [("", "nothing"), ("storage = 1", "no table"), ("[storage]\ndriver='../x'", "no name")]
        {
            assert_eq!(StorageConf::read(text.as_bytes()), Ok(StorageConf::default()), "{why}");
        }
        let other = StorageConf::read(b"[storage]\nrootless_storage_path='$XDG/x'").expect("read");
        assert_eq!(other.of_user("/home/ada", 1000), None);
    }
}
