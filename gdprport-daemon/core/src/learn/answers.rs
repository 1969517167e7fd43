//! What only a person knows, as it was answered.

use std::sync::Arc;

use super::text::quoted;
use crate::policy::{Source, compile};

/// What a person has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Who is responsible for the data; `None`: left blank.
    pub controller: Option<ControllerAnswer>,
    /// Which services carry personal data; the last one about a service counts. Of others: those of the catalog and of the
    /// policy in force do.
    pub services: Vec<(Which, bool)>,
}

/// The controller (Art. 30(1)(a) GDPR). Texts are such as a policy takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerAnswer {
    /// The name.
    pub name: Arc<str>,
    /// How to reach the controller; `None`: left blank.
    pub contact: Option<Arc<str>>,
    /// How to reach the data protection officer; `None`: left blank.
    pub dpo: Option<Arc<str>>,
}

/// A service that an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// By its identifier in the catalog, or its name in the policy in force.
    Service(Arc<str>),
    /// By its port.
    Port(u16),
}

/// A service that can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The TCP port.
    pub port: u16,
    /// Whether it is served elsewhere.
    pub remote: bool,
    /// What it is, where, and who holds it, for people.
    pub what: String,
    /// What counts without an answer.
    pub usual: bool,
}

/// A text that a policy does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be {text:?}: {why}")]
pub struct NotAnswer {
    what: &'static str,
    text: String,
    why: String,
}

impl ControllerAnswer {
    /// Takes the texts if a policy does.
    ///
    /// # Errors
    /// The first text that it does not, and why.
    pub fn new(name: &str, contact: Option<&str>, dpo: Option<&str>) -> Result<Self, NotAnswer> {
        let text = |what: &'static str, text: &str| {
            let text = text.trim();
            let written = format!("version = 1\n[controller]\nname = {}\n", quoted(text));
            match compile(&[Source { name: String::new(), text: written }]) {
                Ok(_) => Ok(Arc::from(text)),
                Err(problems) => {
                    let why = problems.list.first().map_or_else(String::new, |first| first.message.clone());
                    Err(NotAnswer { what, text: text.to_owned(), why })
                }
            }
        };
        Ok(Self {
            name: text("the controller's name", name)?,
            contact: contact.map(|contact| text("the contact", contact)).transpose()?,
            dpo: dpo.map(|dpo| text("the data protection officer", dpo)).transpose()?,
        })
    }
}
