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

/// The services.
const UNITS: [&str; 2] = ["gdprport.service", "gdprport-audit.service"];

/// The one that has no privileges.
const DELIVERER: &str = "gdprport-deliver.service";

fn unit(name: &str) -> String {
    fs::read_to_string(packaging(name)).expect("the unit is part of the checkout")
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
fn systemd_accepts_every_line_of_the_units() {
    let analyze = need!(analyze());
    let dir = TempDir::new();
    let mut verify = Command::new(analyze);
    verify.args(["verify", "--man=no"]);
    for name in UNITS.into_iter().chain(["gdprport-audit.timer", DELIVERER]) {
        // systemd also checks that the program exists, and it is not installed here.
        let here = unit(name).replace("/usr/bin/gdprport", &program().display().to_string());
        verify.arg(dir.write(name, &here));
    }
    let complaints = output_of(&mut verify);
    assert!(!complaints.contains("gdprport"), "{complaints}");
}

/// Also the groups and users of the first file, which the second one names: as on a host where nothing of it is there yet.
#[test]
fn systemd_makes_every_user_and_directory_of_the_packages() {
    let sysusers = need!(installed(&["/usr/bin/systemd-sysusers"], "systemd"));
    let tmpfiles = need!(installed(&["/usr/bin/systemd-tmpfiles"], "systemd"));
    let root = TempDir::new();
    fs::create_dir_all(root.path().join("etc")).expect("root may");
    let at_root = format!("--root={}", root.path().display());
    output_of(Command::new(sysusers).arg(&at_root).arg(packaging("gdprport.sysusers")));
    let users = fs::read_to_string(root.path().join("etc/passwd")).expect("the file of users");
    assert!(users.lines().any(|line| line.starts_with("gdprport-deliver:x:")), "{users}");
    let made =
        output_of(Command::new(tmpfiles).args(["--create", &at_root]).arg(packaging("gdprport.tmpfiles")));
    assert!(!made.contains("gdprport"), "a line was not understood: {made}");
    assert!(root.path().join("var/lib/gdprport/spool").is_dir());
}

#[test]
fn the_units_exposure_is_at_most_three_and_a_half() {
    let analyze = need!(analyze());
    for name in UNITS {
        let mut security = Command::new(&analyze);
        security.args(["security", "--offline=true", "--threshold=35", "--no-pager"]);
        output_of(security.arg(packaging(name)));
    }
}

/// A user of its own, no capability, and an exposure of at most 1.2 (systemd 252).
#[test]
fn the_deliverers_unit_has_no_privilege() {
    let text = unit(DELIVERER);
    let has = |line: &str| text.lines().any(|other| other == line);
    for line in ["User=gdprport-deliver", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "LimitCORE=0"] {
        assert!(has(line), "{line}");
    }
    let analyze = need!(analyze());
    let mut security = Command::new(&analyze);
    security.args(["security", "--offline=true", "--threshold=12", "--no-pager"]);
    output_of(security.arg(packaging(DELIVERER)));
}

#[test]
fn the_units_explain_exactly_the_capabilities_they_grant() {
    for name in UNITS {
        let unit = unit(name);
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
        assert_eq!(granted, expected, "{name}");
    }
}

#[test]
fn an_audit_is_recorded_once_a_day_at_some_minute() {
    let (service, timer) = (unit("gdprport-audit.service"), unit("gdprport-audit.timer"));
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    assert!(has(&service, "Type=oneshot"));
    assert!(has(&service, "ExecStart=/usr/bin/gdprport audit --record --fail-on never"));
    for line in ["OnCalendar=daily", "RandomizedDelaySec=1h", "Persistent=true", "WantedBy=timers.target"] {
        assert!(has(&timer, line), "{line}");
    }
}

#[test]
fn the_example_policy_is_valid_without_a_warning() {
    let check =
        output_of(Command::new(program()).args(["policy", "check"]).arg(packaging("policy.example.toml")));
    assert!(!check.contains("warning"), "{check}");
}
