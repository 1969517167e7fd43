//! The one image of the containers: a busybox alone, without a registry and without a network.

use std::path::Path;
use std::process::Command;

use crate::temp::TempDir;

/// The reference of the image.
pub const IMAGE: &str = "registry.example/shop/orders:1.4";

/// Another reference of the same image, which a policy would call another image.
pub const OTHER_IMAGE: &str = "registry.example/shop/stranger:1.0";

/// A label that the image has, and so each container of it.
pub const LABEL: (&str, &str) = ("app", "orders");

/// Where the machine has a busybox that needs no libraries.
pub(super) const BUSYBOX: &str = "/usr/bin/busybox";

/// A root file system as an archive, as `import` of every runtime takes it.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub(super) fn archive(dir: &TempDir) -> std::path::PathBuf {
    let root = dir.join("root");
    std::fs::create_dir_all(root.join("bin")).expect("a fresh directory");
    let copied = std::fs::copy(BUSYBOX, root.join("bin/busybox"));
    copied.unwrap_or_else(|e| panic!("cannot copy {BUSYBOX}: {e}"));
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).expect("a fresh directory");
    let file = dir.join("root.tar");
    let done = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&file).arg(".").status();
    assert!(done.is_ok_and(|status| status.success()), "cannot make {}", file.display());
    file
}

/// Whether the machine is one with runtimes: `cargo xtask vm` writes the file that this looks for.
pub(super) fn is_here() -> bool {
    Path::new(BUSYBOX).exists() && Path::new("/run/runtimes").exists()
}
