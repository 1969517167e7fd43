//! From the files of a policy to the compiled one: every stage in its turn.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::outlined::outlined;
use super::policy::{Policy, Times, catalog_only};
use crate::model::Direction;
use crate::policy::declared::TlsDemand;
use crate::policy::enforcement::{Enforcement, OnListener, OnPosture};
use crate::policy::merge::merge;
use crate::policy::model::{Declaration, Model, Site};
use crate::policy::outline::Outline;
use crate::policy::read::RawPolicy;
use crate::written::{At, Loc, Problems, Report, SHOWN, quoted};
use crate::written::{FILE_BYTES_MAX, FILES_MAX, Source, TOTAL_BYTES_MAX};

/// Compiles the files of a policy, merged in the order given. No file at all is [`catalog_only`].
///
/// # Errors
/// Every problem of every file, with its place and what would be right, if one of them is an error. Warnings alone
/// do not fail: see [`Policy::warnings`].
pub fn compile(sources: &[Source]) -> Result<Policy, Problems> {
    if sources.is_empty() {
        return Ok(catalog_only());
    }
    let (policy, ()) = read(sources, check_enforcement, |_, _| ())?;
    Ok(policy)
}

/// The same with keys of `[port.enforce]` that this version refuses: what is to come is tested before it is whole.
///
/// # Errors
/// Those of [`outline`], but for these keys.
#[cfg(any(test, feature = "testing"))]
pub fn compile_any_mode(sources: &[Source]) -> Result<(Policy, Outline), Problems> {
    read(sources, |_, _| (), outlined)
}

/// The same, and the policy as its author wrote it. Without a file nothing is written.
///
/// # Errors
/// Those of [`compile`], and more peers than an [`Outline`] may have.
pub fn outline(sources: &[Source]) -> Result<(Outline, Policy), Problems> {
    if sources.is_empty() {
        return Ok((Outline::default(), catalog_only()));
    }
    let (policy, outline) = read(sources, check_enforcement, outlined)?;
    Ok((outline, policy))
}

/// What can have no effect is said, and what would lock everybody out is refused.
fn check_enforcement(model: &Model, report: &mut Report<'_>) {
    for declared in &model.declarations {
        who_listens(declared, report);
        let Enforcement { mode, posture, .. } = declared.enforcement;
        let Some(loc) = declared.mode.filter(|_| !mode.is_observe()) else { continue };
        if posture == OnPosture::Reset && !matches!(declared.tls, TlsDemand::AtLeast(_)) {
            let message = "`posture = \"reset\"` ends nothing, as nothing is demanded of the encryption";
            let help = "add `tls = { min = \"1.2\" }` to the port, or remove the key".to_owned();
            report.warning(loc, message, help);
        }
    }
}

/// Whether `listener = "deny"` says who may listen.
fn who_listens(declared: &Declaration, report: &mut Report<'_>) {
    let Some(loc) = declared.listener.filter(|_| declared.enforcement.listener == OnListener::Deny) else {
        return;
    };
    if matches!(declared.site, Site::Remote(_)) {
        let message =
            "`listener = \"deny\"` is about who listens here, and the port is served elsewhere (`service`)";
        let help = "remove the key, or declare what is served here as a port of its own".to_owned();
        return report.error(loc, message, help);
    }
    let mut letting_in =
        declared.rules.iter().filter(|rule| rule.direction.value == Direction::In).peekable();
    // A rule that cannot be read may have been the one.
    if letting_in.peek().is_none() && report.errors() == 0 {
        let message =
            "`listener = \"deny\"` lets nobody listen: the port has no rule with `direction = \"in\"`";
        let help =
            "add a rule with `direction = \"in\"` and the `process` that serves the port, or remove the key";
        return report.error(loc, message, help.to_owned());
    }
    if let Some(anybody) = letting_in.find(|rule| rule.process.is_none()) {
        let role = quoted(&anybody.role);
        let message = format!(
            "`listener = \"deny\"` lets every process listen, as role {role} has `direction = \"in\"` and no `process`"
        );
        let help = "add the `process` that serves the port to the rule".to_owned();
        report.warning(loc, message, help);
    }
}

