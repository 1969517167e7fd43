//! Making tables, and putting them in force: for the policy that is active, and for one that comes, before it is applied.
//!
//! A policy that comes is applied in one step of the loop, with its tables written already: until then the one before is in force, in the
//! kernel and in what is said of flows, and from then on this one. A thread does what takes long (`thread`).

use std::sync::Arc;

use gdprport_common::EnforceInForce;
use gdprport_core::enforce::{Clock, Grown};
use gdprport_core::policy::Policy;

use super::enforcer::Enforcer;
use super::modes::{has_modes, with_modes};
use super::thread::{Done, Make, NotInForce, Order};
use super::work::{Account, Accounts, Coming, Making, Ready};
use crate::app::monitor::Monitor;
use crate::host::clock::boottime_ns;
use crate::host::nat;
use crate::host::probes::{EnforceError, LoadError, Probes};

/// Why nothing is decided while the first tables of a policy are written.
const NOT_YET: &str = "the kernel's tables are being written";

impl Enforcer {
    /// Has the tables of a policy made that is to be applied. True: it is to be applied once [`Self::done`] says so; false: now.
    pub(in crate::app) fn comes(
        &mut self,
        policy: &Arc<Policy>,
        on_trial: bool,
        monitor: &mut Monitor<Probes>,
    ) -> bool {
        if !has_modes(policy) || self.brake.pulled().is_some() {
            return false;
        }
        let same = policy.digest() == monitor.active_policy.digest();
        if same && !on_trial && self.trial_ns.is_some() && self.grown.is_some() && !self.due {
            self.ready = Some(Ready::InForce);
            return false;
        }
        self.coming = Some(Coming { policy: Arc::clone(policy), on_trial });
        !self.go_on(monitor)
    }

    /// The policy that was to come is not to be applied. What is written of it is removed.
    pub(in crate::app) fn comes_no_more(&mut self) {
        self.coming = None;
        if let Some(making) = self.making.as_mut() {
            making.comes = false;
        }
    }

    /// What writes tables has done that. True: the policy that comes is to be applied now.
    pub(in crate::app) fn done(&mut self, done: Done, monitor: &mut Monitor<Probes>) -> bool {
        let Done { removed, made } = done;
        self.busy = false;
        if let Err(error) = removed {
            tracing::error!(%error, "rows of a policy that is not in force any more are still in the kernel's tables");
        }
        let (Some(making), Some(made)) = (self.making.take(), made) else { return self.go_on(monitor) };
        let alone = self.coming.as_ref().is_some_and(|coming| making.comes && !coming.on_trial);
        if let Err(NotInForce::Kernel(EnforceError::NoRoom { .. })) = &made
            && !self.alone
            && (alone || !making.comes && making.digest == monitor.active_policy.digest())
        {
            return self.make_room(&making, monitor);
        }
        if making.comes {
            self.coming = None;
            self.ready = Some(Ready::Made(making, made));
            return true;
        }
        if making.digest != monitor.active_policy.digest() {
            // Another policy has come back meanwhile, or is in force still.
            (self.due, self.sweep) = (true, true);
        } else {
            self.pulled = self.brake.pulled();
            let done = match &self.pulled {
                Some(pulled) => Err(NotInForce::Braked(pulled.to_string())),
                None => made.and_then(|grown| self.put_in_force(making, *grown, monitor)),
            };
            self.say(done, monitor);
        }
        self.go_on(monitor)
    }

    /// The policy is another one. `trial_ns`: it is on trial until then (`CLOCK_BOOTTIME`), and the kernel goes back to the one
    /// before by itself, should nobody be there to do it.
    pub(in crate::app) fn policy_changed(&mut self, trial_ns: Option<u64>, monitor: &mut Monitor<Probes>) {
        let ready = self.ready.take();
        let grown = self.grown.take();
        self.trial_ns = trial_ns;
        self.pulled = self.brake.pulled();
        let done = match (&self.pulled, ready) {
            _ if !has_modes(monitor.active_policy.policy()) => {
                self.decide_nothing(monitor);
                None
            }
            (Some(pulled), _) => Some(Err(NotInForce::Braked(pulled.to_string()))),
            (None, Some(Ready::Made(making, made))) => {
                Some(made.and_then(|grown| self.put_in_force(making, *grown, monitor)))
            }
            (None, Some(Ready::InForce)) => {
                self.grown = grown;
                Some(self.stay(monitor).map_err(NotInForce::from))
            }
            (None, Some(Ready::Failed(why))) => Some(Err(why)),
            (None, None) => {
                self.wait(monitor);
                None
            }
        };
        if let Some(done) = done {
            self.say(done, monitor);
        }
        self.go_on(monitor);
    }

