//! Whether the evidence log can be written, and by which public key it is verified.

use std::path::Path;

use gdprport_core::delivery::SecretRef;

use super::room::free_bytes;
use crate::app::config::EvidenceConfig;
use crate::control::api::{Check, CheckResult};
use crate::host::trust::exposure_of_state;
use crate::sink::evidence::{Standing, Unread, read_key};

/// What is left of its file system below which it may not be written any more soon.
const SPACE: u64 = 64 << 20;

/// How it is. `running`: of a daemon that runs in this process, which may keep none. `configured`: what the next one would keep.
pub(super) fn check(running: Option<Option<&Standing>>, configured: &EvidenceConfig) -> Option<Check> {
    let mut unknown = "its key is made by the first start".to_owned();
    let (path, key, problem) = match running {
        Some(standing) => {
            let standing = standing?;
            (standing.dir.clone(), standing.key.clone(), standing.problem.clone())
        }
        None => {
            let settings = configured.of_host()?;
            if let SecretRef::Credential(name) = &settings.key {
                unknown =
                    format!("its key is the credential {name}, which systemd passes to the service alone");
            }
            let (key, problem) = match read_key(&settings.key) {
                Ok(key) => (Some(key.public().to_string()), None),
                Err(Unread::Absent) => (None, None),
                Err(Unread::Unusable(why)) => (None, Some(why)),
            };
            (settings.dir, key, problem)
        }
    };
    let (result, found, remedy) = match wrong(&path, problem) {
        Some((found, remedy)) => (CheckResult::Degraded, found, remedy),
        None => {
            let by = key.map_or(unknown, |key| format!("its public key is {key}"));
            (CheckResult::Ok, format!("{}; {by}", path.display()), None)
        }
    };
    Some(Check { id: "evidence".to_owned(), result, found, remedy })
}

/// What is wrong with it in one sentence, and what to do.
fn wrong(path: &Path, problem: Option<String>) -> Option<(String, Option<String>)> {
    let shown = path.display();
    if let Some(problem) = problem {
        return Some(match problem.split_once("; ") {
            Some((found, remedy)) => (found.to_owned(), Some(remedy.to_owned())),
            None => (problem, None),
        });
    }
    if let Ok(Some(how)) = exposure_of_state(path) {
        let remedy = "let only root and the service change it".to_owned();
        return Some((
            format!("others than root can change {shown}, so nothing is logged: {how}"),
            Some(remedy),
        ));
    }
    match free_bytes(&path.join("in")) {
        Some(free) if free < SPACE => {
            let remedy = "make room there, or set `keep` or `path` in [evidence] of gdprport.toml".to_owned();
            Some((format!("{} MiB are free where {shown} is", free >> 20), Some(remedy)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(dir: &Path, problem: Option<&str>) -> Standing {
        let key = Some("gdprport/h+01020304+AQ".to_owned());
        Standing { dir: dir.to_owned(), key, problem: problem.map(ToOwned::to_owned), ..Standing::default() }
    }

    #[test]
    fn a_log_shows_its_public_key_and_one_that_fails_why() {
        let (dir, none) = (tempfile::tempdir().expect("a directory"), EvidenceConfig::default());
        assert_eq!(check(Some(None), &none), None, "the daemon keeps none");
        let fine = check(Some(Some(&standing(dir.path(), None))), &none).expect("one is kept");
        assert_eq!(fine.result, CheckResult::Ok);
        assert!(fine.found.ends_with("its public key is gdprport/h+01020304+AQ"), "{}", fine.found);
        let full = "the log /e cannot be written: No space left on device";
        let full = check(Some(Some(&standing(dir.path(), Some(full)))), &none).expect("one is kept");
        assert_eq!(full.result, CheckResult::Degraded);
        assert!(full.found.contains("No space left"), "{}", full.found);
    }
}
