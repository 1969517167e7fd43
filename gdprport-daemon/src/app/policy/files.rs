//! Reading the policy's files from disk.
//!
//! Belongs here: which files there are and their text. What they mean is `core::policy`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gdprport_core::policy::{
    FILE_BYTES_MAX, FILES_MAX, Outline, Policy, Problems, Severity, Source, compile, outline,
};

use crate::host::configured;
use crate::host::trust::{Exposure, exposure, exposure_of_directory};

/// How long the file system may take for all files in a reload: two in a row take less than a client waits for the reply.
pub(crate) const RELOAD_WITHIN: Duration = Duration::from_millis(1_500);

/// Where the policy is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyFiles {
    /// These files, all of which must exist.
    Named(Vec<PathBuf>),
    /// `policy.toml` and `policy.d/*.toml` in this directory, as far as they exist; the catalog if none does.
    Directory(PathBuf),
    /// No file: the catalog.
    Catalog,
}

/// What is done about a file that others than root can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is refused: whoever writes it decides what is declared.
    RootOnly,
    /// It is taken, with a warning.
    Anyone,
}

/// Whether root's daemon would refuse a file that this process writes there.
pub(crate) fn exposed_where_written(file: &Path) -> bool {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let exposed = || exposure(directory.unwrap_or(Path::new("."))).is_ok_and(|found| found.is_some());
    !rustix::process::geteuid().is_root() || exposed()
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    /// A file cannot be read.
    #[error("cannot read the policy {}: {source}{}", path.display(), remedy(source.kind()))]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// Others than root can change a file.
    #[error("cannot use the policy {}, as others than root can change it: {how}; --any-owner takes it all the same", path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// How they can.
        how: Exposure,
    },
    /// The policy has errors; the text lists every one of them.
    #[error("{0}")]
    Problems(#[from] Problems),
}

/// What to do about a file that cannot be read, as the end of a sentence.
const fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "; name a file that is there, `gdprport init` writes a first one",
        io::ErrorKind::PermissionDenied => "; run this with sudo",
        io::ErrorKind::IsADirectory => "; name the files in it",
        _ => "",
    }
}

impl PolicyError {
    /// The same with the errors alone, of which there is one at least: warnings are no reason.
    pub(crate) fn without_warnings(mut self) -> Self {
        if let Self::Problems(problems) = &mut self {
            problems.list.retain(|problem| problem.severity == Severity::Error);
        }
        self
    }

    /// How many problems it lists.
    #[must_use]
    pub(crate) const fn count(&self) -> u64 {
        match self {
            Self::Read { .. } | Self::Exposed { .. } => 1,
            Self::Problems(problems) => (problems.list.len() + problems.omitted) as u64,
        }
    }
}

/// A policy and the files it came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub policy: Arc<Policy>,
    /// The files, in the order read; empty for the catalog.
    pub files: Vec<String>,
    /// Their texts, in the same order.
    pub sources: Arc<[Source]>,
    /// Of which of them others than root can change something, and how; only with [`Trust::Anyone`].
    pub exposed: Vec<String>,
}

impl Loaded {
    /// Compiles texts that are known already.
    ///
    /// # Errors
    /// All problems of all texts at once.
    pub(crate) fn compile(sources: Vec<Source>, exposed: Vec<String>) -> Result<Self, PolicyError> {
        let policy = Arc::new(compile(&sources)?);
        let files = sources.iter().map(|source| source.name.clone()).collect();
        Ok(Self { policy, files, sources: sources.into(), exposed })
    }
}

/// A policy as its author wrote it, and compiled.
#[derive(Debug)]
pub(crate) struct Written {
    pub outline: Outline,
    pub policy: Policy,
    /// The digest of that.
    pub digest: Arc<str>,
    /// The texts, in the order read; empty for the catalog.
    pub sources: Vec<Source>,
    /// As in [`Loaded`].
    pub exposed: Vec<String>,
}

/// How a policy is read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    trust: Trust,
    read: fn(&Path, u64) -> io::Result<Vec<u8>>,
}

impl PolicyFiles {
    /// Reads and compiles. Files that do not come within this time are an error.
    ///
    /// # Errors
    /// A file that cannot be read or that others can change, or all problems of all files at once.
    pub(crate) fn load(&self, trust: Trust, within: Duration) -> Result<Loaded, PolicyError> {
        let at = Arc::new(Mutex::new(PathBuf::new()));
        let (files, place) = (self.clone(), Arc::clone(&at));
        let reading = Reading { trust, read: configured::read };
        let texts = configured::within(within, move || files.read(reading, &place));
        let texts = texts.unwrap_or_else(|late| {
            let path = at.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Err(PolicyError::Read { path, source: late.into() })
        });
        texts?.compile()
    }