    /// The policy is the one again that was in force before a trial: the kernel still has its tables. They have not grown meanwhile, so
    /// that they are made again.
    pub(in crate::app) fn came_back(&mut self, monitor: &mut Monitor<Probes>) {
        if let Err(error) = self.go_back(monitor) {
            tracing::error!(%error, "what the policy on trial decides may still be in force");
        }
        self.policy_changed(None, monitor);
    }

    fn go_back(&mut self, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        let maps = monitor.evidence.kernel.enforce();
        let EnforceInForce { then, until_ns, .. } = maps.in_force()?;
        if until_ns == 0 {
            return Ok(());
        }
        maps.activate(then)?;
        self.sweep = true;
        let ports: Vec<u16> = with_modes(monitor.active_policy.policy()).collect();
        monitor.evidence.kernel.decide(ports)
    }

    /// The brake was pulled, or let go.
    pub(super) fn braked(&mut self, monitor: &mut Monitor<Probes>) {
        self.pulled = self.brake.pulled();
        match &self.pulled {
            Some(pulled) => {
                let why = NotInForce::Braked(pulled.to_string());
                self.say(Err(why), monitor);
            }
            None => self.due = true,
        }
        self.go_on(monitor);
    }

    /// Has done what is to be done next, if nothing is. True: a policy that comes is to be applied now.
    pub(super) fn go_on(&mut self, monitor: &mut Monitor<Probes>) -> bool {
        if self.busy {
            return false;
        }
        let wanted = self.due && self.pulled.is_none() && has_modes(monitor.active_policy.policy());
        let makes = self.coming.is_some() || wanted;
        if !makes && !self.sweep {
            return false;
        }
        let Err(why) = self.order(makes, monitor) else { return false };
        (self.making, self.due, self.sweep) = (None, false, false);
        if self.coming.take().is_some() {
            self.ready = Some(Ready::Failed(why));
            return true;
        }
        self.say(Err(why), monitor);
        false
    }

    fn order(&mut self, makes: bool, monitor: &mut Monitor<Probes>) -> Result<(), NotInForce> {
        let EnforceInForce { generation, then, .. } = monitor.evidence.kernel.enforce().in_force()?;
        let make = if makes { Some(self.make(monitor)?) } else { None };
        self.thread.order(Order { keep: [generation, then], make: make.map(Box::new) })?;
        (self.busy, self.sweep) = (true, false);
        Ok(())
    }

    /// What tables are to be made of: all that is known now.
    fn make(&mut self, monitor: &mut Monitor<Probes>) -> Result<Make, LoadError> {
        // What is known anew is asked for below, and is new for the tables in force too.
        self.follow(monitor);
        (self.due, self.cgroups) = (false, 0);
        let active = &monitor.active_policy;
        let policy = match &self.coming {
            Some(coming) => active.with_policy(Arc::clone(&coming.policy)),
            None => active.with_names(active.names().clone()),
        };
        self.translates = nat::translates();
        let clock = Clock { now: monitor.now(), boot_ns: boottime_ns() };
        let (mut known, pending) = monitor.evidence.resolver.known_now();
        known.translates = self.translates;
        let mut accounts: Accounts =
            known.users.iter().map(|(uid, name)| (Account::User(*uid), Some(name.clone()))).collect();
        accounts.extend(known.groups.iter().map(|(gid, name)| (Account::Group(*gid), Some(name.clone()))));
        let maps = monitor.evidence.kernel.enforce();
        let generation = maps.next()?;
        self.making = Some(Making {
            generation,
            digest: policy.digest().to_owned(),
            comes: self.coming.is_some(),
            pending: pending.into_iter().collect(),
            accounts,
            appeared: Vec::new(),
        });
        Ok(Make { policy, known, clock, fingerprint: maps.fingerprint(), generation })
    }

