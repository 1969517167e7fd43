//! A proposal put into a policy that somebody wrote: nothing of it is changed, only what is missing is added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::roles::{Given, role};
use super::super::text::Page;
use super::asked::{Asked, MergeError, Proposal, RULES_PER_PORT};
use super::block::{Shape, beside, rule};
use super::draft::{Counts, Draft, Which, by_support, drafts, remainder};
use super::group::{Group, Grouping, Standing};
use super::held;
use super::place::{ends, has_empty_list, is_header, line, put_in};
use crate::model::Direction;
use crate::policy::{DeclaredPort, DeclaredRule, DeclaredSite, Outline, Source, outline};
use crate::replay::Judge;

/// Where a group belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    /// To this declaration.
    Existing(Arc<str>),
    /// To one that the policy lacks.
    New(Which),
    /// To one that the policy lacks, on a number that it declares to be served elsewhere.
    Elsewhere(Which),
}

/// Groups by where they belong.
type Homes<'e> = BTreeMap<Home, Vec<Group<'e>>>;

/// A policy file with what it lacks.
struct Merging<'m> {
    asked: &'m Asked<'m>,
    file: &'m Source,
    before: Outline,
    ends: BTreeMap<String, usize>,
}

/// Puts into `file` what the policy of it and `others` lacks to allow what was seen. Every byte that was there stays, in its order.
/// What nobody may decide but its author is a comment, beside the rule that it is about where there is one.
///
/// # Errors
/// The problems of the policy, or that tables cannot be added to the file.
pub fn merge(asked: &Asked<'_>, file: &Source, others: &[Source]) -> Result<Proposal, MergeError> {
    let with = |text: &str| -> Vec<Source> {
        let file = Source { name: file.name.clone(), text: text.to_owned() };
        std::iter::once(file).chain(others.iter().cloned()).collect()
    };
    let (before, policy) = outline(&with(&file.text))?;
    let judge = Judge::new(policy, &before, asked.now());
    let marks: BTreeSet<String> =
        std::iter::once(file).chain(others).flat_map(|source| held::marks(&source.text)).collect();
    let mut grouping = Grouping::new(asked.seen);
    let fresh = unmarked(grouping.groups(asked.rows, Some(&judge), None), &marks);
    let unchanged = || Proposal { text: file.text.clone(), ..Proposal::default() };
    if fresh.is_empty() {
        return Ok(unchanged());
    }
    let merging = Merging { asked, file, ends: ends(&file.text), before };
    let mut homes = homes(fresh, &judge, &merging.before);
    // A new declaration is not bound by what was said of its port before there was one.
    let new: BTreeSet<Which> = homes.keys().filter_map(Home::new_port).collect();
    let alike = grouping.groups(asked.rows, Some(&judge), Some(asked.include_violations));
    let alike = alike.into_iter().filter(|group| new.contains(&(group.key.number, group.key.remote)));
    let mut names = given(merging.before.ports.iter().map(|port| &*port.name));
    let of_new = homes_of(alike, &homes);
    let mut drafts = drafts(of_new, asked.seen, &mut names, asked.include_violations);
    for home in homes.keys() {
        let Home::Elsewhere(which) = home else { continue };
        if let Some(draft) = drafts.get_mut(which) {
            draft.held = Some(format!(
                "this policy declares port {} to be served elsewhere, and with a second declaration other connections may \
                 fall under another one.",
                which.0
            ));
        }
    }
    for (home, groups) in &mut homes {
        by_support(groups);
        groups.retain(|group| matches!(home, Home::Existing(_)) && merging.is_rule(group));
        groups.truncate(RULES_PER_PORT);
    }
    let (rules, _) = merging.written(&homes, &drafts, &mut BTreeMap::new())?;
    let (after, policy) = outline(&with(&rules))?;
    let judge = Judge::new(policy, &after, asked.now());
    let mut left = Homes::new();
    for group in unmarked(grouping.groups(asked.rows, Some(&judge), None), &marks) {
        let which = (group.key.number, group.key.remote);
        let home = if drafts.contains_key(&which) { Home::New(which) } else { home(&group, &judge, &after) };
        left.entry(home).or_default().push(group);
    }
    left.values_mut().for_each(|groups| by_support(groups));
    let (text, proposal) = merging.written(&homes, &drafts, &mut left)?;
    outline(&with(&text))?;
    Ok(Proposal { text, ..proposal })
}

