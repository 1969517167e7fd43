//! What the state of container runtimes says: bytes of their files to names.
//!
//! Belongs here: parsers, total over all bytes, and what the texts mean. Finding and opening the files, and whose they are, is
//! `host::containers`. Each file of a runtime has its own parser; all return [`Stated`].

pub mod bolt;
pub mod containerd;
pub mod crio;
pub mod docker;
mod image;
mod json;
pub mod kubelet;
mod labels;
pub mod machine;
mod oci;
mod pod;
pub mod podman;
mod shown;
pub mod sqlite;
mod stated;
mod unreadable;
mod workload;

pub use image::{DEFAULT_TAG, DOCKER_HUB, ImageRef};
pub use labels::{BYTES_MAX as LABEL_BYTES_MAX, LABELS_MAX, Labels};
pub use shown::ShownLabels;
pub use stated::{IMAGE_MAX, Mount, NAME_MAX, Stated, digest, text};
pub use unreadable::Unreadable;
pub use workload::KINDS as WORKLOAD_KINDS;