    /// Removes what is in force, and makes the tables once more.
    fn make_room(&mut self, making: &Making, monitor: &mut Monitor<Probes>) -> bool {
        tracing::warn!(
            "the kernel's tables have no room for two policies at once: nothing is decided for a moment"
        );
        self.alone = true;
        self.due |= !making.comes;
        if making.comes {
            // It takes the place of whatever is on trial.
            self.trial_ns = None;
        }
        self.grown = None;
        self.wait(monitor);
        if let Err(error) = self.leave_nothing(monitor) {
            tracing::error!(%error, "what was decided before may still be");
        }
        self.go_on(monitor)
    }

    /// Nothing is decided until tables are made.
    fn wait(&mut self, monitor: &mut Monitor<Probes>) {
        let in_force = monitor.evidence.kernel.enforce().in_force();
        let decides = in_force.is_ok_and(|in_force| in_force.generation != 0) && !self.alone;
        self.error = (!decides).then(|| NOT_YET.to_owned());
        self.due = true;
        monitor.decided(decides);
    }

    /// The policy asks for nothing.
    fn decide_nothing(&mut self, monitor: &mut Monitor<Probes>) {
        (self.error, self.due) = (None, false);
        if self.making.is_none() {
            monitor.evidence.resolver.follow_new(false);
        }
        if let Err(error) = self.leave_nothing(monitor) {
            tracing::error!(%error, "what was decided before this policy may still be");
        }
        monitor.decided(false);
    }

    /// Says what has become of tables that were to be put in force.
    fn say(&mut self, done: Result<(), NotInForce>, monitor: &mut Monitor<Probes>) {
        self.alone = false;
        match done {
            Ok(()) => {
                let ports = with_modes(monitor.active_policy.policy()).collect();
                for sink in self.presence.sinks.to(&ports) {
                    tracing::warn!(
                        %sink,
                        "the policy decides connects to the port of this sink: the deliverer's are not denied, and are \
                         violations until a rule allows them"
                    );
                }
                if self.error.take().is_some_and(|error| error != NOT_YET) {
                    tracing::info!("connections are decided by the policy again");
                }
            }
            Err(why) => {
                tracing::error!("connections are not decided, nothing is denied: {why}");
                (self.error, self.grown) = (Some(why.to_string()), None);
                if self.making.is_none() {
                    monitor.evidence.resolver.follow_new(false);
                }
                if let Err(error) = self.leave_nothing(monitor) {
                    tracing::error!(%error, "what was decided before may still be");
                }
            }
        }
        monitor.decided(self.error.is_none());
    }

    /// Lets decisions read tables that are written, with what has appeared since.
    fn put_in_force(
        &mut self,
        making: Making,
        grown: Grown,
        monitor: &mut Monitor<Probes>,
    ) -> Result<(), NotInForce> {
        let Making { generation, pending, accounts, appeared, .. } = making;
        self.sweep = true;
        // First, since it may fail.
        self.presence.show(monitor, boottime_ns(), true)?;
        (self.grown, self.pending, self.accounts, self.unlisted) = (Some(grown), pending, accounts, 0);
        self.list(appeared, monitor);
        self.names_came(monitor);
        self.activate(generation, monitor)?;
        let mut ports: Vec<u16> = with_modes(monitor.active_policy.policy()).collect();
        if self.trial_ns.is_some() {
            ports.extend_from_slice(monitor.evidence.kernel.decided());
        }
        monitor.evidence.kernel.decide(ports)?;
        Ok(())
    }

    /// Lets the tables stay that are on trial.
    fn stay(&mut self, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        self.sweep = true;
        let generation = self.grown.as_ref().map_or(0, Grown::generation);
        self.activate(generation, monitor)?;
        let ports: Vec<u16> = with_modes(monitor.active_policy.policy()).collect();
        monitor.evidence.kernel.decide(ports)
    }

    fn activate(&self, generation: u32, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        let maps = monitor.evidence.kernel.enforce();
        match self.trial_ns {
            Some(until_ns) => maps.try_out(generation, boottime_ns(), until_ns),
            None => maps.activate(generation),
        }
    }

    fn leave_nothing(&mut self, monitor: &mut Monitor<Probes>) -> Result<(), LoadError> {
        self.pending.clear();
        self.accounts.clear();
        self.sweep |= self.thread.has_begun();
        if self.trial_ns.is_some() && self.pulled.is_none() {
            return self.activate(0, monitor);
        }
        let kernel = &mut monitor.evidence.kernel;
        if kernel.enforce().in_force()? == EnforceInForce::default() {
            return Ok(());
        }
        self.sweep = true;
        kernel.decide([])?;
        kernel.enforce().activate(0)
    }
}
