//! A proposal as a policy of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::header::{controller, next};
use super::super::roles::Given;
use super::super::seen::Source as SeenSource;
use super::super::text::{BLANK, Page, clean};
use super::asked::{Asked, PORTS_MAX, Proposal};
use super::draft::{Counts, Draft, Which, by_support, drafts};
use super::group::{Group, Grouping};
use crate::policy::{Problems, Source, compile, outline};
use crate::replay::Judge;

/// Writes a policy of what was seen and was no violation. Everything else is a comment that says why.
///
/// # Errors
/// None, unless this program has a fault: what is written is compiled.
pub fn propose(asked: &Asked<'_>) -> Result<Proposal, Problems> {
    let mut grouping = Grouping::new(asked.seen);
    let groups = grouping.groups(asked.rows, None, Some(asked.include_violations));
    let services: BTreeSet<Which> = groups.iter().map(|group| (group.key.number, group.key.remote)).collect();
    let drafts = drafts(groups, asked.seen, &mut Given::default(), asked.include_violations);
    // What no rule allows is asked of the policy itself, so that the same policy is never proposed anything again.
    let draft = written(asked, &drafts, &mut BTreeMap::new(), services.len());
    let name = "the proposal".to_owned();
    let (outline, policy) = outline(&[Source { name, text: draft.text }])?;
    let judge = Judge::new(policy, &outline, asked.now());
    let mut left: BTreeMap<Which, Vec<Group<'_>>> = BTreeMap::new();
    for group in grouping.groups(asked.rows, Some(&judge), None) {
        left.entry((group.key.number, group.key.remote)).or_default().push(group);
    }
    left.values_mut().for_each(|groups| by_support(groups));
    let proposal = written(asked, &drafts, &mut left, services.len());
    // What `policy check` would refuse is never handed out.
    compile(&[Source { name: "the proposal".to_owned(), text: proposal.text.clone() }])?;
    Ok(proposal)
}

fn written(
    asked: &Asked<'_>,
    drafts: &BTreeMap<Which, Draft<'_>>,
    left: &mut BTreeMap<Which, Vec<Group<'_>>>,
    services: usize,
) -> Proposal {
    let (mut top, mut ports, mut counts) = (Page::default(), Page::default(), Counts::default());
    counts.blanks += controller(&mut top, None);
    for (which, draft) in drafts {
        let left = left.remove(which).unwrap_or_default();
        draft.write(&mut ports, &left, asked.include_violations, &mut counts);
    }
    if services > drafts.len() {
        let more = services - drafts.len();
        ports.comment(&format!(
            "{more} more services were left out: a proposal declares at most {PORTS_MAX}. Merge it again to have the next."
        ));
    }
    let mut page = Page::default();
    preface(&mut page, asked, counts.blanks);
    page.append(&top);
    page.append(&ports);
    Proposal {
        text: page.into_text().trim_end().to_owned() + "\n",
        ports: drafts.values().filter(|draft| draft.held.is_none()).count(),
        rules: counts.rules,
        commented: counts.commented,
        beside: 0,
        blanks: counts.blanks,
        grouped: counts.grouped,
    }
}

/// Where it comes from and what to do with it.
fn preface(page: &mut Page, asked: &Asked<'_>, blanks: usize) {
    let context = asked.context;
    page.comment(&format!(
        "A proposal for {}, written by `gdprport policy learn` {} on {}.",
        clean(context.host),
        clean(context.version),
        context.at.strftime("%Y-%m-%d at %H:%M UTC")
    ));
    if let SeenSource::Ledger { from, to } = asked.seen.source {
        page.comment(&format!(
            "It rests on the ledger, from {} to {}.",
            from.strftime("%Y-%m-%d %H:%M"),
            to.strftime("%Y-%m-%d %H:%M UTC")
        ));
    }
    page.comment("");
    page.comment("It allows what was seen and was no violation of the policy of then. It says what was, not what is right:");
    page.item(
        "1. ",
        "Read every rule. Whoever was connected is declared by it, also who should not have been.",
    );
    page.item("2. ", "Decide on what stands there as a comment: remove its `# ` only if it is right.");
    page.item(
        "3. ",
        &format!("Fill in what is marked {BLANK} ({blanks}). Only you know it; gdprport never guesses it."),
    );
    next(page, 4, context);
    page.comment("");
    page.comment(
        "By the lines `#proposal …` a later `policy learn --merge` knows what it has proposed already.",
    );
    if !asked.seen.unseen.is_empty() {
        page.comment("");
        page.comment("What could not be seen, so that it may be missing here:");
        asked.seen.unseen.iter().take(20).for_each(|unseen| page.item("- ", unseen));
    }
    page.blank();
    page.line("version = 1");
    page.blank();
}
