//! What to do about kernel programs that cannot run.

use crate::host::probes::LoadError;

/// The error with what to do about it.
pub(super) fn with_remedy(error: &LoadError) -> String {
    match error {
        // Its text has the remedy.
        LoadError::Pins(_) => error.to_string(),
        _ => format!("{error}: {}", error.remedy().unwrap_or("`gdprport doctor` shows what works here")),
    }
}
