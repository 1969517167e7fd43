//! What the flow table needs from the other parts: who a process is, and the verdict of the policy.
//!
//! Belongs here: everything that evidence is looked up in, and the memo of verdicts. Does not belong here: deciding
//! (`core`), and how the machine is read (`host`).

use std::net::IpAddr;

use gdprport_common::{ExecRecord, TaskIdentity};
use gdprport_core::decode::IdentityRecord;
use gdprport_core::flow::{Context, Flow, Judgement};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{Direction, Nat, Posture, Process, Withheld};
use gdprport_core::policy::{ActivePolicy, Evaluation, Facts, TlsDemand};
use gdprport_core::posture::{Protocol, Tracker};
use gdprport_core::shared::Shared;
use gdprport_core::volume::Volumes;
use jiff::Timestamp;

use crate::host::probes::Probes;
use crate::host::process::{Resolver, TaskLookup};

/// Where evidence about owners and verdicts comes from.
#[derive(Debug)]
pub struct Evidence<K> {
    /// Resolves owners to processes.
    pub resolver: Resolver,
    /// The kernel side: maps of tasks and executables.
    pub kernel: K,
    judgements: JudgementMemo,
}

impl<K: TaskLookup> Evidence<K> {
    /// Evidence from this resolver and these kernel maps.
    pub const fn new(resolver: Resolver, kernel: K) -> Self {
        Self { resolver, kernel, judgements: JudgementMemo::new() }
    }

    /// What a flow is judged by, borrowed for one input.
    pub fn context<'a>(&'a mut self, policy: &'a ActivePolicy, now: Timestamp) -> Judge<'a> {
        let Self { resolver, kernel, judgements } = self;
        Judge { resolver, tasks: kernel, policy, volumes: None, judgements, now }
    }

    /// Stores what a record shows of a process or a cgroup.
    pub fn learn(&mut self, record: &IdentityRecord<'_>) {
        match record {
            IdentityRecord::Exec(exec) => self.resolver.learn_exec(exec),
            IdentityRecord::Cgroup { hierarchy: 0, cgroup_id, path } => {
                if let Some(path) = path {
                    self.resolver.learn_cgroup(*cgroup_id, path);
                }
            }
            IdentityRecord::Cgroup { hierarchy, cgroup_id, path } => {
                self.resolver.learn_v1_cgroup(*hierarchy, *cgroup_id, *path);
            }
        }
    }

    /// To be called whenever the policy or its DNS names have changed: no earlier verdict counts any more.
    pub fn forget_judgements(&mut self) {
        self.judgements.known.clear();
    }
}

/// The context of one input.
pub struct Judge<'a> {
    resolver: &'a mut Resolver,
    tasks: &'a dyn TaskLookup,
    policy: &'a ActivePolicy,
    /// What rules have moved; `None`: no rule has a limit.
    volumes: Option<&'a Volumes>,
    judgements: &'a mut JudgementMemo,
    now: Timestamp,
}

/// Judgements of one moment: within a batch of records the same few processes talk to the same few peers.
#[derive(Debug)]
struct JudgementMemo {
    at: Option<Timestamp>,
    known: Vec<Judged>,
}

/// As many are remembered; more would cost as much to search as a verdict costs.
const JUDGEMENTS: usize = 8;

/// Everything that a verdict depends on besides the moment, the policy and its names.
#[derive(Debug)]
struct Judged {
    direction: Direction,
    port: u16,
    peer: IpAddr,
    nat: Option<Nat>,
    process: Option<Shared<Process>>,
    owner_withheld: Option<Withheld>,
    posture: Option<Shared<Posture>>,
    judgement: Judgement,
}

impl Judged {
    fn is_about(&self, flow: &Flow) -> bool {
        self.port == flow.port()
            && self.direction == flow.direction
            && same(self.process.as_ref(), flow.process.as_ref())
            && self.owner_withheld == flow.owner_withheld
            && same(self.posture.as_ref(), flow.posture.as_ref())
            && self.peer == flow.peer.ip
            && self.nat == flow.nat
    }
}

fn same<T>(a: Option<&Shared<T>>, b: Option<&Shared<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.same(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl JudgementMemo {
    const fn new() -> Self {
        Self { at: None, known: Vec::new() }
    }

    fn get(&mut self, flow: &Flow, now: Timestamp, evaluate: impl FnOnce() -> Judgement) -> Judgement {
        if self.at != Some(now) || self.known.len() > JUDGEMENTS {
            self.known.clear();
            self.at = Some(now);
        }
        if let Some(known) = self.known.iter().find(|known| known.is_about(flow)) {
            return known.judgement.clone();
        }
        let judgement = evaluate();
        self.known.push(Judged {
            direction: flow.direction,
            port: flow.port(),
            peer: flow.peer.ip,
            nat: flow.nat.clone(),
            process: flow.process.clone(),
            owner_withheld: flow.owner_withheld,
            posture: flow.posture.clone(),
            judgement: judgement.clone(),
        });
        judgement
    }
}

impl<'a> Judge<'a> {
    /// The same, and what rules have moved.
    pub(super) const fn with(self, volumes: Option<&'a Volumes>) -> Self {
        let Self { resolver, tasks, policy, judgements, now, .. } = self;
        Self { resolver, tasks, policy, volumes, judgements, now }
    }
}

impl Judge<'_> {
    /// What an owner of many connections proves of each of them.
    pub(super) fn common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.resolver.resolve_common(owner, self.tasks)
    }

    /// The policy's decision now.
    pub(super) fn decide(&self, facts: &Facts<'_>) -> Judgement {
        evaluate(self.policy, self.volumes, facts, self.now)
    }
}

/// The verdict of the rules, and what they have moved.
fn evaluate(
    policy: &ActivePolicy,
    volumes: Option<&Volumes>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Judgement {
    let Evaluation { verdict, port } = policy.judge(facts, now);
    let exceeded = volumes.and_then(|volumes| volumes.exceeded(&verdict, port, now));
    Judgement { verdict: exceeded.unwrap_or_else(|| verdict.into()), port }
}

impl Context for Judge<'_> {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        Some(self.resolver.resolve(owner, self.tasks)).filter(|process| process.pid != 0)
    }

    fn in_common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.common(&owner.in_common())
    }

    fn with_names(&mut self, process: &Process) -> Option<Shared<Process>> {
        self.resolver.with_names(process)
    }

    fn judge(&mut self, flow: &Flow) -> Judgement {
        let Self { policy, volumes, judgements, now, .. } = self;
        judgements.get(flow, *now, || evaluate(policy, *volumes, &flow.facts(), *now))
    }

    fn depends_on_posture(&self, facts: &Facts<'_>) -> bool {
        let port = self.policy.port_of(facts);
        port.is_some_and(|port| matches!(port.tls, TlsDemand::AtLeast(_)))
    }

    fn tracker(&self, facts: &Facts<'_>) -> Tracker {
        let port = self.policy.port_of(facts);
        Tracker::new(port.and_then(|port| Protocol::by_id(port.protocol.as_deref()?)))
    }
}

impl TaskLookup for Probes {
    fn identity(&self, tgid: u32) -> Option<TaskIdentity> {
        self.task(tgid)
    }

    fn exec(&self, exec_id: u64) -> Option<ExecRecord> {
        Self::exec(self, exec_id)
    }

    fn netns_cookie(&self) -> Option<u64> {
        Self::netns_cookie(self)
    }
}
