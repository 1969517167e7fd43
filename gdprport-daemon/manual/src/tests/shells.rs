//! The completions in the shells that load them.

use std::path::Path;
use std::process::Command;

use gdprport_tests::need;
use gdprport_tests::skip::installed;

use crate::{completions, write};

/// The completions in a folder, as they are installed.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for one in completions::all() {
        write(&folder.path().join(&one.path), &one.text).expect("it is written");
    }
    folder
}

/// What a shell prints; it must complain of nothing.
fn said(shell: &mut Command, folder: &Path) -> String {
    let output =
        shell.current_dir(folder).env("HOME", folder).env("TERM", "dumb").output().expect("the shell runs");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn bash_completes_commands_options_and_topics() {
    let bash = need!(installed(&["/usr/bin/bash", "/bin/bash"], "bash"));
    let folder = folder();
    let complete = |words: &str| {
        let script = format!(
            "set -eu; source bash/gdprport; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _gdprport gdprport \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\" || true; echo \"${{COMPREPLY[*]}}\""
        );
        said(Command::new(&bash).args(["--norc", "--noprofile", "-c", &script]), folder.path())
    };
    assert_eq!(complete("gdprport dae").trim(), "daemon");
    assert_eq!(complete("gdprport policy expl").trim(), "explain");
    assert_eq!(complete("gdprport audit --fail").trim(), "--fail-on");
    assert_eq!(complete("gdprport help verd").trim(), "verdicts");
}

#[test]
fn fish_completes_commands_and_options() {
    let fish = need!(installed(&["/usr/bin/fish"], "fish"));
    let folder = folder();
    let complete = |line: &str| {
        let script = format!("source fish/gdprport.fish; complete --do-complete '{line}'");
        let said = said(Command::new(&fish).args(["--no-config", "--command", &script]), folder.path());
        said.lines().filter_map(|line| line.split('\t').next()).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("gdprport dae"), ["daemon"]);
    assert_eq!(complete("gdprport policy expl"), ["explain"]);
    assert_eq!(complete("gdprport audit --fail"), ["--fail-on"]);
}

#[test]
fn zsh_completes_commands_options_and_topics() {
    let zsh = need!(installed(&["/usr/bin/zsh", "/bin/zsh"], "zsh"));
    let folder = folder();
    // An interactive shell on a pseudo-terminal of its own, as completion needs a line that is edited.
    let complete = |line: &str, whole: &str| {
        // What is waited for is not what was typed: the line is echoed.
        let script = format!(
            "zmodload zsh/zpty; zpty shell zsh -f -i; \
             zpty -w shell 'fpath=($PWD/zsh $fpath); autoload -Uz compinit; compinit -u -D; x=ded; print loa$x'; \
             zpty -r shell out '*loaded*'; \
             zpty -n -w shell $'{line}\\t'; zpty -r shell out '*{whole}*'; zpty -d shell; print -r -- found"
        );
        let mut shell = Command::new("timeout");
        shell.arg("30").arg(&zsh).args(["-f", "-c", &script]);
        said(&mut shell, folder.path())
    };
    for (line, whole) in [
        ("gdprport dae", "gdprport daemon "),
        ("gdprport policy expl", "explain "),
        ("gdprport audit --fail", "--fail-on="),
        ("gdprport help verd", "verdicts "),
    ] {
        assert_eq!(complete(line, whole).trim(), "found", "{line}");
    }
}
