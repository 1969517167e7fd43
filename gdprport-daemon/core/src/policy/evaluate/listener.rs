//! The verdict on a listener.
//!
//! Who accepts on it is evaluated flow by flow: a listener is often bound by another process (a master, systemd) than the
//! one that serves.

use std::sync::Arc;

use super::active::ActivePolicy;
use crate::model::{Endpoint, Process};
use crate::policy::compile::CompiledSite;
use crate::verdict::{Reason, ReasonId, Verdict};

impl ActivePolicy {
    /// The verdict on a listener bound to `local`. `Declared` names `listen` as its rule, because that is
    /// the key that allows a listener; never `Undecided`, as the address is always known.
    #[must_use]
    pub fn evaluate_listener(&self, local: Endpoint, process: Option<&Process>) -> Verdict {
        let number = local.port;
        let exe = process.and_then(|process| {
            let shown = self.privacy().map(|privacy| privacy.process(process));
            Some((shown.as_ref().unwrap_or(process).exe.clone()?, process.pid))
        });
        let by = match exe {
            Some((exe, pid)) => format!("{exe} (pid {pid})"),
            None => "a process that is not known".to_owned(),
        };
        let violation =
            |id, detail| Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None };
        let policy = self.policy();
        let here = policy.claims(number).first().filter(|claim| claim.local);
        let Some(declaration) = here.and_then(|claim| claim.declaration) else {
            if policy.is_catalog_only() {
                return violation(
                    ReasonId::UndeclaredPort,
                    format!("{by} listens on {local}, and there is no policy that declares port {number}"),
                );
            }
            return violation(
                ReasonId::UndeclaredListener,
                format!("{by} listens on {local}, and no declaration says that port {number} is served here"),
            );
        };
        let declaration = &policy.declarations[declaration];
        match &declaration.site {
            CompiledSite::Local(scope) if !scope.allows(local.ip) => violation(
                ReasonId::ExposedListener,
                format!(
                    "{by} listens on {local}, and {} may be bound to {} only",
                    declaration.name, scope.text
                ),
            ),
            _ => Verdict::Declared { rule: Arc::clone(&policy.listen_rule) },
        }
    }
}
