//! `gdprport`: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    gdprport_daemon::ui::run(std::env::args_os())
}