/// Those that the policy's text does not have as proposals.
fn unmarked<'e>(groups: Vec<Group<'e>>, marks: &BTreeSet<String>) -> Vec<Group<'e>> {
    let mut by_port: BTreeMap<held::Together, Vec<Group<'e>>> = BTreeMap::new();
    for group in groups.into_iter().filter(|group| !marks.contains(&held::id(group))) {
        by_port.entry(held::together(&group)).or_default().push(group);
    }
    by_port.retain(|_, groups| !marks.contains(&held::id_of_all(&groups.iter().map(held::id).collect())));
    by_port.into_values().flatten().collect()
}

fn given<'n>(names: impl Iterator<Item = &'n str>) -> Given {
    let mut given = Given::default();
    for name in names {
        given.first([name]);
    }
    given
}

impl Home {
    const fn new_port(&self) -> Option<Which> {
        match self {
            Self::Existing(_) => None,
            Self::New(which) | Self::Elsewhere(which) => Some(*which),
        }
    }
}

fn home(group: &Group<'_>, judge: &Judge, policy: &Outline) -> Home {
    let which = (group.key.number, group.key.remote);
    let Some(port) = judge.port(group.sample).filter(|port| port.declared) else { return Home::New(which) };
    let declared = policy.ports.iter().find(|declared| declared.name == port.name);
    let is_elsewhere = declared.is_some_and(|declared| matches!(declared.site, DeclaredSite::Remote(_)));
    if group.key.direction == Direction::In && is_elsewhere {
        return Home::Elsewhere(which);
    }
    Home::Existing(Arc::clone(&port.name))
}

fn homes<'e>(groups: Vec<Group<'e>>, judge: &Judge, policy: &Outline) -> Homes<'e> {
    let mut homes = Homes::new();
    for group in groups {
        homes.entry(home(&group, judge, policy)).or_default().push(group);
    }
    homes
}

/// Those of the groups whose port the policy does not declare.
fn homes_of<'e>(groups: impl Iterator<Item = Group<'e>>, homes: &Homes<'e>) -> Vec<Group<'e>> {
    let existing: BTreeSet<*const crate::ledger::EdgeKey> = homes
        .iter()
        .filter(|(home, _)| matches!(home, Home::Existing(_)))
        .flat_map(|(_, groups)| groups.iter().map(|group| std::ptr::from_ref(group.sample)))
        .collect();
    groups.filter(|group| !existing.contains(&std::ptr::from_ref(group.sample))).collect()
}

