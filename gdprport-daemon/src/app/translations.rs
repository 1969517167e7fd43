//! How flows are translated by the host: from the table's questions to the answers of connection tracking.

use std::fmt;

use gdprport_core::model::Nat;
use tokio::sync::mpsc;

use super::monitor::{Input, Monitor};
use crate::control::api::TranslationStatus;
use crate::host::conntrack::{Answered, Conntrack, Unavailable};
use crate::host::process::TaskLookup;

/// Asks how flows are translated, where that can be asked.
pub(super) struct Translations {
    conntrack: Result<Conntrack, Unavailable>,
    answers_to: mpsc::Sender<Vec<Answered>>,
    counts: TranslationStatus,
}

impl Translations {
    /// Begins to ask, if connection tracking is there; answers go to this channel.
    #[must_use]
    pub(super) fn start(answers_to: mpsc::Sender<Vec<Answered>>) -> Self {
        let conntrack = open(&answers_to);
        match &conntrack {
            Ok(_) => tracing::info!("connection tracking is asked how the host translates addresses"),
            Err(Unavailable::NotLoaded) => {}
            Err(error) => {
                tracing::warn!(%error, "translated flows are only known by the addresses of their sockets");
            }
        }
        Self { conntrack, answers_to, counts: TranslationStatus::default() }
    }

    /// Asks about the flows that are new. To be called after each round of records.
    pub(super) fn ask<K: TaskLookup>(&mut self, monitor: &mut Monitor<K>) {
        monitor.flows.follow_translations(self.conntrack.is_ok());
        let questions = monitor.flows.take_questions();
        if questions.is_empty() {
            return;
        }
        self.counts.asked += questions.len() as u64;
        let refused = match &self.conntrack {
            Ok(conntrack) => conntrack.ask(questions).err().unwrap_or_default(),
            Err(_) => questions,
        };
        if !refused.is_empty() {
            self.counts.dropped += refused.len() as u64;
            let unknown = refused.iter().map(|question| (question.cookie, Some(Nat::Unknown))).collect();
            self.apply(unknown, monitor);
        }
    }

    /// Applies answers.
    pub(super) fn answered<K: TaskLookup>(&mut self, answers: Vec<Answered>, monitor: &mut Monitor<K>) {
        for (_, nat) in &answers {
            match nat {
                Some(Nat::Translated(_)) => self.counts.translated += 1,
                Some(Nat::Pending | Nat::Unknown) => self.counts.unanswered += 1,
                None => {}
            }
        }
        self.apply(answers, monitor);
    }

    fn apply<K: TaskLookup>(&self, answers: Vec<Answered>, monitor: &mut Monitor<K>) {
        let now = monitor.now();
        for (cookie, nat) in answers {
            monitor.apply(Input::Translated(cookie, nat), now);
        }
    }

    /// Connection tracking may have been loaded since the start, as with the first container.
    pub(super) fn retry(&mut self) {
        if matches!(self.conntrack, Err(Unavailable::NotLoaded)) {
            *self = Self { counts: self.counts.clone(), ..Self::start(self.answers_to.clone()) };
        }
    }

    /// What was asked so far, and why nothing is.
    #[must_use]
    pub(super) fn status(&self) -> TranslationStatus {
        let error = self.conntrack.as_ref().err().map(ToString::to_string);
        TranslationStatus { error, ..self.counts.clone() }
    }
}

impl fmt::Debug for Translations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translations").field("counts", &self.counts).finish_non_exhaustive()
    }
}

fn open(answers_to: &mpsc::Sender<Vec<Answered>>) -> Result<Conntrack, Unavailable> {
    let answers_to = answers_to.clone();
    // The loop has ended if nobody receives them.
    Conntrack::start(move |answers| answers_to.blocking_send(answers).is_ok())
}
