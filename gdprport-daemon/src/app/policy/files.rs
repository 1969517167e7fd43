//! Reading the policy's files from disk.
//!
//! Belongs here: which files there are and their text. What they mean is `core::policy`'s.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use gdprport_core::policy::{FILE_BYTES_MAX, FILES_MAX, Policy, Problems, Source, catalog_only, compile};

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

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    /// A file cannot be read.
    #[error("cannot read the policy {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system call.
        source: std::io::Error,
    },
    /// The policy has errors; the text lists every one of them.
    #[error("{0}")]
    Problems(#[from] Problems),
}

impl PolicyError {
    /// How many problems it lists.
    #[must_use]
    pub(crate) const fn count(&self) -> u64 {
        match self {
            Self::Read { .. } => 1,
            Self::Problems(problems) => (problems.list.len() + problems.omitted) as u64,
        }
    }
}

/// A policy and the files it came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub policy: Policy,
    /// The files, in the order read; empty for the catalog.
    pub files: Vec<String>,
}

impl PolicyFiles {
    /// Reads and compiles.
    ///
    /// # Errors
    /// A file that cannot be read, or all problems of all files at once.
    pub(crate) fn load(&self) -> Result<Loaded, PolicyError> {
        let paths = match self {
            Self::Named(paths) => paths.clone(),
            Self::Directory(dir) => present(dir)?,
            Self::Catalog => Vec::new(),
        };
        if paths.is_empty() {
            return Ok(Loaded { policy: catalog_only(), files: Vec::new() });
        }
        let sources = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let policy = compile(&sources)?;
        Ok(Loaded { policy, files: sources.into_iter().map(|source| source.name).collect() })
    }
}

/// The files of a policy directory: the main one first, then the drop-ins by name.
fn present(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let mut paths = Vec::new();
    let main = dir.join("policy.toml");
    if main.exists() {
        paths.push(main);
    }
    let drop_ins = dir.join("policy.d");
    let entries = match std::fs::read_dir(&drop_ins) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(paths),
        Err(source) => return Err(PolicyError::Read { path: drop_ins, source }),
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .take(FILES_MAX)
        .collect();
    found.sort();
    paths.extend(found);
    Ok(paths)
}

fn read(path: &Path) -> Result<Source, PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the compiler sees that it is too much, whatever the file is.
    let limit = FILE_BYTES_MAX as u64 + 1;
    std::fs::File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        failed(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
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
        let loaded = PolicyFiles::Directory(dir.path().to_owned()).load().expect("the catalog");
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

    #[test]
    fn a_named_file_that_is_missing_is_an_error_that_names_it() {
        let files = PolicyFiles::Named(vec!["/nonexistent/policy.toml".into()]);
        let error = files.load().expect_err("missing").to_string();
        assert!(error.starts_with("cannot read the policy /nonexistent/policy.toml: "), "{error}");
    }
}
