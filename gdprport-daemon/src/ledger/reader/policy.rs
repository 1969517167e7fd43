//! Policies that applied once, and their text.

use gdprport_core::policy::Source;
use rusqlite::OptionalExtension as _;

use super::error::ReadError;
use super::open::Reader;

impl Reader {
    /// The digests of all policies that applied, oldest first.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn policies(&self) -> Result<Vec<String>, ReadError> {
        self.ask(|db| {
            let mut statement =
                db.prepare("SELECT digest FROM policy WHERE digest IS NOT NULL ORDER BY id")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// The files of a policy, in their order; `None`: no policy of this digest applied. Empty: the ledger knows that it applied,
    /// and not its text.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn policy_text(&self, digest: &str) -> Result<Option<Vec<Source>>, ReadError> {
        self.ask(|db| {
            let sql = "SELECT id FROM policy WHERE digest = ?1";
            let found = db.query_row(sql, [digest], |row| row.get(0)).optional()?;
            let Some(policy): Option<i64> = found else { return Ok(None) };
            let mut files =
                db.prepare("SELECT name, text FROM policy_source WHERE policy = ?1 ORDER BY place")?;
            let rows =
                files.query_map([policy], |row| Ok(Source { name: row.get(0)?, text: row.get(1)? }))?;
            Ok(Some(rows.collect::<rusqlite::Result<_>>()?))
        })
    }
}
