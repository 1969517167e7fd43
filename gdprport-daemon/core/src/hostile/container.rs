//! The state of container runtimes: whatever a user can make a runtime, the kubelet or an image write, and files in their place.

use crate::container::{
    IMAGE_MAX, ImageRef, LABEL_BYTES_MAX, LABELS_MAX, NAME_MAX, Stated, Unreadable, bolt, containerd, crio,
    digest, docker, kubelet, machine, podman,
};

/// Mounts kept of one container, of either kind.
const MOUNTS: usize = 256;

/// Any bytes say something within the bounds of names, or nothing. The first line is the container's id, the rest is the file.
pub fn container(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (id, file) = (String::from_utf8_lossy(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default());

    if let Ok(docker::DockerContainer { stated, driver }) = docker::container(file, &id) {
        assert!(driver.is_none_or(|driver| is_file_name(&driver)));
        is_within_bounds(&stated);
    }
    for image in [None, Some("registry.example/shop/orders:1.4"), Some(&*id)] {
        is_digest(docker::image_digest(file, image, &id));
    }
    if let Ok(Some(root)) = docker::data_root(file) {
        assert!(root.starts_with('/'), "{root:?}");
    }

    [podman::container(file, &id), podman::mounts(file)].iter().flatten().for_each(is_within_bounds);
    podman::in_storage(file, &id).iter().flatten().for_each(is_within_bounds);
    is_digest(podman::image_digest(file, &id));
    if let Ok(conf) = podman::StorageConf::read(file) {
        let user = conf.of_user("/home/ada", 1000);
        let paths = [&conf.graph_root, &conf.run_root, &user];
        assert!(paths.into_iter().flatten().all(|path| path.starts_with('/')), "{conf:?}");
        assert!(conf.driver.is_none_or(|driver| is_file_name(&driver)));
    }

    is_database(file, &id);
    let stated = podman::in_sqlite(&reads(file), &|| false, &id);
    assert_ne!(stated, Err(Unreadable::Changing), "it does not change");
    stated.iter().flatten().for_each(is_within_bounds);

    is_pod(file, &id);
    is_reference(&String::from_utf8_lossy(file));
}

/// As the state of what runs pods, and of what has no images.
fn is_pod(file: &[u8], id: &str) {
    let read = reads(file);
    let record = bolt::view(&read, |view| containerd::record(view, "k8s.io", id));
    assert_ne!(record, Err(Unreadable::Changing), "it does not change");
    let configs = [containerd::config(file), crio::config(file)];
    let all = configs.iter().flatten().chain(record.iter().flatten());
    for stated in all {
        is_within_bounds(stated);
        // Nothing but labels, and what they prove, comes from a sandbox.
        let with =
            stated.clone().in_pod(Stated { name: Some(id.into()), image: Some(id.into()), ..stated.clone() });
        assert_eq!(&with, stated);
        let other = Stated { pod_uid: Some("another".into()), ..stated.clone() };
        let without = Stated { pod_uid: Some("one".into()), ..stated.clone() };
        assert_eq!(without.clone().in_pod(other), without);
    }
    [machine::machined(file, id), machine::lxc(file, id)].iter().flatten().for_each(is_within_bounds);
    let name = String::from_utf8_lossy(file);
    for stated in [kubelet::pod_logs(&name), kubelet::container_log(&name, id)].iter().flatten() {
        is_within_bounds(stated);
        let names = [&stated.name, &stated.namespace, &stated.pod_name, &stated.pod_uid];
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        assert!(names.into_iter().flatten().all(|name| name.chars().all(is_name)), "{stated:?}");
    }
}

/// Taken apart at the same places whether it is valid or not, and the same when it is put together again.
fn is_reference(text: &str) {
    let split = ImageRef::split(text);
    let Some(image) = ImageRef::parse(text) else { return };
    assert_eq!(image, split);
    let registry = image.registry.map_or_else(String::new, |registry| format!("{registry}/"));
    let tag = image.tag.map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = image.digest.map_or_else(String::new, |digest| format!("@{digest}"));
    let again = format!("{registry}{}{tag}{digest}", image.repository);
    assert_eq!(ImageRef::parse(&again), Some(image), "{again}");
}

fn reads(file: &[u8]) -> impl Fn(u64, &mut [u8]) -> bool {
    move |offset, bytes| {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = file.get(from..from.saturating_add(bytes.len()));
        part.map(|part| bytes.copy_from_slice(part)).is_some()
    }
}

/// As a bolt database: the same answer each time, and the same for a key however it is found.
fn is_database(file: &[u8], id: &str) {
    let read = reads(file);
    let stated = podman::in_bolt(&read, id);
    assert_eq!(stated, podman::in_bolt(&read, id), "the same file");
    assert_ne!(stated, Err(Unreadable::Changing), "it does not change");
    stated.iter().flatten().for_each(is_within_bounds);
    let mut keys = 0_u32;
    let _ = bolt::view(&read, |view| {
        let Some(root) = view.bucket(&[])? else { return Ok(()) };
        root.each(|_, entry| {
            keys = keys.saturating_add(1);
            if let bolt::Entry::Bucket(bucket) = entry {
                let _ = bucket.each(|_, _| true);
            }
            true
        })
    });
}

/// What every parser of a runtime's state holds to.
fn is_within_bounds(stated: &Stated) {
    let Stated {
        name,
        image,
        image_digest,
        image_id,
        labels,
        namespace,
        pod_name,
        pod_uid,
        workload,
        sandbox,
        ..
    } = stated;
    let workload = workload.as_ref().map(|workload| workload.name.clone());
    for name in [name, namespace, pod_name, pod_uid, sandbox, &workload].into_iter().flatten() {
        assert!((1..=NAME_MAX).contains(&name.len()), "{name:?}");
    }
    assert!(image.as_ref().is_none_or(|image| (1..=IMAGE_MAX).contains(&image.len())), "{image:?}");
    for of in [image_digest, image_id].into_iter().flatten() {
        assert_eq!(digest(of).as_ref(), Some(of));
    }
    assert!(!(labels.is_empty() && labels.is_unread()), "none, or unknown");
    let (kept, _) = labels.clone().into_parts();
    let bytes: usize = kept.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(kept.len() <= LABELS_MAX && bytes <= LABEL_BYTES_MAX, "{} labels, {bytes} bytes", kept.len());
    for mounts in [&stated.mounts, &stated.read_only_mounts] {
        assert!(mounts.len() <= MOUNTS && mounts.iter().all(|mount| mount.source.starts_with('/')));
    }
    // Whatever it takes from itself, it has already.
    assert_eq!(&stated.clone().or(stated.clone()), stated);
}

fn is_digest<E>(found: Result<Option<std::sync::Arc<str>>, E>) {
    let found = found.ok().flatten();
    assert!(found.as_deref().is_none_or(|found| digest(found).as_deref() == Some(found)), "{found:?}");
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0', '.'])
}