    /// The same for a person who checks a policy and can interrupt it: waits for files, pipes too.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn check(&self, trust: Trust) -> Result<Loaded, PolicyError> {
        self.read(Reading { trust, read: configured::read_waiting }, &Mutex::default())?.compile()
    }

    /// As [`check`](Self::check), for who judges the policy itself.
    ///
    /// # Errors
    /// As [`check`](Self::check), and what an outline cannot hold.
    pub(crate) fn outline(&self, trust: Trust) -> Result<Written, PolicyError> {
        let reading = Reading { trust, read: configured::read_waiting };
        let Texts { sources, exposed } = self.read(reading, &Mutex::default())?;
        let (outline, policy) = outline(&sources)?;
        let digest = policy.digest().into();
        Ok(Written { outline, policy, digest, sources, exposed })
    }

    /// The texts as they are, for who compares them.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn texts(&self) -> Result<Vec<Source>, PolicyError> {
        let reading = Reading { trust: Trust::Anyone, read: configured::read_waiting };
        Ok(self.read(reading, &Mutex::default())?.sources)
    }

    /// Reads the texts; `at` is the file that is being read.
    fn read(&self, reading: Reading, at: &Mutex<PathBuf>) -> Result<Texts, PolicyError> {
        let mut texts = Texts::default();
        let begin =
            |path: &Path| at.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&path.to_path_buf());
        let paths = match self {
            Self::Named(paths) => paths.clone(),
            Self::Directory(dir) => {
                begin(dir);
                let paths = present(dir)?;
                let drop_ins = dir.join(DROP_INS);
                if paths.iter().any(|path| path.starts_with(&drop_ins)) {
                    texts.examine(&drop_ins, exposure_of_directory, reading.trust)?;
                }
                paths
            }
            Self::Catalog => Vec::new(),
        };
        for path in paths {
            begin(&path);
            texts.sources.push(source(&path, reading)?);
            texts.examine(&path, exposure, reading.trust)?;
        }
        Ok(texts)
    }
}

/// The texts of a policy.
#[derive(Default)]
struct Texts {
    sources: Vec<Source>,
    exposed: Vec<String>,
}

impl Texts {
    /// Examines who can change a file or a directory.
    fn examine(
        &mut self,
        path: &Path,
        exposure: fn(&Path) -> io::Result<Option<Exposure>>,
        trust: Trust,
    ) -> Result<(), PolicyError> {
        // A pipe has no owner that matters, and no place.
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            return Ok(());
        }
        let found = exposure(path).map_err(|source| PolicyError::Read { path: path.to_owned(), source })?;
        match (found, trust) {
            (None, _) => Ok(()),
            (Some(how), Trust::RootOnly) => Err(PolicyError::Exposed { path: path.to_owned(), how }),
            (Some(how), Trust::Anyone) => {
                self.exposed.push(format!("others than root can change {}: {how}", path.display()));
                Ok(())
            }
        }
    }

    fn compile(self) -> Result<Loaded, PolicyError> {
        Loaded::compile(self.sources, self.exposed)
    }
}

/// The directory of drop-ins beside the main file.
const DROP_INS: &str = "policy.d";

/// The files of a policy directory: the main one first, then the drop-ins by name.
fn present(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let failed = |path: &Path, source| PolicyError::Read { path: path.to_owned(), source };
    let mut paths = Vec::new();
    let main = dir.join("policy.toml");
    // A link that leads nowhere, or a directory that may not be entered, is not "no policy".
    match std::fs::symlink_metadata(&main) {
        Ok(_) => paths.push(main),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed(&main, source)),
    }
    let drop_ins = dir.join(DROP_INS);
    let entries = match std::fs::read_dir(&drop_ins) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(paths),
        Err(source) => return Err(failed(&drop_ins, source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(&drop_ins, source))?.path();
        // One more than allowed, so that the compiler sees that there are too many.
        if path.extension().is_some_and(|extension| extension == "toml") && found.len() <= FILES_MAX {
            found.push(path);
        }
    }
    found.sort();
    paths.extend(found);
    Ok(paths)
}

