//! What the loop does with a policy that has come: from its files, to be tried, or back from before a trial.

use std::time::Duration;

use super::enforcer::Done;
use super::monitor::Comes;
use super::reload::{Asker, LoadOutcome, Read, Why};
use super::run::Daemon;
use super::trial::{Asked, Terms, Trial};
use crate::control::api::{ReloadReply, TrialOrder};

impl Daemon {
    /// Applies what was read of the policy's files, or is to be tried, once the tables are written that decide by it.
    pub(super) fn loaded(&mut self, read: Read) {
        let on_trial = read.trial.is_some();
        let taken_back = on_trial && self.loader.is_taken_back();
        let comes = read.outcome.as_ref().ok().filter(|_| !taken_back);
        if comes.is_some_and(|loaded| self.enforcer.comes(&loaded.policy, on_trial, &mut self.monitor)) {
            self.coming = Some(read);
        } else {
            self.come(read);
        }
    }

    /// Tables were written or removed.
    pub(super) fn tables_done(&mut self, done: Done) {
        if self.enforcer.done(done, &mut self.monitor)
            && let Some(read) = self.coming.take()
        {
            self.come(read);
        }
    }

    /// Applies a policy, and replies to everybody who asked for it.
    fn come(&mut self, read: Read) {
        let Read { outcome, trial } = read;
        let Some(Asked { terms, to }) = trial else {
            let reply = self.apply(outcome, Why::Files);
            for asker in self.loader.finished() {
                // A client that no longer waits is no error.
                let _: Result<(), _> = Asker::send(asker, reply.clone());
            }
            return;
        };
        let reply = if self.loader.comes() {
            self.apply(outcome, Why::Trial(terms))
        } else {
            self.policy.refused("it was taken back before it was in force".to_owned())
        };
        let _: Result<(), _> = Asker::send(to, reply);
    }

    fn apply(&mut self, outcome: LoadOutcome, why: Why) -> ReloadReply {
        // Records from before belong to the policy of before. A port that was dropped and comes back would otherwise get
        // flows whose ends nobody recorded meanwhile: they would stay open for ever.
        self.reader.read_all(&mut self.monitor);
        self.overloads.judge_all(&mut self.monitor);
        let now = self.monitor.now();
        if outcome.is_ok() {
            self.keeper.before_reload(&mut self.monitor, now);
        }
        let comes = match why {
            Why::Files => Comes::ToStay,
            Why::Trial(_) => Comes::OnTrial,
            Why::Reverted => Comes::Back,
        };
        let outcome = self.policy.reload(outcome, why, &mut self.monitor, now);
        let mut existing = None;
        match &outcome {
            // Ports that were not watched before have flows and listeners of which nothing is known yet.
            Ok(()) => {
                match comes {
                    Comes::Back => self.enforcer.came_back(&mut self.monitor),
                    Comes::ToStay | Comes::OnTrial => {
                        let trial_ns = self.policy.trial.as_ref().map(Trial::until_ns);
                        self.enforcer.policy_changed(trial_ns, &mut self.monitor);
                    }
                }
                // Those that the kernel has let pass until now are among them, and none of them can be made again.
                self.reader.read_all(&mut self.monitor);
                existing = self.monitor.end_existing(comes, now);
                self.reconciler.request_resync();
            }
            Err(error) => tracing::error!("the policy was not applied, the old one stays active\n{error}"),
        }
        ReloadReply { existing, ..self.policy.reply(outcome.err(), &self.monitor) }
    }

    /// Has a policy compiled, to be put in force and taken back by itself.
    pub(super) fn try_out(&mut self, order: TrialOrder, to: Asker) {
        let TrialOrder { files, file, confirm_within_s } = order;
        let asked = Asked { terms: Terms { file, within: Duration::from_secs(confirm_within_s) }, to };
        if let Err((to, why)) = self.loader.compile(files, asked) {
            let _: Result<(), _> = Asker::send(to, self.policy.refused(why));
        }
    }

    /// Takes back the policy that is on trial, and one that is to be and is not in force yet.
    pub(super) fn revert(&mut self, to: Asker) {
        let taken_back = self.loader.take_back();
        if let Some(read) = self.coming.take_if(|read| read.trial.is_some()) {
            self.enforcer.comes_no_more();
            self.come(read);
        }
        let reply = match self.policy.give_up() {
            Some(before) => self.apply(Ok(before), Why::Reverted),
            None if taken_back => self.policy.reply(None, &self.monitor),
            None => self.policy.refused("no policy is on trial".to_owned()),
        };
        let _: Result<(), _> = Asker::send(to, reply);
    }

    /// Takes back a policy that nobody has confirmed in time.
    pub(super) fn end_trial(&mut self) {
        if let Some(before) = self.policy.over() {
            tracing::warn!("nobody confirmed the policy on trial in time: the one before is in force again");
            let _ = self.apply(Ok(before), Why::Reverted);
        }
    }
}