impl Merging<'_> {
    /// Whether a group that this policy does not allow becomes a rule in force all the same.
    fn is_rule(&self, group: &Group<'_>) -> bool {
        let was_allowed = group.key.standing == Standing::Declared || self.asked.include_violations;
        was_allowed && group.near.is_none() && held::why(group, self.asked.include_violations).is_empty()
    }

    /// Why a group is no rule.
    fn why(&self, group: &Group<'_>) -> Vec<String> {
        let mut why = held::why(group, self.asked.include_violations);
        why.push(held::by_policy(group));
        why.retain(|why| !why.is_empty());
        why
    }

    fn port(&self, name: &str) -> Option<&DeclaredPort> {
        self.before.ports.iter().find(|port| &*port.name == name)
    }

    /// The rule of this port that has a place in the file where a comment can stand.
    fn place(&self, port: &str, role: &str) -> Option<&DeclaredRule> {
        let rule = self.port(port)?.rules.iter().find(|rule| &*rule.role == role)?;
        self.is_here(&rule.place.file, rule.place.line).then_some(rule)
    }

    fn is_here(&self, file: &str, line: usize) -> bool {
        *file == *self.file.name && is_header(&self.file.text, line)
    }

    /// Behind which byte `[[port.allow]]` can stand; `None`: only `[[allow]]` at the end of the file can.
    fn end(&self, name: &str) -> Option<usize> {
        let port = self.port(name)?;
        let below = port.rules.iter().filter(|rule| !rule.top_level);
        let fits = self.is_here(&port.place.file, port.place.line)
            && below.clone().all(|rule| self.is_here(&rule.place.file, rule.place.line));
        self.ends.get(name).copied().filter(|_| fits)
    }

    /// The file with these rules and declarations, and what is left as comments.
    fn written(
        &self,
        homes: &Homes<'_>,
        drafts: &BTreeMap<Which, Draft<'_>>,
        left: &mut Homes<'_>,
    ) -> Result<(String, Proposal), MergeError> {
        let (mut counts, mut others, mut foot) = (Counts::default(), Vec::new(), Page::default());
        let mut commented = 0;
        let names: BTreeSet<Arc<str>> = homes.keys().chain(left.keys()).filter_map(existing).collect();
        for name in names {
            let home = Home::Existing(Arc::clone(&name));
            let end = self.end(&name);
            let mut page = Page::default();
            let mut roles =
                given(self.port(&name).into_iter().flat_map(|port| &port.rules).map(|rule| &*rule.role));
            let port = end.is_none().then_some(&*name);
            for group in homes.get(&home).into_iter().flatten() {
                let role = role(group.identity, group.key.direction, &mut roles);
                rule(&mut page, group, &Shape { role: &role, port });
                counts.rules += 1;
            }
            let mut rest = Vec::new();
            for group in left.remove(&home).unwrap_or_default() {
                let near = group.near.as_ref().and_then(|role| self.place(&name, role));
                match near.and_then(|rule| line(&self.file.text, rule.place.line)) {
                    Some(at) if group.key.place.is_ok() && commented < RULES_PER_PORT => {
                        let mut note = Page::default();
                        beside(&mut note, &group, &self.why(&group));
                        others.push((at, note.into_text()));
                        commented += 1;
                    }
                    _ => rest.push(group),
                }
            }
            remainder(&mut page, &rest, port, &mut roles, &|group| self.why(group), &mut counts);
            match end {
                Some(end) => others.push((end, page.into_text())),
                None => foot.append(&page),
            }
        }
        for (which, draft) in drafts {
            let left = left.remove(&Home::New(*which)).unwrap_or_default();
            foot.blank();
            draft.write(&mut foot, &left, self.asked.include_violations, &mut counts);
        }
        for left in std::mem::take(left).into_values() {
            remainder(&mut foot, &left, None, &mut Given::default(), &|group| self.why(group), &mut counts);
        }
        let foot = foot.into_text();
        self.can_have(&foot)?;
        others.push((self.file.text.len(), foot.trim_end().to_owned()));
        let text = put_in(&self.file.text, others.into_iter().filter(|(_, text)| !text.is_empty()).collect());
        let proposal = Proposal {
            text: String::new(),
            ports: drafts.values().filter(|draft| draft.held.is_none()).count(),
            rules: counts.rules,
            commented: counts.commented,
            beside: commented,
            blanks: counts.blanks,
            grouped: counts.grouped,
        };
        Ok((text, proposal))
    }

    /// Whether these tables can stand at the end of the file.
    fn can_have(&self, foot: &str) -> Result<(), MergeError> {
        let adds = |header: &str| foot.lines().any(|line| line == header);
        let inline = |key| MergeError::Inline { file: self.file.name.clone(), key };
        let is_inline =
            |file: &str, line: usize| *file == *self.file.name && !is_header(&self.file.text, line);
        let mut ports = self.before.ports.iter();
        let empty = |key| has_empty_list(&self.file.text, key);
        let has_port = empty("port") || ports.any(|port| is_inline(&port.place.file, port.place.line));
        if adds("[[port]]") && has_port {
            return Err(inline("port"));
        }
        let mut rules = self.before.ports.iter().flat_map(|port| &port.rules).filter(|rule| rule.top_level);
        let has_allow = empty("allow") || rules.any(|rule| is_inline(&rule.place.file, rule.place.line));
        if adds("[[allow]]") && has_allow {
            return Err(inline("allow"));
        }
        Ok(())
    }
}

fn existing(home: &Home) -> Option<Arc<str>> {
    match home {
        Home::Existing(name) => Some(Arc::clone(name)),
        Home::New(_) | Home::Elsewhere(_) => None,
    }
}
