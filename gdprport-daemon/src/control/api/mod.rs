//! What is sent over the control socket, as types: every reply, with the unit of every number.
//!
//! Belongs here: plain values with their JSON form, and what follows from them alone (`Status::health`).
//! Fields are only ever added within `v1`. Does not belong here: transport (`server`, `client`).

mod coverage;
mod deliver;
mod doctor;
mod enforcement;
mod evidence;
mod explain;
mod flows;
mod groups;
mod health;
mod ledger;
mod policy;
mod replies;
#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
mod status;

pub(crate) use coverage::{CoverageStatus, PlaceCounts, RingStatus};
pub(crate) use deliver::{
    ConfigStanding, DeliverStatus, FailureStanding, LagStanding, LastStamp, LostStanding, RefusedStanding,
    SinkStanding, SinkState, SinkTotals, SpoolStanding, StampsStanding, TestReply,
};
pub(crate) use doctor::{Check, CheckResult, DoctorReport};
pub(crate) use enforcement::{Decisions, EndingStatus, EnforcementStatus};
pub(crate) use evidence::{CheckpointStatus, EraseQuery, EvidenceOrder, EvidenceReply, EvidenceStatus};
pub(crate) use explain::{ExplainQuery, ExplainReply, ExplainedFlow};
pub(crate) use flows::{FlowQuery, FlowRow, FlowsReply, VerdictOutcome, VerdictRow};
pub(crate) use groups::{GroupQuery, GroupsReply};
pub(crate) use health::{Health, HealthState};
pub(crate) use ledger::{LedgerStanding, LedgerStatus};
pub(crate) use policy::{PolicyPlace, PolicyText, TRIAL_MAX_S, TRIAL_MIN_S, TrialOrder, TrialStatus};
pub(crate) use replies::{
    EndpointInfo, ErrorReply, ExistingFlow, ExistingFlows, Index, RecordReply, ReloadReply, StatusReply,
};
pub(crate) use status::{
    ControlStatus, Hook, HookState, Kernel, Memory, Pins, PolicySource, PolicyStatus, PortStatus, Reload,
    SinkStatus, SpoolStatus, Status, TranslationStatus, Unresolved, VolumeStatus, Without,
};
