//! The pages of files and of words, from `docs/`.

use anyhow::Result;
use gdprport_daemon::ui;

use crate::checkout::of_checkout;
use crate::page::{Name, Page, Written};
use crate::{configuration, markdown};

/// The policy, in section 5.
pub(crate) const POLICY: &str = "gdprport-policy";

/// How sensor and deliverer run, in section 5.
pub(crate) const CONFIGURATION: &str = "gdprport.toml";

/// Receivers of events, in section 5.
const SINKS: &str = "gdprport-sinks";

/// What is sent, in section 7.
const EVENTS: &str = "gdprport-events";

/// The topics of the help, in section 7.
pub(crate) const TOPICS: &str = "gdprport";

/// Those of files, events and topics.
pub(crate) fn pages() -> Result<Vec<Written>> {
    Ok(vec![
        of_docs(POLICY, 5, "which ports carry personal data, and who may use them", &["docs/policy.md"])?,
        of_docs(
            SINKS,
            5,
            "receivers of gdprport's events on the network",
            &["docs/delivery.md", "docs/delivery-receivers.md"],
        )?,
        of_docs(EVENTS, 7, "the events that gdprport writes", &["docs/events.md"])?,
        of_configuration()?,
        of_topics(),
    ])
}

/// Every page of the fifth and seventh section.
fn others() -> Vec<Name> {
    [("gdprport", 1), (POLICY, 5), (CONFIGURATION, 5), (SINKS, 5), (TOPICS, 7), (EVENTS, 7)]
        .map(|(name, section)| Name::new(name, section))
        .to_vec()
}

fn of_docs(name: &str, section: u8, about: &str, sources: &[&str]) -> Result<Written> {
    let mut page = Page::begin(Name::new(name, section), about);
    page.control("SH", &["DESCRIPTION"]);
    for source in sources {
        markdown::add(&mut page, &of_checkout(source)?);
    }
    page.see_also(&others());
    Ok(page.end())
}

fn of_configuration() -> Result<Written> {
    let mut page =
        Page::begin(Name::new(CONFIGURATION, 5), "how gdprport runs: its sensor and its deliverer");
    configuration::add(&mut page, &of_checkout("packaging/gdprport.example.toml")?);
    page.see_also(&others());
    Ok(page.end())
}

fn of_topics() -> Written {
    let mut page = Page::begin(Name::new(TOPICS, 7), "first steps, and what the words mean");
    for topic in ui::TOPICS {
        page.control("SH", &[&topic.name.to_uppercase()]);
        let mut summary = topic.summary().to_owned();
        summary.get_mut(..1).map(str::make_ascii_uppercase);
        page.text(markdown::inlines(&format!("{summary}.")));
        markdown::add(&mut page, topic.text);
    }
    page.see_also(&others());
    page.end()
}
