//! The programs that build and run a machine. They are unpacked beside the build and not installed: an emulator is
//! large, and its packages may conflict with other versions on this machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::setup::apt;
use crate::sh;
use crate::step::note;

/// What is needed: the emulator, the first programs of the machine, its modules' index, and unpackers.
const PACKAGES: [&str; 6] = ["qemu-system-x86", "busybox-static", "kmod", "lz4", "xz-utils", "zstd"];

/// The server of shared folders, where it is a separate package (from Debian 13 on).
const SHARE_PACKAGE: &str = "virtiofsd";

/// Paths of the server of shared folders, by package and release.
const SHARE: [&str; 2] = ["usr/libexec/virtiofsd", "usr/lib/qemu/virtiofsd"];

/// Programs, from the unpacked packages or else from the machine.
#[derive(Debug)]
pub(super) struct Tools {
    root: PathBuf,
    share: PathBuf,
}

impl Tools {
    /// Fetches and unpacks what is not there yet; returns a description of the result.
    ///
    /// # Errors
    /// No apt, no network, or a program that the packages should hold and do not.
    pub(super) fn provide(home: &Path) -> Result<(Self, String)> {
        let root = home.join("tools");
        if let Ok(tools) = Self::complete(root.clone()) {
            return Ok((tools, format!("in {}", root.display())));
        }
        if !apt::exists() {
            bail!("the emulator comes from Debian's packages, and there is no apt-get here");
        }
        let debs = home.join("tools-packages");
        let mut packages = PACKAGES.to_vec();
        if apt::candidate(SHARE_PACKAGE)?.is_some() {
            packages.push(SHARE_PACKAGE);
        }
        note(format_args!("apt-get install --download-only {}", packages.join(" ")));
        apt::download(&packages, &debs)?;
        let mut count = 0;
        for deb in files(&debs, "deb")? {
            sh::quiet(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&root))?;
            count += 1;
        }
        fs::remove_dir_all(&debs).with_context(|| format!("cannot remove {}", debs.display()))?;
        let tools = Self::complete(root.clone())?;
        Ok((tools, format!("unpacked {count} packages into {}", root.display())))
    }

    /// Takes the folder as it is, if nothing is missing.
    fn complete(root: PathBuf) -> Result<Self> {
        let share = SHARE
            .iter()
            .flat_map(|place| [root.join(place), Path::new("/").join(place)])
            .find(|path| path.is_file())
            .ok_or_else(|| anyhow!("virtiofsd is in none of the packages"))?;
        let tools = Self { root, share };
        for program in ["qemu-system-x86_64", "busybox", "kmod", "lz4", "xz", "zstd"] {
            tools.find(program)?;
        }
        Ok(tools)
    }

    /// The path of a program.
    ///
    /// # Errors
    /// It is neither among the unpacked ones nor on this machine.
    pub(super) fn find(&self, program: &str) -> Result<PathBuf> {
        ["usr/bin", "bin", "usr/sbin", "sbin"]
            .iter()
            .map(|dir| self.root.join(dir).join(program))
            .find(|path| path.is_file())
            .or_else(|| sh::find(program))
            .ok_or_else(|| anyhow!("{program} is missing: remove {} and repeat this", self.root.display()))
    }

    /// A command that finds the unpacked libraries.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(self.find(program)?);
        command.env("LD_LIBRARY_PATH", self.libraries());
        Ok(command)
    }

    /// The same as root, ended after so many seconds, or by Ctrl-C like everything else in this terminal.
    ///
    /// # Errors
    /// As [`Self::find`]; neither root nor sudo.
    pub(super) fn as_root_for(&self, seconds: u64, program: &Path) -> Result<Command> {
        let mut libraries = OsString::from("LD_LIBRARY_PATH=");
        libraries.push(self.libraries());
        let mut command = sh::as_root("env")?;
        command
            .arg(libraries)
            .args(["timeout", "--foreground", "--kill-after=5", &seconds.to_string()])
            .arg(program);
        Ok(command)
    }

    /// The server of shared folders.
    pub(super) fn share(&self) -> &Path {
        &self.share
    }

    /// Folders with the emulator's firmware.
    pub(super) fn firmware(&self) -> [PathBuf; 2] {
        ["usr/share/qemu", "usr/share/seabios"].map(|dir| self.root.join(dir))
    }

    /// Where the unpacked libraries are, for `LD_LIBRARY_PATH`.
    pub(super) fn libraries(&self) -> OsString {
        let own = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|dir| self.root.join(dir));
        let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let inherited = env::split_paths(&inherited).filter(|path| !path.as_os_str().is_empty());
        env::join_paths(own.into_iter().chain(inherited)).unwrap_or_default()
    }
}

/// The files of a folder with this extension.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|is| is == extension));
    files.sort();
    Ok(files)
}
