//! Kernels from Debian's packages. They come through a separate configuration of apt (sources, lists, cache, status),
//! so that the machine's own package manager never sees other releases' packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::series::NEWEST;
use super::tools;
use crate::setup::apt;
use crate::sh;
use crate::step::note;

/// Suites of the main archive: those of the long-lived series, and where the newest kernels appear first.
const SUITES: [&str; 5] = ["bullseye", "bookworm", "trixie", "trixie-backports", "sid"];

/// Suites of the security archive, which is ahead of the other.
const SECURITY: [&str; 3] = ["bullseye-security", "bookworm-security", "trixie-security"];

/// The package that always depends on a suite's current kernel for virtual machines.
const META: &str = "linux-image-cloud-amd64";

/// The keys of all Debian releases, where Debian's own package installs them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Lists older than this are read again; kernels appear about weekly.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// What the suites offer.
#[derive(Debug)]
pub(super) struct KernelArchive {
    home: PathBuf,
    versions: Vec<String>,
}

/// A kernel's packages, unpacked one over the other.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// As `uname -r` will print it.
    pub(super) release: String,
    /// The folder that stands for `/`.
    pub(super) root: PathBuf,
}

impl KernelArchive {
    /// Reads the suites' lists.
    ///
    /// # Errors
    /// No apt here, no Debian among its sources, or no list could be read.
    pub(super) fn open(home: &Path) -> Result<Self> {
        let mut archive = Self { home: home.to_owned(), versions: Vec::new() };
        let mirrors = mirrors()?;
        archive.configure(&mirrors)?;
        if !archive.is_fresh() {
            // If a suite is gone, the others stay usable; what is missing shows when its kernel is asked for.
            match sh::quiet(archive.apt("apt-get").args(["update", "--quiet", "--error-on=any"])) {
                Ok(_) => fs::write(archive.stamp(), "").context("cannot mark the lists as read")?,
                Err(error) => note(format_args!("not every list could be read: {error:#}")),
            }
        }
        let listed = sh::quiet(archive.apt("apt-cache").args(["madison", META]))?;
        archive.versions = versions(&listed);
        if archive.versions.is_empty() {
            bail!("none of Debian's suites offers {META}");
        }
        Ok(archive)
    }

    /// The available versions, newest first, as one line.
    pub(super) fn offered(&self) -> String {
        self.versions.join(", ")
    }

    /// Unpacks the newest kernel of a series, unless it is there already.
    ///
    /// # Errors
    /// None is available, or its packages cannot be fetched.
    pub(super) fn fetch(&self, series: &str) -> Result<Unpacked> {
        let Some(version) = newest_of(series, &self.versions) else {
            bail!("no suite offers a kernel of this series (available: {})", self.offered());
        };
        let meta = self.depends(META, version)?;
        let is_image = |name: &&String| {
            name.strip_prefix("linux-image-")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let Some(image) = meta.iter().find(is_image) else {
            bail!("{META} {version} depends on no kernel");
        };
        let release = image.trim_start_matches("linux-image-").to_owned();
        let root = self.home.join("kernels").join(&release).join("root");
        if !root.exists() {
            let mut parts = vec![image.clone()];
            // Newer kernels are split over several packages, all named after the release.
            let more = self.depends(image, version)?;
            parts.extend(more.into_iter().filter(|name| name.ends_with(&release)));
            self.unpack(&parts, version, &root)?;
        }
        Ok(Unpacked { release, root })
    }

    fn unpack(&self, parts: &[String], version: &str, root: &Path) -> Result<()> {
        let folder = root.with_file_name("packages");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        note(format_args!("apt-get download {} ({version})", parts.join(" ")));
        let mut download = self.apt("apt-get");
        download.args(["download", "--quiet", "-o", "APT::Sandbox::User=root"]).current_dir(&folder);
        sh::quiet(download.args(parts.iter().map(|name| format!("{name}={version}"))))?;
        // Renamed once it is complete, so that an interrupted run leaves nothing that looks like a kernel.
        let partial = root.with_file_name("partial");
        for deb in tools::files(&folder, "deb")? {
            sh::quiet(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&partial))?;
        }
        fs::rename(&partial, root).with_context(|| format!("cannot make {}", root.display()))?;
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }

    /// The packages that one depends on, by name; each alternative counts.
    fn depends(&self, package: &str, version: &str) -> Result<Vec<String>> {
        let shown = sh::quiet(self.apt("apt-cache").args(["show", &format!("{package}={version}")]))?;
        Ok(depends(&shown))
    }

    fn configure(&self, mirrors: &Mirrors) -> Result<()> {
        let dir = self.dir();
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder)).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).with_context(|| format!("cannot write in {}", dir.display()))
        };
        let sources = mirrors.sources();
        if fs::read_to_string(dir.join("sources.list")).is_ok_and(|old| old != sources) {
            let _absent = fs::remove_file(self.stamp());
        }
        write("sources.list", &sources)?;
        write("status", "")?;
        let home = dir.display();
        write(
            "apt.conf",
            &format!(
                "Dir::Etc::SourceList \"{home}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n\
                 Dir::Etc::Preferences \"/dev/null\";\nDir::Etc::PreferencesParts \"/dev/null\";\n\
                 Dir::State \"{home}\";\nDir::State::Status \"{home}/status\";\nDir::Cache \"{home}/cache\";\n\
                 Acquire::Languages \"none\";\nAPT::Architecture \"amd64\";\n"
            ),
        )
    }

    fn dir(&self) -> PathBuf {
        self.home.join("apt")
    }

    fn stamp(&self) -> PathBuf {
        self.dir().join("updated")
    }

    fn is_fresh(&self) -> bool {
        fs::metadata(self.stamp())
            .and_then(|stamp| stamp.modified())
            .is_ok_and(|read| read.elapsed().is_ok_and(|age| age < FRESH))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.dir().join("apt.conf")).env("LC_ALL", "C");
        command
    }
}

