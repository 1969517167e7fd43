//! What a machine boots, built from a kernel's packages: the uncompressed image and an initial file system that mounts
//! this host's root read-only, under a tmpfs layer that takes the writes.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};

use super::cpio;
use super::packages::{KernelArchive, Unpacked};
use super::tools::Tools;
use crate::sh;
use crate::step::step;

/// Without these there is no disk and no channel to the host; those built into a kernel are left out.
const MODULES: [&str; 4] = ["virtio_pci", "virtio_console", "overlay", "virtiofs"];

/// The first program of the machine.
const INIT: &str = include_str!("init.sh");

/// The second, once this host's root is the machine's.
const START: &str = include_str!("start.sh");

/// What it needs of the machine for container runtimes.
const RUNTIMES: &str = include_str!("runtimes.sh");

/// The third: the same with and without systemd as the first process.
const WORK: &str = include_str!("work.sh");

/// A kernel that can be booted.
#[derive(Debug)]
pub(super) struct Kernel {
    /// As it was asked for.
    pub(super) series: String,
    /// As `uname -r` prints it.
    pub(super) release: String,
    /// An ELF file.
    pub(super) image: PathBuf,
    /// The initial file system; a run adds an archive of its own.
    pub(super) initial: Vec<u8>,
    /// `…/lib/modules/RELEASE`.
    pub(super) modules: PathBuf,
}

impl Kernel {
    /// Fetches one and builds what a machine boots of it.
    ///
    /// # Errors
    /// It is not available, or as [`Self::prepare`].
    pub(super) fn provide(archive: &KernelArchive, tools: &Tools, series: &str) -> Result<Self> {
        step(&format!("kernel {series}"), || {
            let kernel = Self::prepare(series, archive.fetch(series)?, tools)?;
            let release = kernel.release.clone();
            Ok((kernel, release))
        })
    }

    /// Builds one from its packages.
    ///
    /// # Errors
    /// Something that every kernel's packages have is missing.
    fn prepare(series: &str, unpacked: Unpacked, tools: &Tools) -> Result<Self> {
        let Unpacked { release, root } = unpacked;
        let base = [root.clone(), root.join("usr")]
            .into_iter()
            .find(|base| base.join("lib/modules").join(&release).join("kernel").is_dir())
            .ok_or_else(|| anyhow!("the packages of {release} have no modules"))?;
        let modules = base.join("lib/modules").join(&release);
        let mut depmod = tools.command("kmod")?;
        sh::quiet(depmod.arg0("depmod").arg("-b").arg(&base).arg(&release))?;

        let image = root.with_file_name("vmlinux");
        if !image.exists() {
            let compressed = [root.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")]
                .into_iter()
                .find(|path| path.is_file())
                .ok_or_else(|| anyhow!("the packages of {release} have no image"))?;
            let bytes =
                fs::read(&compressed).with_context(|| format!("cannot read {}", compressed.display()))?;
            let partial = image.with_extension("partial");
            fs::write(&partial, uncompressed(&bytes, tools)?)
                .and_then(|()| fs::rename(&partial, &image))
                .with_context(|| format!("cannot write {}", image.display()))?;
        }
        let initial = initial(&modules, tools)?;
        Ok(Self { series: series.to_owned(), release, image, initial, modules })
    }
}

/// The kernel within a `bzImage`, whose header gives its offset (Documentation/arch/x86/boot.rst). Booted
/// uncompressed, it saves the emulator seconds.
fn uncompressed(image: &[u8], tools: &Tools) -> Result<Vec<u8>> {
    let payload = payload(image).ok_or_else(|| anyhow!("the image is not a bzImage"))?;
    let mut unpack = match payload {
        [0x1f, 0x8b, ..] => tools.command("gzip")?,
        [0xfd, b'7', b'z', ..] => tools.command("xz")?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => tools.command("zstd")?,
        [0x02, 0x21, 0x4c, 0x18, ..] => tools.command("lz4")?,
        _ => bail!("the compression of the image is not known here"),
    };
    let kernel = piped(unpack.args(["--decompress", "--stdout", "--quiet"]), payload)?;
    if !kernel.starts_with(b"\x7fELF") {
        bail!("the content of the image is not a kernel");
    }
    Ok(kernel)
}

/// The compressed part of a `bzImage`, without the size that follows it in all formats but gzip.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let setup_sectors = match *image.get(0x1f1)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let from = ((setup_sectors + 1) * 512).checked_add(number(0x248)?)?;
    let payload = image.get(from..from.checked_add(number(0x24c)?)?)?;
    if payload.starts_with(&[0x1f, 0x8b]) {
        Some(payload)
    } else {
        payload.get(..payload.len().checked_sub(4)?)
    }
}

