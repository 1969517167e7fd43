//! What of the policy is not decided, as a program that decides it is missing.

use super::catalog::{BINDS, INGRESS};
use super::loaded::Probes;

impl Probes {
    /// Why connections that arrive are not decided; `None`: they are, where connects are.
    #[must_use]
    pub(crate) fn arrivals_pass(&self) -> Option<String> {
        self.lacks(&[INGRESS])
    }

    /// Why it is not decided who listens; `None`: it is, where connects are.
    #[must_use]
    pub(crate) fn binds_pass(&self) -> Option<String> {
        self.lacks(&BINDS)
    }

    /// Which of these programs is missing, and why.
    fn lacks(&self, programs: &[&str]) -> Option<String> {
        let mut hooks = self.hooks().iter().filter(|hook| programs.contains(&hook.spec.program));
        hooks
            .find_map(|hook| hook.missing.as_ref().map(|why| format!("{} is missing: {why}", hook.spec.name)))
    }
}