/// Where this machine gets Debian's packages from.
#[derive(Debug, PartialEq, Eq)]
struct Mirrors {
    main: String,
    security: Option<String>,
}

impl Mirrors {
    /// Reads lines of `LABEL|URL`.
    fn read(targets: &str) -> Option<Self> {
        let of = |label: &str| {
            let lines = targets.lines().filter_map(|line| line.split_once('|'));
            lines.into_iter().find(|(is, _)| *is == label).map(|(_, url)| url.to_owned())
        };
        Some(Self { main: of("Debian")?, security: of("Debian-Security") })
    }

    fn sources(&self) -> String {
        let signed = if Path::new(KEYS).exists() { format!(" signed-by={KEYS}") } else { String::new() };
        // `target` leaves out what else this machine's apt reads, such as descriptions of applications.
        let line =
            |url: &str, suite: &str| format!("deb [arch=amd64 target=Packages{signed}] {url} {suite} main\n");
        let main = SUITES.iter().map(|suite| line(&self.main, suite));
        let security =
            self.security.iter().flat_map(|url| SECURITY.iter().map(move |suite| line(url, suite)));
        main.chain(security).collect()
    }
}

/// Where this machine gets the main archive from.
///
/// # Errors
/// No apt here, or no Debian among its sources.
pub(crate) fn mirror() -> Result<String> {
    Ok(mirrors()?.main)
}

/// The mirrors that this machine's own sources name.
fn mirrors() -> Result<Mirrors> {
    if !apt::exists() {
        bail!("Debian's kernels come through apt, and there is no apt-get here");
    }
    let read = || -> Result<Option<Mirrors>> {
        let mut list = Command::new("apt-get");
        list.args(["indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]);
        Ok(Mirrors::read(&sh::quiet(&mut list)?))
    };
    if let Some(mirrors) = read()? {
        return Ok(mirrors);
    }
    // The labels are known only once the lists are there.
    apt::update()?;
    let Some(mirrors) = read()? else {
        bail!("this machine's apt sources name no mirror of Debian to take kernels from");
    };
    Ok(mirrors)
}

/// The versions in lines of `PACKAGE | VERSION | SOURCE`, newest first.
fn versions(madison: &str) -> Vec<String> {
    let mut versions: Vec<String> =
        madison.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned())).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(numbers(version)));
    versions.dedup();
    versions
}

/// The numbers of a version in their order, by which kernels' versions compare.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The newest version of a series; `versions` are newest first.
fn newest_of<'a>(series: &str, versions: &'a [String]) -> Option<&'a String> {
    let wanted = |version: &&String| {
        series == NEWEST || version.strip_prefix(series).is_some_and(|rest| rest.starts_with(['.', '-', '~']))
    };
    versions.iter().filter(|version| !version.contains("~rc")).find(wanted)
}

/// The names in the `Depends:` of a package's description.
fn depends(description: &str) -> Vec<String> {
    let line = description.lines().find_map(|line| line.strip_prefix("Depends:")).unwrap_or_default();
    let names = line.split([',', '|']).filter_map(|one| one.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADISON: &str = "\
        linux-image-cloud-amd64 | 6.1.176-1 | http://mirror/debian bookworm/main amd64 Packages\n\
        linux-image-cloud-amd64 | 7.3.4-1~bpo13+1 | http://mirror/debian trixie-backports/main amd64 Packages\n\
        linux-image-cloud-amd64 | 7.4~rc2-1 | http://mirror/debian sid/main amd64 Packages\n\
        linux-image-cloud-amd64 | 6.12.117-1 | http://mirror/debian trixie/main amd64 Packages\n\
        linux-image-cloud-amd64 | 6.1.192-2 | http://mirror/security bookworm-security/main amd64 Packages\n\
        linux-image-cloud-amd64 | 6.12.117-1 | http://mirror/security trixie-security/main amd64 Packages\n";

    #[test]
    fn a_series_is_not_mistaken_for_another_that_begins_alike() {
        let versions = versions(MADISON);
        assert_eq!(newest_of("6.1", &versions).map(String::as_str), Some("6.1.192-2"));
        assert_eq!(newest_of("6.12", &versions).map(String::as_str), Some("6.12.117-1"));
        assert_eq!(newest_of("5.10", &versions), None);
    }

    #[test]
    fn the_newest_is_a_release_and_no_candidate_of_one() {
        let versions = versions(MADISON);
        assert_eq!(newest_of(NEWEST, &versions).map(String::as_str), Some("7.3.4-1~bpo13+1"));
    }

    #[test]
    fn dependencies_are_read_with_their_alternatives() {
        let shown = "Package: x\nDepends: dracut | initramfs-tools (>= 0.120), linux-base-7.3 (= 7.3.4-1)\n";
        assert_eq!(depends(shown), ["dracut", "initramfs-tools", "linux-base-7.3"]);
        assert!(depends("Package: y\n").is_empty());
    }

    #[test]
    fn the_mirror_is_the_machines_own() {
        let targets = "Other|http://a/x\nDebian|http://m/debian/\nDebian|http://m/debian/\nDebian-Security|http://m/s/\n";
        let mirrors = Mirrors::read(targets).expect("there is one");
        assert_eq!(
            (mirrors.main.as_str(), mirrors.security.as_deref()),
            ("http://m/debian/", Some("http://m/s/"))
        );
        assert!(mirrors.sources().contains(" http://m/s/ trixie-security main\n"));
        assert_eq!(Mirrors::read("Ubuntu|http://u/\n"), None);
    }
}
