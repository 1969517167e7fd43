//! The text of a policy that applied once.

use std::sync::Arc;

use gdprport_core::policy::Source;
use rusqlite::OptionalExtension as _;

use super::error::ReadError;
use super::open::Reader;

/// The files of a policy.
#[derive(Debug, Clone)]
pub(crate) struct PolicyText {
    /// Its digest, as in events.
    pub(crate) digest: Arc<str>,
    /// Its files, in their order. Empty: the ledger knows that it applied, and not its text.
    pub(crate) sources: Vec<Source>,
}

impl Reader {
    /// The text of a policy; `None`: no policy of this digest applied.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn policy_text(&self, digest: &str) -> Result<Option<PolicyText>, ReadError> {
        self.ask(|db| {
            let sql = "SELECT id, digest FROM policy WHERE digest = ?1";
            let found = db.query_row(sql, [digest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((policy, digest)): Option<(i64, Arc<str>)> = found else { return Ok(None) };
            let mut files =
                db.prepare("SELECT name, text FROM policy_source WHERE policy = ?1 ORDER BY place")?;
            let rows =
                files.query_map([policy], |row| Ok(Source { name: row.get(0)?, text: row.get(1)? }))?;
            let sources = rows.collect::<rusqlite::Result<Vec<Source>>>()?;
            Ok(Some(PolicyText { digest, sources }))
        })
    }
}
