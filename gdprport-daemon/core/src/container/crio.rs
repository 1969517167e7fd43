//! What CRI-O says of a container: `config.json` in `overlay-containers/ID/userdata/` of its storage.
//!
//! Belongs here: which of its annotations mean what, and which can be believed. Sources, of CRI-O: `internal/annotations`,
//! `internal/factory/container/container.go` and `server/sandbox_run_linux.go`, 1.20 to 1.34.
//!
//! CRI-O writes a pod's annotations, which are its author's, among its own. In a container's configuration its own and the
//! kubelet's labels come after them, and in that of a sandbox the kubelet's labels do: only those are believed there. The labels of
//! the pod are not among them: an annotation `io.kubernetes.cri-o.Labels` of a pod takes their place. That is no more than the
//! author of a pod could write into its labels.

use super::image::ImageRef;
use super::json::Json;
use super::oci::Config;
use super::stated::{IMAGE_MAX, NAME_MAX, Stated, digest, text};
use super::{Unreadable, pod};

/// Who has made the container. Podman, which is `libpod`, uses the same directories, and some of these annotations.
const MANAGER: &str = "io.container.manager";

const OTHER: Unreadable = Unreadable::Malformed("a configuration by CRI-O");

/// Reads the configuration of a container or of a pod's sandbox. A container's labels are its pod's, in the configuration of its
/// sandbox ([`Stated::in_pod`]).
///
/// # Errors
/// It is no OCI configuration, or not CRI-O's.
pub fn config(bytes: &[u8]) -> Result<Stated, Unreadable> {
    let config = Config::read(bytes)?;
    let own = |key: &str| config.annotation(&format!("io.kubernetes.cri-o.{key}"));
    let label = |key| config.annotation(key);
    let kind = own("ContainerType").filter(|_| label(MANAGER) != Some("libpod")).ok_or(OTHER)?;
    let pod = pod::named(label(pod::POD_NAME), label(pod::POD_NAMESPACE), label(pod::POD_UID));
    // A sandbox has none, or `POD`, which cannot be a container's name.
    let name = label(pod::CONTAINER_NAME).filter(|name| *name != "POD");
    let mut stated = match (kind, name) {
        ("container", Some(name)) => {
            let stated = Stated {
                name: text(name, NAME_MAX),
                sandbox: own("SandboxID").and_then(|id| text(id, NAME_MAX)),
                ..pod
            };
            with_image(stated, own("Image"), own("ImageName"), own("ImageRef"))
        }
        _ => match own("Labels").map(|labels| Json::read_all(labels.as_bytes())) {
            Some(Ok(labels @ Json::Object(_))) => pod::labelled(pod, &labels),
            _ => pod,
        },
    };
    config.mounts(&mut stated);
    Ok(stated)
}

/// The image by what was asked for, by a name that it has, and by its id. The kubelet asks for what it has resolved the image of the
/// pod's specification to: a digest, or an id. Then the name says more, as long as it is of the same repository.
fn with_image(mut stated: Stated, asked: Option<&str>, name: Option<&str>, id: Option<&str>) -> Stated {
    fn full(image: &str) -> Option<ImageRef<'_>> {
        // A short name is one of a registry that the runtime has been configured with.
        ImageRef::parse(image).filter(|image| image.registry.is_some())
    }
    let asked_ref = asked.and_then(full);
    let name_ref = name.and_then(full);
    let image = match (asked_ref, name_ref) {
        (Some(by), Some(of))
            if by.tag.is_none() && (by.registry, by.repository) == (of.registry, of.repository) =>
        {
            name
        }
        (Some(_), _) => asked,
        (None, Some(_)) => name,
        (None, None) => asked.filter(|image| ImageRef::parse(image).is_some()),
    };
    let by_digest = |image: Option<ImageRef<'_>>| image.and_then(|image| digest(image.digest?));
    stated.image = image.and_then(|image| text(image, IMAGE_MAX));
    stated.image_digest = by_digest(asked_ref).or_else(|| by_digest(name_ref));
    // Before 1.18 a reference with a digest.
    stated.image_id = id.and_then(digest).or_else(|| asked.and_then(digest));
    if stated.image_digest.is_none() {
        stated.image_digest = by_digest(id.and_then(ImageRef::parse));
    }
    stated
}

#[cfg(test)]
mod tests;
