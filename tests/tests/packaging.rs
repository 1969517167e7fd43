//! What `packaging/` promises: a unit that systemd accepts and that has few privileges, and an example policy that is
//! valid. The daemon's own behaviour belongs to the other files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::daemon::program;
use gdprport_tests::need;
use gdprport_tests::skip::{Missing, installed};
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;

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

/// In tenths, by systemd 252; `docs/privileges.md` says what is left of the sensor's.
#[test]
fn no_unit_is_more_exposed_than_its_work_needs() {
    let analyze = need!(analyze());
    for (name, most) in [(UNITS[0], 25), (UNITS[1], 35), (DELIVERER, 12)] {
        let mut security = Command::new(&analyze);
        security.args(["security", "--offline=true", &format!("--threshold={most}"), "--no-pager"]);
        output_of(security.arg(packaging(name)));
    }
}

/// A user of its own, which it is handed what root has made for.
#[test]
fn the_sensors_unit_is_not_roots() {
    let text = unit(UNITS[0]);
    let has = |line: &str| text.lines().any(|other| other == line);
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).expect("it is there");
    assert!(has("User=gdprport-sensor") && has("NoNewPrivileges=yes"));
    assert_eq!(line("AmbientCapabilities="), line("CapabilityBoundingSet="));
    let sysusers = unit("gdprport.sysusers");
    assert!(sysusers.lines().any(|line| line.starts_with("u gdprport-sensor ")), "{sysusers}");
}

/// With what the unit does as root before each start: of files that root has left, and that systemd has given away as a whole.
/// What belongs to somebody else stays theirs.
#[test]
fn what_root_has_written_becomes_the_services() {
    let (sensor, deliverer, root) = (User::games(), User::backup(), TempDir::new());
    let place = |name: &str| root.join(name.trim_start_matches('/'));
    for dir in ["/sys/fs/bpf", "/run/gdprport", "/var/lib/gdprport/spool", "/var/log/gdprport"] {
        fs::create_dir_all(place(dir)).expect("root may");
    }
    let (ledger, segment, foreign) = (
        place("/var/lib/gdprport/ledger.db"),
        place("/var/lib/gdprport/spool/1.spool"),
        place("/var/log/gdprport/x"),
    );
    for (file, uid, gid) in
        [(&ledger, 0, 7), (&segment, sensor.uid, sensor.gid), (&foreign, deliverer.uid, deliverer.gid)]
    {
        fs::write(file, "").expect("root may");
        std::os::unix::fs::chown(file, Some(uid), Some(gid)).expect("root may");
    }
    let text = unit(UNITS[0])
        .replace("gdprport-deliver", &deliverer.gid.to_string())
        .replace("gdprport-sensor:gdprport", &format!("{}:{}", sensor.uid, sensor.gid))
        .replace("gdprport-sensor", &sensor.uid.to_string());
    for line in text.lines().filter_map(|line| line.strip_prefix("ExecStartPre=+")) {
        let words: Vec<&str> = line.trim_start_matches('-').split(' ').collect();
        let is_place = |word: &str| ["/sys", "/var", "/run"].iter().any(|top| word.starts_with(top));
        let at_root = |word: &&str| if is_place(word) { place(word) } else { PathBuf::from(*word) };
        output_of(Command::new(words[0]).args(words[1..].iter().map(at_root)));
    }
    let owner = |path: &Path| {
        let meta = fs::metadata(path).expect("it is there");
        (meta.uid(), meta.gid())
    };
    assert_eq!(owner(&ledger), (sensor.uid, 7), "its group stays");
    assert_eq!(owner(&segment), (sensor.uid, deliverer.gid));
    assert_eq!(owner(&foreign), (deliverer.uid, deliverer.gid));
    assert_eq!(owner(&place("/sys/fs/bpf/gdprport")).0, sensor.uid);
}

/// A user of its own and no capability.
#[test]
fn the_deliverers_unit_has_no_privilege() {
    let text = unit(DELIVERER);
    let has = |line: &str| text.lines().any(|other| other == line);
    for line in ["User=gdprport-deliver", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "LimitCORE=0"] {
        assert!(has(line), "{line}");
    }
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