/// Pipes bytes through a program.
fn piped(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let failed = || format!("cannot run `{}`", sh::shown(command));
    let mut child = Command::new(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(failed)?;
    let mut stdin = child.stdin.take().expect("is piped");
    let output = thread::scope(|scope| {
        // It ends when all is written, or when the program stops reading; its status shows which.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    })
    .with_context(failed)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", sh::shown(command), output.status);
    }
    Ok(output.stdout)
}

/// The first file system: a shell, the modules that the next one needs, and the programs.
fn initial(modules: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let index = String::from_utf8_lossy(&read(&modules.join("modules.dep"))?).into_owned();
    let builtin = String::from_utf8_lossy(&read(&modules.join("modules.builtin"))?).into_owned();
    let mut archive = cpio::CpioArchive::default();
    archive.directory("bin");
    archive.file("bin/busybox", &read(&tools.find("busybox")?)?);
    archive.directory("modules");
    let mut list = String::new();
    for module in load_order(&index, &builtin)? {
        let content = read(&modules.join(&module))?;
        let content = match module.rsplit('.').next() {
            Some("xz") => piped(tools.command("xz")?.args(["--decompress", "--stdout"]), &content)?,
            Some("zst") => piped(tools.command("zstd")?.args(["--decompress", "--stdout"]), &content)?,
            _ => content,
        };
        let name = name_of(&module);
        archive.file(&format!("modules/{name}"), &content);
        list.push_str(&name);
        list.push('\n');
    }
    archive.file("modules.list", list.as_bytes());
    archive.file("init", INIT.as_bytes());
    archive.file("start", START.as_bytes());
    archive.file("runtimes", RUNTIMES.as_bytes());
    archive.file("work", WORK.as_bytes());
    Ok(archive.finish())
}

/// The files of the modules needed, each after those it depends on, from the texts of `modules.dep` and
/// `modules.builtin`.
fn load_order(index: &str, builtin: &str) -> Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    for wanted in MODULES {
        let entry = index.lines().filter_map(|line| line.split_once(':'));
        let Some((file, needs)) = entry.into_iter().find(|(file, _)| name_of(file) == wanted) else {
            if builtin.lines().any(|file| name_of(file) == wanted) {
                continue;
            }
            bail!("the kernel has no module {wanted}, which a machine needs");
        };
        // The first dependency to load is listed last.
        for file in needs.split_whitespace().rev().chain([file]) {
            if known.insert(file.to_owned()) {
                order.push(file.to_owned());
            }
        }
    }
    Ok(order)
}

/// A module's name: its file's, up to the first dot, with underscores.
fn name_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_need_and_once() {
        let index = "kernel/fs/fuse/virtiofs.ko.xz: kernel/fs/fuse/fuse.ko.xz kernel/drivers/virtio/virtio.ko.xz\n\
                     kernel/fs/overlayfs/overlay.ko.xz:\n\
                     kernel/drivers/char/virtio_console.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n";
        let builtin = "kernel/drivers/virtio/virtio-pci.ko\n";
        let order = load_order(index, builtin).expect("all are there");
        let names: Vec<String> = order.iter().map(|file| name_of(file)).collect();
        assert_eq!(names, ["virtio", "virtio_console", "overlay", "fuse", "virtiofs"]);
        let error = load_order(index, "").expect_err("one is missing").to_string();
        assert!(error.contains("virtio_pci"), "{error}");
    }

    #[test]
    fn the_kernel_lies_where_the_header_says() {
        let mut image = vec![0_u8; 4096];
        image[0x1f1] = 2;
        image[0x248..0x24c].copy_from_slice(&64_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&10_u32.to_le_bytes());
        image[1600..1610].copy_from_slice(b"\xfd7zXZ.size");
        assert_eq!(payload(&image), Some(&b"\xfd7zXZ."[..]));
        image[1600..1602].copy_from_slice(&[0x1f, 0x8b]);
        assert_eq!(payload(&image).map(<[u8]>::len), Some(10));
        image[0x24c..0x250].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(payload(&image), None);
        assert_eq!(payload(&[]), None);
    }
}
