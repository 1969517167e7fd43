//! What `cargo xtask bench` measures with, in one program with two roles: `instrument` does as it is told on standard
//! input and answers on standard output; `floor OBJECT PORT` runs the least possible monitor.
//!
//! Belongs in this package: making load, starting monitors and ending them, reading clocks. Does not belong here: what
//! is compared with what, and what it means; that is `xtask/src/bench`.

mod clock;
mod floor;
mod growing;
mod instrument;
mod load;
mod monitors;
mod programs;
mod request;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["instrument"] => instrument::run(),
        ["floor", object, port] => floor::run(object, port),
        _ => Err("usage: gdprport-bench instrument | floor OBJECT PORT".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gdprport-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
