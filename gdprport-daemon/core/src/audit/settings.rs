//! What an audit is about, beside what it reads.

use std::sync::Arc;

use jiff::Timestamp;

use crate::countries::Countries;
use crate::policy::Outline;

/// What an audit is about, beside what it reads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The host's name.
    pub host: Arc<str>,
    /// Begin of the period that was asked for; the ledger may begin later.
    pub asked: Timestamp,
    /// The policy's digest; `None`: there is no policy.
    pub digest: Option<Arc<str>>,
    /// The policy's first file, or where the first one would be.
    pub first_file: Arc<str>,
    /// Why there is no ledger, and what to do, one sentence.
    pub no_ledger: Arc<str>,
    /// Why the host was not looked at, and what to do, one sentence.
    pub no_inventory: Arc<str>,
    /// The policies that applied in the period, as far as their text is known: since when a rule has been there.
    pub earlier: Vec<Earlier>,
    /// Which countries addresses are in.
    pub countries: CountriesFile,
}

/// The file of countries that the policy's `[controller]` names.
#[derive(Debug, Clone)]
pub enum CountriesFile {
    /// It names none.
    NotAsked,
    /// It names one that cannot be used, for this reason.
    Unusable(Arc<str>),
    /// What it says.
    Read(Arc<Countries>),
}

/// A policy that applied.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Its digest.
    pub digest: Arc<str>,
    /// What it declared.
    pub outline: Outline,
}
