//! A daemon that cannot start prints one sentence with the reason and the remedy, and leaves nothing behind.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gdprport_tests::bpf::Held;
use gdprport_tests::cgroup;
use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::program;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// A copy of the program that every user may run, with a policy and a place for a socket.
struct Setup {
    dir: TempDir,
    program: PathBuf,
    policy: PathBuf,
}

impl Setup {
    fn new() -> Self {
        let dir = TempDir::new();
        let copy = dir.join("gdprport");
        let done = Command::new("cp").arg(program()).arg(&copy).status().expect("cp can be run");
        assert!(done.success());
        set_mode(&copy, 0o755);
        // As /tmp: whoever may write to the directory must not replace the policy.
        set_mode(dir.path(), 0o1777);
        let policy = dir.write("policy.toml", &open(Port::free().number()).alone());
        Self { dir, program: copy, policy }
    }

    /// `daemon run` with this policy, started by `prefix` (a program and its arguments, or nothing).
    fn run(&self, prefix: &[&str], place: Place<'_>) -> Output {
        let (output, held) = self.attempt(prefix, place, None);
        assert_eq!(
            held,
            Held::default(),
            "nothing is loaded into the kernel before the start is known to succeed"
        );
        output
    }

    /// The same, with pins at this place if any, and what it loaded into the kernel meanwhile. Nothing of that stays.
    fn attempt(&self, prefix: &[&str], place: Place<'_>, pins: Option<&Path>) -> (Output, Held) {
        let mut words = prefix.iter().map(|word| (*word).into()).collect::<Vec<std::ffi::OsString>>();
        words.push(self.program.clone().into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["daemon", "run", "--no-ledger", "--policy"]).arg(&self.policy);
        command.arg("--events").arg(self.dir.join("events")).arg("--socket").arg(self.dir.join("socket"));
        if let Some(pins) = pins {
            command.arg("--pin").arg(pins);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Child::start(command, place);
        let held = Held::until_the_end(&mut child);
        let status = child.ended().expect("it has ended");
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let pipes = child.pipes();
        pipes.stdout.take().expect("piped").read_to_end(&mut stdout).expect("its output");
        pipes.stderr.take().expect("piped").read_to_end(&mut stderr).expect("its output");
        wait::until("nothing of it stays in the kernel", || held.is_gone());
        assert!(pins.is_none_or(|pins| !pins.exists()), "nothing stays pinned");
        assert!(!self.dir.join("socket").exists(), "no socket stays");
        (Output { status, stdout, stderr }, held)
    }
}

/// Exit code 1 and one sentence that mentions all of these.
#[track_caller]
fn one_sentence(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "one sentence: {text}");
    for word in words {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "{word} is not mentioned: {text}");
    }
}

#[test]
fn a_user_other_than_root_is_refused_in_one_sentence() {
    let setup = Setup::new();
    one_sentence(&setup.run(&[], Place::default().user(&User::nobody())), &["root"]);
}

#[test]
fn root_without_a_capability_learns_which_one_is_missing() {
    let setup = Setup::new();
    let prefix = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"];
    one_sentence(&setup.run(&prefix, Place::default()), &["CAP_"]);
}

#[test]
fn the_error_on_a_host_without_cgroup2_shows_how_to_mount_it() {
    let setup = Setup::new();
    let script = format!("umount -l '{}' && exec \"$0\" \"$@\"", cgroup::mount().display());
    let prefix = ["unshare", "--mount", "sh", "-c", &script];
    one_sentence(&setup.run(&prefix, Place::default()), &["cgroup2", "mount"]);
}

/// Each problem is printed with its line number.
#[test]
fn an_invalid_policy_stops_the_start_and_lists_every_problem() {
    let setup = Setup::new();
    let policy = "version = 1\n\n[[port]]\nname = \"a\"\nport = 99999\nmode = \"prevent\"\n\n\
                [[port.allow]]\nrole = \"x\"\ndirection = \"sideways\"\npeers = [\"300.1.2.3\"]\nvolume = { max = \"1GiB\" }\n";
    setup.dir.write("policy.toml", policy);
    for check in [false, true] {
        let output = if check {
            let mut command = Command::new(&setup.program);
            command.args(["policy", "check"]).arg(&setup.policy);
            Place::default().user(&User::nobody()).apply(&mut command);
            command.output().expect("the program can be run")
        } else {
            setup.run(&[], Place::default())
        };
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        for line in [5, 6, 10, 11, 12] {
            assert!(text.contains(&format!("policy.toml:{line}:")), "line {line} is not listed: {text}");
        }
    }
    assert!(!setup.dir.join("events").exists() && !setup.dir.join("socket").exists(), "nothing was started");
}

#[test]
fn a_valid_policy_is_accepted_without_a_daemon_or_root() {
    let setup = Setup::new();
    let mut command = Command::new(&setup.program);
    command.args(["policy", "check"]).arg(&setup.policy);
    Place::default().user(&User::nobody()).apply(&mut command);
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_policys_schema_is_printed_without_a_daemon() {
    let output = Command::new(program()).args(["policy", "schema"]).output().expect("the program can be run");
    assert!(output.status.success());
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the schema is JSON");
    jsonschema::meta::validate(&schema).expect("the schema is a schema");
}

#[test]
fn a_missing_policy_file_stops_the_start() {
    let setup = Setup::new();
    std::fs::remove_file(&setup.policy).expect("it was written");
    let output = setup.run(&[], Place::default());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(text.contains("policy.toml"), "{text}");
}

#[test]
fn an_unwritable_events_file_stops_the_start() {
    let setup = Setup::new();
    std::fs::create_dir(setup.dir.join("events")).expect("a fresh directory");
    let fs = BpfFs::new();
    for pins in [None, Some(fs.pins())] {
        // Only the last step fails: everything is in the kernel by then, and must be removed.
        let (output, held) = setup.attempt(&[], Place::default(), pins.as_deref());
        one_sentence(&output, &["events"]);
        assert!(!held.programs.is_empty(), "it must fail late: {held:?}");
    }
}

/// Nothing is attached or pinned.
#[test]
fn a_kernel_without_btf_stops_the_start_in_one_sentence() {
    let (setup, fs) = (Setup::new(), BpfFs::new());
    let script = "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\"";
    for pins in [None, Some(fs.pins())] {
        let prefix = ["unshare", "--mount", "sh", "-c", script];
        let (output, held) = setup.attempt(&prefix, Place::default(), pins.as_deref());
        one_sentence(&output, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
        assert_eq!(held, Held::default());
    }
}

#[test]
fn pins_outside_a_bpffs_stop_the_start() {
    let setup = Setup::new();
    let (output, held) = setup.attempt(&[], Place::default(), Some(&setup.dir.join("pins")));
    one_sentence(&output, &["bpffs", "mount"]);
    assert_eq!(held, Held::default());
}

#[test]
fn usage_errors_exit_with_two() {
    for words in [&["daemon", "jump"][..], &["daemon", "run", "--no-such-option"], &["policy"]] {
        let output = Command::new(program()).args(words).output().expect("the program can be run");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}
