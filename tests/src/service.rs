//! The services as `packaging/README.md` installs them, in a machine with systemd as its first process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::daemon::program;
use crate::user::User;

/// The sensor's unit.
pub const SENSOR: &str = "gdprport.service";

/// The deliverer's unit.
pub const DELIVER: &str = "gdprport-deliver.service";

/// Runs a program that must succeed and returns its output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn output_of(words: &[&str]) -> String {
    let (status, text) = output(Command::new(words[0]).args(&words[1..]));
    assert!(status.success(), "{words:?}: {status}\n{text}\n{}", journal());
    text
}

/// The same as a user who is a member of these groups besides, whatever comes of it.
#[must_use]
pub fn output_as(user: &User, groups: &[u32], words: &[&str]) -> (ExitStatus, String) {
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string()]);
    match groups.is_empty() {
        true => command.arg("--clear-groups"),
        false => command.args(["--groups", &groups.join(",")]),
    };
    output(command.args(words))
}

fn output(command: &mut Command) -> (ExitStatus, String) {
    let output = command.output().expect("the program is there");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status, format!("{out}{err}"))
}

/// The end of the services' journals.
#[must_use]
pub fn journal() -> String {
    let mut command = Command::new("journalctl");
    let output = command.args(["-u", SENSOR, "-u", DELIVER, "-n", "80", "--no-pager"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// A property of a service as systemd has it.
///
/// # Panics
/// When systemd cannot be asked.
#[must_use]
pub fn property_of(unit: &str, name: &str) -> String {
    output_of(&["systemctl", "show", "-P", name, unit]).trim().to_owned()
}

/// What the services write, and what a test adds to their units.
const STATE: [&str; 5] = [
    "/etc/gdprport",
    "/var/log/gdprport",
    "/var/lib/gdprport",
    "/var/lib/gdprport-deliver",
    "/run/systemd/system/gdprport.service.d",
];

/// The installed services. On drop they are stopped, and what they wrote is removed: the next test of the machine has its own.
#[derive(Debug)]
pub struct Installed(());

impl Installed {
    /// Installs them with a policy, as `packaging/README.md` describes.
    ///
    /// # Panics
    /// When systemd is not the first process, or something of it fails.
    #[must_use]
    pub fn new(policy: &str) -> Self {
        let first = fs::read_to_string("/proc/1/comm").unwrap_or_default();
        assert_eq!(first.trim(), "systemd", "run with --systemd");
        remove();
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        for (from, to, mode) in [
            (program(), "/usr/bin/gdprport", 0o755),
            (packaging.join(SENSOR), "/usr/lib/systemd/system/gdprport.service", 0o644),
            (packaging.join(DELIVER), "/usr/lib/systemd/system/gdprport-deliver.service", 0o644),
            (packaging.join("gdprport.sysusers"), "/usr/lib/sysusers.d/gdprport.conf", 0o644),
            (packaging.join("gdprport.tmpfiles"), "/usr/lib/tmpfiles.d/gdprport.conf", 0o644),
        ] {
            let to = PathBuf::from(to);
            fs::create_dir_all(to.parent().expect("a place")).expect("root may");
            fs::copy(&from, &to).expect("root may install");
            fs::set_permissions(&to, fs::Permissions::from_mode(mode)).expect("root may");
        }
        // It would empty /tmp, where the programs of this test may lie.
        output_of(&["systemctl", "mask", "--runtime", "systemd-tmpfiles-setup.service"]);
        output_of(&["systemd-sysusers", "gdprport.conf"]);
        output_of(&["systemd-tmpfiles", "--create", "gdprport.conf"]);
        fs::write("/etc/gdprport/policy.toml", policy).expect("root may");
        output_of(&["systemctl", "daemon-reload"]);
        Self(())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        remove();
    }
}

fn remove() {
    let systemctl = |words: &[&str]| drop(Command::new("systemctl").args(words).output());
    systemctl(&["stop", DELIVER, SENSOR]);
    for place in STATE {
        let _ = fs::remove_dir_all(place);
    }
    systemctl(&["reset-failed", DELIVER, SENSOR]);
    systemctl(&["daemon-reload"]);
}
