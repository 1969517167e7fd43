//! What the table needs from outside while it applies a record.

use super::types::{Flow, PortIndex};
use crate::identity::OwnerRef;
use crate::model::Process;
use crate::policy::Facts;
use crate::posture::Tracker;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Who a process is and what the policy decides.
pub trait Context {
    /// The process behind an owner, if need be with attribution `unknown`; `None` if there is none.
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>>;
    /// What an owner proves of each process that it could be, where the one that it is does not matter: of a connection that is
    /// only counted. The same for all that have it in common; without a process id. `None` if there is none.
    fn in_common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>>;
    /// The process with the names of its user, group and container, if it had to go without and they are known by now.
    fn with_names(&mut self, process: &Process) -> Option<Shared<Process>>;
    /// The policy's decision on a flow now.
    fn judge(&mut self, flow: &Flow) -> Judgement;
    /// Whether the verdict on a flow depends on how it is encrypted.
    fn depends_on_posture(&self, facts: &Facts<'_>) -> bool;
    /// Follows the encryption of a flow from its first bytes on.
    fn tracker(&self, facts: &Facts<'_>) -> Tracker;
}

/// The policy's decision on a flow. Both parts are of the same evaluation.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Whether the flow is allowed.
    pub verdict: Shared<Verdict>,
    /// The watched port that the flow belongs to, as in [`Flow::port_index`].
    pub port: Option<PortIndex>,
}
