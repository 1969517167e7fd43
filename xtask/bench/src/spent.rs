//! What one program takes from its begin to its end. Prints one JSON object.

use std::error::Error;
use std::process::{Command, Stdio};

use serde_json::json;

use super::clock;

/// Runs a program, whose output is thrown away, and prints its CPU time and the most memory that it had.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    // It is the only child that this process has had.
    let (cpu_ns, peak) = (clock::children_ns(), clock::children_peak());
    if status.code().is_none_or(|code| code > 1) {
        return Err(format!("{program} failed: {status}").into());
    }
    println!("{}", json!({ "cpu_s": cpu_ns as f64 / 1e9, "peak": peak }));
    Ok(())
}
