//! The verdict on a listener.
//!
//! Who accepts on it is evaluated flow by flow: a listener is often bound by another process (a master, systemd) than the
//! one that serves. So who listens is compared with the rules only where the policy says that this decides
//! (`listener = "deny"`): whoever one of them lets in with, from wherever, may.

use std::sync::Arc;

use jiff::Timestamp;

use super::active::ActivePolicy;
use super::wording::{self, Words};
use crate::model::{Attribution, Direction, Endpoint, Process};
use crate::policy::compile::{CompiledDeclaration, CompiledSite};
use crate::policy::enforcement::OnListener;
use crate::policy::model::{Fit, ProcessKey, ProcessSpec};
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// A socket that listens, or that tried to.
struct Socket<'a> {
    process: Option<&'a Process>,
    /// Who it is and what it does, as the beginning of a sentence.
    does: String,
    now: Timestamp,
}

/// How a process compares with a rule that asks about it.
struct Compared<'r> {
    role: &'r Arc<str>,
    spec: &'r ProcessSpec,
    /// The keys that fail, or are withheld; without one, those that are not known.
    keys: Vec<ProcessKey>,
}

impl ActivePolicy {
    /// The verdict on a listener bound to `local` at this moment. `Declared` names `listen` as its rule, because that is
    /// the key that allows a listener. `Undecided` only with `listener = "deny"`, where evidence on the process is missing: the
    /// address is always known.
    #[must_use]
    pub fn evaluate_listener(&self, local: Endpoint, process: Option<&Process>, now: Timestamp) -> Verdict {
        self.judge_listener(local, process, "listens on", now)
    }

    /// The same of a socket that was to be bound there, and was not.
    #[must_use]
    pub fn evaluate_bind(&self, local: Endpoint, process: Option<&Process>, now: Timestamp) -> Verdict {
        self.judge_listener(local, process, "tried to listen on", now)
    }

    fn judge_listener(
        &self,
        local: Endpoint,
        process: Option<&Process>,
        verb: &str,
        now: Timestamp,
    ) -> Verdict {
        let number = local.port;
        let exe = process.and_then(|process| {
            let shown = self.privacy().map(|privacy| privacy.process(process));
            Some((shown.as_ref().unwrap_or(process).exe.clone()?, process.pid))
        });
        let by = match exe {
            Some((exe, pid)) => format!("{exe} (pid {pid})"),
            None => "a process that is not known".to_owned(),
        };
        let does = format!("{by} {verb} {local}");
        let policy = self.policy();
        let here = policy.claims(number).first().filter(|claim| claim.local);
        let Some((declaration, decides)) =
            here.and_then(|claim| Some((claim.declaration?, claim.info.enforcement.listener)))
        else {
            if policy.is_catalog_only() {
                return violation(
                    ReasonId::UndeclaredPort,
                    format!("{does}, and there is no policy that declares port {number}"),
                );
            }
            return violation(
                ReasonId::UndeclaredListener,
                format!("{does}, and no declaration says that port {number} is served here"),
            );
        };
        let declaration = &policy.declarations[declaration];
        match &declaration.site {
            CompiledSite::Local(scope) if !scope.allows(local.ip) => violation(
                ReasonId::ExposedListener,
                format!("{does}, and {} may be bound to {} only", declaration.name, scope.text),
            ),
            _ if decides == OnListener::Deny => self.who_listens(declaration, &Socket { process, does, now }),
            _ => self.may_listen(),
        }
    }

    fn may_listen(&self) -> Verdict {
        Verdict::Declared { rule: Arc::clone(&self.policy().listen_rule) }
    }

    /// Whether a rule lets this process in with, whatever the peer. It costs a comparison with each rule.
    fn who_listens(&self, declaration: &CompiledDeclaration, socket: &Socket<'_>) -> Verdict {
        let process = socket.process.filter(|process| process.attribution != Attribution::Unknown);
        let valid = |until: Option<Timestamp>| until.is_none_or(|until| socket.now <= until);
        let rules = declaration.rules.iter().filter(|rule| rule.direction == Direction::In);
        let (mut open, mut nearest): (Option<Compared<'_>>, Option<Compared<'_>>) = (None, None);
        for rule in rules.filter(|rule| valid(rule.until)) {
            let Some(spec) = rule.process.as_deref() else { return self.may_listen() };
            let keys = |wanted: &[Fit]| -> Vec<ProcessKey> {
                let fit =
                    |key: &ProcessKey| process.map_or(Fit::Unknown, |process| spec.compare(*key, process));
                // Nobody's word is asked of nobody.
                let asks =
                    |key: ProcessKey| spec.asks(key) && (key != ProcessKey::StatedBy || process.is_some());
                ProcessKey::ALL.into_iter().filter(|key| asks(*key) && wanted.contains(&fit(key))).collect()
            };
            let failed = keys(&[Fit::Fails, Fit::Withheld]);
            let is_open = failed.is_empty();
            let keys = if is_open { keys(&[Fit::Unknown]) } else { failed };
            if keys.is_empty() {
                return self.may_listen();
            }
            let place = if is_open { &mut open } else { &mut nearest };
            let this = Compared { role: &rule.role, spec, keys };
            // Of rules that are equally near the role decides, not the order in which they are written.
            if place.as_ref().is_none_or(|best| (this.keys.len(), this.role) < (best.keys.len(), best.role)) {
                *place = Some(this);
            }
        }
        if let Some(open) = open {
            return self.not_known(&open, process);
        }
        let (name, does) = (&declaration.name, &socket.does);
        let Some(Compared { role, spec, keys }) = nearest else {
            let detail = format!("{does}, and no rule of {name} with the direction \"in\" is valid any more");
            return violation(ReasonId::UndeclaredListener, detail);
        };
        let differs = process.map(|process| {
            let words = Words::of(process, spec, self.privacy());
            keys.iter().map(|key| words.differs(*key, role)).collect::<Vec<_>>().join("; ")
        });
        let detail = format!(
            "{does}, and no rule of {name} with the direction \"in\" allows that: {}",
            differs.as_deref().unwrap_or("it is not known who it is")
        );
        let failed = keys.iter().map(|key| key.as_str().to_owned()).collect();
        Verdict::Violation {
            reasons: vec![Reason { id: ReasonId::UndeclaredListener, detail }],
            nearest: Some(Nearest { role: Arc::clone(role), failed }),
        }
    }

    /// A rule may let this process in with.
    fn not_known(&self, open: &Compared<'_>, process: Option<&Process>) -> Verdict {
        let mut missing = Vec::new();
        match process {
            Some(process) => {
                Words::of(process, open.spec, self.privacy()).missing(&open.keys, &mut missing);
            }
            None => {
                let keys = wording::list(open.keys.iter().copied());
                missing.push(format!("the process is not known, and the rule asks for {keys}"));
            }
        }
        Verdict::Undecided {
            missing,
            nearest: Some(Nearest { role: Arc::clone(open.role), failed: Vec::new() }),
        }
    }
}

fn violation(id: ReasonId, detail: String) -> Verdict {
    Verdict::Violation { reasons: vec![Reason { id, detail }], nearest: None }
}
