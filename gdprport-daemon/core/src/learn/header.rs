//! What stands above the declarations: where the policy comes from, what to do with it, and who is responsible.

use jiff::Timestamp;

use super::answers::ControllerAnswer;
use super::seen::{Seen, Source};
use super::text::{BLANK, Page, clean, quoted};
use crate::figures::counted;

/// What a starter policy says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    /// The host.
    pub host: &'c str,
    /// Now.
    pub at: Timestamp,
    /// This program's version.
    pub version: &'c str,
    /// The commands that check it and put it in force, in their order.
    pub next: &'c [&'c str],
}

/// Where it comes from and what to do with it.
pub(super) fn preface(page: &mut Page, seen: &Seen, context: &Context<'_>, blanks: usize) {
    page.comment(&format!(
        "A starter policy for {}, written by `gdprport init` {} on {}.",
        clean(context.host),
        clean(context.version),
        context.at.strftime("%Y-%m-%d at %H:%M UTC")
    ));
    match seen.source {
        Source::Look { watched_s: None } => page
            .comment("It rests on one look at this host. Who was not connected at that moment is not in it."),
        Source::Look { watched_s: Some(seconds) } => page.comment(&format!(
            "It rests on {} of watching this host. Who was not connected meanwhile is not in it.",
            counted(seconds, "second")
        )),
        Source::Ledger { from, to } => page.comment(&format!(
            "It rests on the ledger, from {} to {}.",
            from.strftime("%Y-%m-%d %H:%M"),
            to.strftime("%Y-%m-%d %H:%M UTC")
        )),
    }
    page.comment("");
    page.comment("It says what was seen, not what is right:");
    page.item(
        "1. ",
        "Read every rule. Whoever was connected is declared by it, also who should not have been.",
    );
    page.item(
        "2. ",
        &format!("Fill in what is marked {BLANK} ({blanks}). Only you know it; gdprport never guesses it."),
    );
    next(page, 3, context);
    if !seen.unseen.is_empty() {
        page.comment("");
        page.comment("What could not be seen, so that it may be missing here:");
        seen.unseen.iter().take(20).for_each(|unseen| page.item("- ", unseen));
    }
    page.blank();
    page.line("version = 1");
    page.blank();
}

/// The commands that follow, numbered from this step on.
pub(super) fn next(page: &mut Page, first: usize, context: &Context<'_>) {
    for (step, command) in (first..).zip(context.next) {
        page.item(&format!("{step}. "), &clean(command));
    }
}

/// The controller, with blanks for what was not answered; how many they are.
pub(super) fn controller(page: &mut Page, answer: Option<&ControllerAnswer>) -> usize {
    const CONTACT: &str = "how to reach the controller";
    const DPO: &str = "how to reach the data protection officer";
    page.comment("Who is responsible for the data: Art. 30(1)(a) GDPR.");
    let Some(answer) = answer else {
        page.line("# [controller]");
        for (key, what) in [("name", "such as \"Example GmbH\""), ("contact", CONTACT), ("dpo", DPO)] {
            page.key(&format!("# {key} = \"\""), &format!("{BLANK} {what}"));
        }
        page.blank();
        return 3;
    };
    page.line("[controller]");
    page.line(&format!("name = {}", quoted(&answer.name)));
    let mut blanks = 0;
    for (key, value, what) in [("contact", &answer.contact, CONTACT), ("dpo", &answer.dpo, DPO)] {
        if let Some(value) = value {
            page.line(&format!("{key} = {}", quoted(value)));
        } else {
            page.key(&format!("# {key} = \"\""), &format!("{BLANK} {what}"));
            blanks += 1;
        }
    }
    page.blank();
    blanks
}
