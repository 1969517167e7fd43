//! What containerd says of a container, also the one of k3s, and with it `nerdctl` and Kubernetes' CRI.
//!
//! Belongs here: `config.json` below `io.containerd.runtime.v2.task/NAMESPACE/ID/`, which exists while a container runs, and the
//! record in the metadata database. Sources, of containerd: `core/metadata/buckets.go` (the database), `internal/cri/annotations`,
//! `internal/cri/store/container` and `…/sandbox` (metadata of CRI), 1.6 to 2.2. Of nerdctl: `pkg/labels`.
//!
//! Only what nobody but the kubelet or an administrator of the runtime can have set is believed: an image's own labels are among
//! the labels of a container in the database, so the CRI's are taken from what it stores of the request instead.

use super::bolt::{Bucket, Entry, View};
use super::image::ImageRef;
use super::json::Json;
use super::labels::Labels;
use super::oci::Config;
use super::stated::{IMAGE_MAX, NAME_MAX, Stated, digest, text};
use super::{Unreadable, pod};

const SANDBOX: &[u8] = b"io.cri-containerd.sandbox.metadata";
const CONTAINER: &[u8] = b"io.cri-containerd.container.metadata";

/// Bytes of labels that are read of one record, many times what is kept.
const LABELS_MAX: usize = 1 << 20;

/// Reads a `config.json`: names of container and pod, image, mounts. It does not have the labels: those are in the database,
/// of a pod in the record of its sandbox ([`Stated::in_pod`]).
///
/// # Errors
/// It is no OCI configuration.
pub fn config(bytes: &[u8]) -> Result<Stated, Unreadable> {
    let config = Config::read(bytes)?;
    let cri = |key: &str| config.annotation(&format!("io.kubernetes.cri.{key}"));
    let mut stated = match cri("sandbox-id") {
        Some(sandbox) => {
            let is_sandbox = cri("container-type") == Some("sandbox");
            let image = if is_sandbox { cri("podsandbox.image-name") } else { cri("image-name") };
            Stated {
                name: cri("container-name").and_then(|name| text(name, NAME_MAX)),
                sandbox: text(sandbox, NAME_MAX).filter(|_| !is_sandbox),
                ..with_image(
                    pod::named(cri("sandbox-name"), cri("sandbox-namespace"), cri("sandbox-uid")),
                    image,
                )
            }
        }
        None => Stated {
            name: config.annotation("nerdctl/name").and_then(|name| text(name, NAME_MAX)),
            ..unread()
        },
    };
    config.mounts(&mut stated);
    Ok(stated)
}

/// Reads the record of a container from the database; `None` if it has none. Names of container and pod, image and digests,
/// labels; of a pod's container they are in the record of its sandbox.
///
/// # Errors
/// The database is damaged, or too much of it would have to be read.
pub fn record(view: &View<'_>, namespace: &str, id: &str) -> Result<Option<Stated>, Unreadable> {
    let path = [b"v1", namespace.as_bytes(), b"containers", id.as_bytes()];
    let Some(record) = view.bucket(&path)? else { return Ok(None) };
    let extension = |name| -> Result<Option<Vec<u8>>, Unreadable> {
        let Some(extensions) = record.bucket(b"extensions")? else { return Ok(None) };
        extensions.get(name)
    };
    let image = record.get(b"image")?.and_then(|image| String::from_utf8(image).ok());
    let stated = if let Some(metadata) = extension(CONTAINER)? {
        // What else the record says stays known.
        container(&metadata).unwrap_or_else(|_| unread())
    } else if let Some(metadata) = extension(SANDBOX)? {
        sandbox(&metadata).unwrap_or_else(|_| unread())
    } else {
        Stated { labels: labels(&record)?, ..Stated::default() }
    };
    let stated = with_image(stated, image.as_deref());
    let image_digest = match (&stated.image_digest, &image) {
        (None, Some(image)) => target(view, namespace, image)?,
        (known, _) => known.clone(),
    };
    Ok(Some(Stated { image_digest, ..stated }))
}

/// A container of which nothing is known, and its labels neither.
fn unread() -> Stated {
    Stated { labels: Labels::unread(), ..Stated::default() }
}