/// Compiles the files, with what the caller makes of the model before it is compiled.
fn read<T>(
    sources: &[Source],
    check: impl FnOnce(&Model, &mut Report<'_>),
    also: impl FnOnce(&Model, &mut Report<'_>) -> T,
) -> Result<(Policy, T), Problems> {
    let mut report = Report::new(sources);
    if !sizes_are_bounded(sources, &mut report) {
        let (list, omitted) = report.finish();
        return Err(Problems { list, omitted });
    }
    let raw = (0..sources.len()).map(|index| RawPolicy::parse(index, &mut report));
    let raw = raw.collect();
    let model = merge(raw, &mut report);
    check(&model, &mut report);
    let made = (!report.has_errors()).then(|| also(&model, &mut report));
    let failed = report.has_errors();
    let times = times(&model, &report);
    let (list, omitted) = report.finish();
    match made {
        Some(made) if !failed => Ok((Policy::new(model, sources, list, times), made)),
        _ => Err(Problems { list, omitted }),
    }
}

/// How long an exception may last before it is warned of.
const LONG: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

/// What is to be said of rules and exceptions once they are past their `until`, and of exceptions that end too late: now
/// is not known here. As many of each as there may be problems.
fn times(model: &Model, report: &Report<'_>) -> Times {
    let rules = model.declarations.iter().flat_map(|declared| &declared.rules);
    let of_rules = rules.filter_map(|rule| Some((rule.until?, Some(&rule.role))));
    let of_exceptions = model.exceptions.iter().map(|exception| (exception.end, None));
    let mut ends: Vec<_> = of_rules.chain(of_exceptions).collect();
    ends.sort_by_key(|(until, _)| (until.value, until.loc));
    ends.truncate(SHOWN);
    let ends = ends.into_iter().map(|(At { value: until, loc }, role)| {
        let (message, what) = match role {
            Some(role) => {
                let role = quoted(role);
                (format!("role {role} was valid until {until}, so the rule allows nothing any more"), "rule")
            }
            None => (
                format!(
                    "the exception ended with {} in UTC, so it accepts nothing any more",
                    until.strftime("%F")
                ),
                "exception",
            ),
        };
        let help = format!("extend `until`, or remove the {what}");
        (until, report.warning_later(loc, message, help))
    });
    let ends = ends.collect();
    let begin = |end: Timestamp| end.checked_sub(LONG).unwrap_or(Timestamp::MIN);
    let mut far: Vec<_> =
        model.exceptions.iter().map(|exception| (begin(exception.end.value), exception)).collect();
    far.sort_by_key(|(before, exception)| (Reverse(*before), exception.end.loc));
    far.truncate(SHOWN);
    let far = far.into_iter().map(|(before, exception)| {
        let message = "the exception lasts for more than two years".to_owned();
        let help = "choose an earlier end: what is accepted is looked at again then".to_owned();
        (before, report.warning_later(exception.end.loc, message, help))
    });
    Times { ends, far: far.collect() }
}

fn sizes_are_bounded(sources: &[Source], report: &mut Report<'_>) -> bool {
    let start = |source| Loc { source, start: 0, end: 0 };
    if sources.len() > FILES_MAX {
        report.error(start(FILES_MAX), format!("the policy has more than {FILES_MAX} files"), None);
    }
    let mut total = 0;
    for (index, source) in sources.iter().enumerate() {
        let bytes = source.text.len();
        if bytes > FILE_BYTES_MAX {
            let message = format!("the file has {bytes} bytes, more than the {FILE_BYTES_MAX} allowed");
            report.error(start(index), message, "split it into drop-ins".to_owned());
        }
        let before = total;
        total += bytes;
        if before <= TOTAL_BYTES_MAX && total > TOTAL_BYTES_MAX {
            let message = format!("with this file the policy has more than {TOTAL_BYTES_MAX} bytes");
            report.error(start(index), message, None);
        }
    }
    !report.has_errors()
}
