//! What this kernel and these privileges allow, as a list of things to fix.

use super::format::clean;
use super::screen::Screen;
use super::table::{fact, title, wrap};
use super::tone::Tone;
use crate::control::api::{CheckResult, DoctorReport, Hook, HookState};

/// The checks with what to do, then every hook.
pub(super) fn show(report: &DoctorReport, screen: &Screen) -> String {
    let (tone, verdict) = match report.worst() {
        CheckResult::Ok => (Tone::Good, "● everything gdprport needs is here"),
        CheckResult::Degraded => (Tone::Warn, "● gdprport runs here and knows less than it could"),
        CheckResult::Failed => (Tone::Bad, "● gdprport cannot run here"),
    };
    let mut text = format!("{}\n", tone.paint(verdict));
    text.push_str(&title("CHECKS", &format!("kernel {}", report.kernel.release)));
    for check in &report.checks {
        let (tone, mark) = match check.result {
            CheckResult::Ok => (Tone::Good, "✓"),
            CheckResult::Degraded => (Tone::Warn, "!"),
            CheckResult::Failed => (Tone::Bad, "✗"),
        };
        text.push_str(&item(tone, mark, &check.id, &check.found, screen));
        if let Some(remedy) = &check.remedy {
            for (i, line) in
                wrap(remedy, usize::from(screen.width).saturating_sub(NAME + 6)).iter().enumerate()
            {
                let mark = if i == 0 { "→" } else { " " };
                text.push_str(&format!(
                    "{:1$}{2}\n",
                    "",
                    NAME + 4,
                    Tone::Strong.paint(&format!("{mark} {line}"))
                ));
            }
        }
    }
    text.push_str(&hooks(&report.hooks, screen));
    text
}

/// Columns for the name of a check.
const NAME: usize = 14;

fn item(tone: Tone, mark: &str, name: &str, found: &str, screen: &Screen) -> String {
    let mut text = String::new();
    for (i, line) in wrap(found, usize::from(screen.width).saturating_sub(NAME + 4)).iter().enumerate() {
        let (mark, name) = if i == 0 { (mark, name) } else { (" ", "") };
        text.push_str(&format!("  {} {:NAME$}{line}\n", tone.paint(mark), clean(name)));
    }
    text
}

/// The hooks in use in one line each, and what the others cost. Shared with the status.
pub(super) fn hooks(hooks: &[Hook], screen: &Screen) -> String {
    if let Some(hook) = hooks.iter().find(|hook| hook.state == HookState::Untried) {
        let why = hook.error.as_deref().unwrap_or_default();
        return title("HOOKS", &format!("were not tried: {why}"));
    }
    let used: Vec<_> = hooks
        .iter()
        .filter(|hook| hook.state == HookState::Attached)
        .map(|hook| hook.name.as_str())
        .collect();
    let mut text = title("HOOKS", &format!("{} of {} in use", used.len(), hooks.len()));
    if !used.is_empty() {
        text.push_str(&fact("attached", Tone::Plain, &used.join(", "), screen.width));
    }
    for hook in hooks {
        let (name, tone) = match hook.state {
            HookState::Attached | HookState::Untried => continue,
            HookState::Missing => ("missing", Tone::Warn),
            HookState::Failed => ("failed", Tone::Bad),
        };
        text.push_str(&fact(
            name,
            tone,
            &format!("{} (kernel {} and later)", hook.name, hook.since),
            screen.width,
        ));
        text.push_str(&fact("  costs", Tone::Plain, &hook.cost, screen.width));
        if let Some(error) = &hook.error {
            text.push_str(&fact("  because", Tone::Plain, error, screen.width));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::api::samples;

    fn shown(width: u16) -> String {
        let screen = Screen { width, now: jiff::Timestamp::UNIX_EPOCH };
        anstream::adapter::strip_str(&show(&samples::doctor(), &screen)).to_string()
    }

    #[test]
    fn doctor_on_a_narrow_screen() {
        insta::assert_snapshot!(shown(80));
    }

    #[test]
    fn hooks_that_were_not_tried_take_one_line() {
        let mut report = samples::doctor();
        for hook in &mut report.hooks {
            hook.state = HookState::Untried;
            hook.error = Some("something above is missing".to_owned());
        }
        let screen = Screen { width: 80, now: jiff::Timestamp::UNIX_EPOCH };
        let text = anstream::adapter::strip_str(&show(&report, &screen)).to_string();
        assert!(text.ends_with("\n\nHOOKS  were not tried: something above is missing\n"), "{text}");
    }

    #[test]
    fn doctor_on_a_wide_screen() {
        insta::assert_snapshot!(shown(160));
    }
}