/// The digest of what an image's name refers to: of a manifest, or of an index of manifests for several platforms.
fn target(view: &View<'_>, namespace: &str, image: &str) -> Result<Option<std::sync::Arc<str>>, Unreadable> {
    let path = [b"v1", namespace.as_bytes(), b"images", image.as_bytes(), b"target"];
    let Some(target) = view.bucket(&path)? else { return Ok(None) };
    Ok(target.get(b"digest")?.and_then(|text| digest(std::str::from_utf8(&text).ok()?)))
}

/// Adds a name of the image, which may be its id alone: the CRI gives each image that as a name too.
fn with_image(mut stated: Stated, image: Option<&str>) -> Stated {
    let Some(image) = image else { return stated };
    if let Some(id) = digest(image) {
        stated.image_id.get_or_insert(id);
    } else if stated.image.is_none() {
        stated.image = text(image, IMAGE_MAX);
    }
    stated
}

/// What the CRI stores of a container: the request of the kubelet, and what it made of it.
fn container(any: &[u8]) -> Result<Stated, Unreadable> {
    let stored = Json::read(value(any)?, &["Metadata"])?;
    let metadata = stored.get("Metadata");
    let config = metadata.get("Config");
    let label = |key| config.get("labels").get(key).text();
    let mut stated = pod::named(label(pod::POD_NAME), label(pod::POD_NAMESPACE), label(pod::POD_UID));
    stated.name = config.get("metadata").get("name").text().and_then(|name| text(name, NAME_MAX));
    stated.sandbox = metadata.get("SandboxID").text().and_then(|id| text(id, NAME_MAX));
    stated.image_id = metadata.get("ImageRef").text().and_then(digest);
    stated.image_digest = metadata.get("ImageDigest").text().and_then(digest);
    // As it stands in the pod's specification (Kubernetes 1.29); before, only what it was resolved to.
    let asked = config.get("image").get("user_specified_image").text();
    let asked =
        asked.filter(|image| ImageRef::parse(image).is_some()).or_else(|| metadata.get("ImageName").text());
    Ok(with_image(stated, asked))
}

/// What the CRI stores of a pod's sandbox.
fn sandbox(any: &[u8]) -> Result<Stated, Unreadable> {
    let stored = Json::read(value(any)?, &["Metadata"])?;
    let config = stored.get("Metadata").get("Config");
    let name = |key| config.get("metadata").get(key).text();
    let pod = pod::named(name("name"), name("namespace"), name("uid"));
    Ok(pod::labelled(pod, config.get("labels")))
}

/// The labels of a container that is in no pod: those given to it and those of its image. What `nerdctl` and containerd note for
/// themselves is left out.
fn labels(record: &Bucket<'_>) -> Result<Labels, Unreadable> {
    let Some(bucket) = record.bucket(b"labels")? else { return Ok(Labels::default()) };
    let mut found = Vec::new();
    let mut odd = 0_u32;
    let mut bytes = 0_usize;
    bucket.each(|key, entry| {
        let value = if let Entry::Value(value) = entry { std::str::from_utf8(value).ok() } else { None };
        bytes += key.len() + value.map_or(0, str::len);
        match (std::str::from_utf8(key).ok(), value) {
            (Some(key), _) if key.starts_with("nerdctl/") || key.starts_with("io.containerd.") => {}
            (Some(key), Some(value)) => found.push((key.to_owned(), value.to_owned())),
            _ => odd = odd.saturating_add(1),
        }
        bytes <= LABELS_MAX
    })?;
    if bytes > LABELS_MAX {
        return Err(Unreadable::TooLarge);
    }
    Ok(Labels::collect(found.iter().map(|(key, value)| (&**key, &**value))).omitting(odd))
}

/// The `value` of a `google.protobuf.Any`: fields of a tag, a length and bytes; 1 is the type's name, 2 the value.
fn value(any: &[u8]) -> Result<&[u8], Unreadable> {
    const MALFORMED: Unreadable = Unreadable::Damaged("an extension is no protobuf message");
    let mut rest = any;
    while let Some((&tag, after)) = rest.split_first() {
        let (len, after) = varint(after).ok_or(MALFORMED)?;
        let (bytes, after) = after.split_at_checked(len).ok_or(MALFORMED)?;
        match tag {
            0x0a => rest = after,
            0x12 => return Ok(bytes),
            _ => return Err(MALFORMED),
        }
    }
    Err(MALFORMED)
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests;