fn source(path: &Path, reading: Reading) -> Result<Source, PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    // One byte more than allowed, so that the compiler sees that it is too much, whatever the file is.
    let bytes = (reading.read)(path, FILE_BYTES_MAX as u64 + 1).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("byte {at} is not UTF-8, which TOML demands"),
        ))
    })?;
    Ok(Source { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_means_the_catalog() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let loaded = PolicyFiles::Directory(dir.path().to_owned())
            .load(Trust::RootOnly, RELOAD_WITHIN)
            .expect("the catalog");
        assert!(loaded.policy.is_catalog_only() && loaded.files.is_empty());
    }

    #[test]
    fn drop_ins_are_read_after_the_main_file_in_order_of_name() {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join("policy.d")).expect("directory");
        for name in ["policy.d/20-b.toml", "policy.toml", "policy.d/10-a.toml", "policy.d/notes.txt"] {
            std::fs::write(dir.path().join(name), "version = 1\n").expect("file");
        }
        let paths = present(dir.path()).expect("readable");
        let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["policy.toml", "10-a.toml", "20-b.toml"]);
    }

    fn mode(path: &Path, bits: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).expect("mode");
    }

    /// A policy directory with one drop-in, which root alone can change.
    fn directory() -> (tempfile::TempDir, PolicyFiles) {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join("policy.d")).expect("directory");
        mode(&dir.path().join("policy.d"), 0o755);
        for name in ["policy.toml", "policy.d/10-a.toml"] {
            std::fs::write(dir.path().join(name), "version = 1\n").expect("file");
            mode(&dir.path().join(name), 0o644);
        }
        let files = PolicyFiles::Directory(dir.path().to_owned());
        (dir, files)
    }

    #[test]
    fn what_others_can_change_is_refused_or_taken_with_a_warning() {
        let (dir, files) = directory();
        let loaded = files.load(Trust::RootOnly, RELOAD_WITHIN).expect("in order");
        assert_eq!((loaded.files.len(), loaded.exposed.len()), (2, 0));
        for (name, exposed, right) in [
            ("policy.toml", 0o664, 0o644),
            ("policy.d/10-a.toml", 0o646, 0o644),
            ("policy.d", 0o775, 0o755),
            ("policy.d", 0o1777, 0o755),
            ("", 0o777, 0o700),
        ] {
            let path = dir.path().join(name);
            mode(&path, exposed);
            let error = files.load(Trust::RootOnly, RELOAD_WITHIN).expect_err(name);
            assert!(matches!(error, PolicyError::Exposed { .. }), "{name}: {error}");
            let text = error.to_string();
            assert!(text.contains("chmod go-w") && text.contains("--any-owner"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            let taken = files.load(Trust::Anyone, RELOAD_WITHIN).expect("taken all the same");
            assert!(taken.exposed.iter().any(|said| said.contains("chmod go-w")), "{:?}", taken.exposed);
            mode(&path, right);
        }
    }

    #[test]
    fn what_is_no_file_is_an_error_and_not_waited_for() {
        let (dir, files) = directory();
        let begun = std::time::Instant::now();
        for name in ["policy.toml", "policy.d/10-a.toml"] {
            let path = dir.path().join(name);
            std::fs::remove_file(&path).expect("it was written");
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o644.into(), 0)
                .expect("a FIFO");
            let error = files.load(Trust::Anyone, RELOAD_WITHIN).expect_err("a FIFO").to_string();
            assert!(error.ends_with(&format!("{name}: it is a FIFO, not a regular file")), "{error}");
            std::fs::remove_file(&path).expect("it is there");
            std::os::unix::fs::symlink("/dev/zero", &path).expect("link");
            let error = files.load(Trust::Anyone, RELOAD_WITHIN).expect_err("a device").to_string();
            assert!(error.ends_with(&format!("{name}: it is a device, not a regular file")), "{error}");
            std::fs::remove_file(&path).expect("it is there");
            std::fs::write(&path, "version = 1\n").expect("file");
        }
        assert!(begun.elapsed() < RELOAD_WITHIN, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_main_file_that_leads_nowhere_is_not_no_policy() {
        let (dir, files) = directory();
        std::fs::remove_file(dir.path().join("policy.toml")).expect("it was written");
        std::os::unix::fs::symlink("nowhere", dir.path().join("policy.toml")).expect("link");
        assert!(files.load(Trust::RootOnly, RELOAD_WITHIN).is_err());
    }

    #[test]
    fn too_many_drop_ins_are_an_error_and_none_is_left_out() {
        let (dir, files) = directory();
        for number in 0..FILES_MAX {
            std::fs::write(dir.path().join(format!("policy.d/{number}.toml")), "version = 1\n")
                .expect("file");
        }
        // As long as it takes: a busy machine reads a thousand files slowly.
        let error = files.load(Trust::Anyone, Duration::from_secs(600)).expect_err("too many").to_string();
        assert!(error.contains("more than 1024 files"), "{error}");
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error_that_names_it() {
        let files = PolicyFiles::Named(vec!["/nonexistent/policy.toml".into()]);
        let error = files.load(Trust::RootOnly, RELOAD_WITHIN).expect_err("missing").to_string();
        assert!(error.starts_with("cannot read the policy /nonexistent/policy.toml: "), "{error}");
    }
}
