//! How a test starts the daemon: in a mount namespace of its own, or as the packaged service's user.

use std::process::Command;

use crate::daemon::program;
use crate::user::User;

/// The program, after these lines of shell in a mount namespace of its own, if any. Its pid is the daemon's.
pub(crate) fn prepared(script: Option<&str>, user: Option<&User>) -> Command {
    let mut words: Vec<String> = Vec::new();
    if let Some(script) = script {
        let script = format!("{script}\nexec \"$0\" \"$@\"");
        words.extend(["unshare", "--mount", "sh", "-ec", &script].map(str::to_owned));
    }
    if let Some(user) = user {
        words.extend(as_service(user));
    }
    words.push(program().display().to_string());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// The words before a command that start it as a user with the capabilities of the packaged service.
fn as_service(user: &User) -> Vec<String> {
    const GIVEN: &str = "-all,+bpf,+perfmon,+net_admin,+sys_ptrace,+dac_read_search,+sys_admin";
    let ids = [format!("--reuid={}", user.uid), format!("--regid={}", user.gid), "--clear-groups".to_owned()];
    let sets = ["inh-caps", "bounding-set", "ambient-caps"].map(|set| format!("--{set}={GIVEN}"));
    std::iter::once("setpriv".to_owned()).chain(ids).chain(sets).collect()
}
