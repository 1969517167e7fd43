//! What this host has of the state of container runtimes, for `doctor`.
//!
//! Belongs here: which places are there, and who can write to them. Looking never waits long, whatever is mounted there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::beneath::Beneath;
use super::places::{self, Kind, METADATA, Place, Places, TASKS};
use super::users;
use crate::host::configured;

/// How long one place may take.
const WITHIN: Duration = Duration::from_secs(1);

/// A place that is there, or should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surveyed {
    /// Whose state it is, as people call it.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it gives, and whose word that is; or why it cannot be looked at.
    pub(crate) found: Result<String, String>,
}

/// Every place that is there. Of those by default, one that is not there is left out.
pub(crate) fn survey(configured: &Places) -> Vec<Surveyed> {
    let by_default = places::of_root().into_iter().filter_map(|place| look(&place));
    by_default.chain(configured.state.iter().map(|base| look_at_configured(base))).collect()
}

fn look(place: &Place) -> Option<Surveyed> {
    let own = place.clone();
    let found = within(move || examine(&own))?;
    Some(Surveyed { name: place.name(), path: place.base.clone(), found })
}

/// What was configured should be there, as the state of at least one runtime.
fn look_at_configured(base: &Path) -> Surveyed {
    let places = places::of_any_kind(base);
    let mut found = places.iter().filter_map(look);
    found.next().unwrap_or_else(|| Surveyed {
        name: "containers",
        path: base.to_owned(),
        found: Err("nothing is there that a known runtime keeps".to_owned()),
    })
}

/// `None` if it is not there.
fn within(look: impl FnOnce() -> io::Result<String> + Send + 'static) -> Option<Result<String, String>> {
    match configured::within(WITHIN, look) {
        Ok(Ok(found)) => Some(Ok(found)),
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            None
        }
        Ok(Err(error)) => Some(Err(format!("it cannot be looked at: {error}"))),
        Err(late) => Some(Err(io::Error::from(late).to_string())),
    }
}

fn examine(place: &Place) -> io::Result<String> {
    let base = Beneath::open(&place.base)?;
    let state = match &place.kind {
        Kind::Docker => base.directory("containers")?,
        Kind::Storage => {
            let any = places::DRIVERS
                .iter()
                .find_map(|driver| base.directory(&format!("{driver}-containers")).ok());
            any.ok_or(io::ErrorKind::NotFound)?
        }
        Kind::Containerd { root } => {
            let database = || Beneath::open(root)?.directory(METADATA);
            base.directory(TASKS).or_else(|_| database())?
        }
        Kind::Kubelet => base.directory("pods")?,
        Kind::Machined | Kind::Lxc => base,
    };
    let whose = match state.word().uid() {
        0 => "only root can write it".to_owned(),
        u32::MAX => "more than one user can write it, who name the containers then".to_owned(),
        uid => {
            let name = users::in_file(uid).map_or_else(String::new, |user| format!("{} ", user.name));
            format!("user {name}({uid}) can write it, who names the containers then")
        }
    };
    Ok(format!("{whose}: {}", place.gives()))
}
