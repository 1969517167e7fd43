//! What `packaging/` promises: a unit that systemd accepts and that has few privileges, and an example policy that is
//! valid. The daemon's own behaviour belongs to the other files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::daemon::program;
use gdprport_tests::need;
use gdprport_tests::skip::{Missing, installed};
use gdprport_tests::temp::TempDir;

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(name)
}

fn unit() -> String {
    fs::read_to_string(packaging("gdprport.service")).expect("the unit is part of the checkout")
}

fn analyze() -> Result<PathBuf, Missing> {
    installed(&["/usr/bin/systemd-analyze"], "systemd")
}

/// Runs a program that must succeed and returns its output.
fn output_of(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

#[test]
fn systemd_accepts_every_line_of_the_unit() {
    let analyze = need!(analyze());
    let dir = TempDir::new();
    // systemd also checks that the program exists, and it is not installed here.
    let here = unit().replace("/usr/bin/gdprport", &program().display().to_string());
    let unit = dir.write("gdprport.service", &here);
    let complaints = output_of(Command::new(analyze).args(["verify", "--man=no"]).arg(unit));
    assert!(!complaints.contains("gdprport.service"), "{complaints}");
}

#[test]
fn the_units_exposure_is_at_most_three_and_a_half() {
    let analyze = need!(analyze());
    let mut security = Command::new(analyze);
    security.args(["security", "--offline=true", "--threshold=35", "--no-pager"]);
    output_of(security.arg(packaging("gdprport.service")));
}

#[test]
fn the_unit_explains_exactly_the_capabilities_it_grants() {
    let unit = unit();
    let granted: Vec<&str> = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .expect("the unit bounds its capabilities")
        .split(' ')
        .collect();
    let explained: Vec<&str> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("#   CAP_"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let expected: Vec<String> = explained.iter().map(|name| format!("CAP_{name}")).collect();
    assert_eq!(granted, expected);
}

#[test]
fn the_example_policy_is_valid_without_a_warning() {
    let check =
        output_of(Command::new(program()).args(["policy", "check"]).arg(packaging("policy.example.toml")));
    assert!(!check.contains("warning"), "{check}");
}
