//! The questions of `init`, on a terminal: each can be left open with the return key.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;

use anyhow::anyhow;
use gdprport_core::learn::{Answers, ControllerAnswer, Seen, Which, candidates};

use super::super::format::counted;
use super::super::screen::columns;
use super::super::table::wrap;

/// How many services that the catalog does not know are asked about; the others stand in the file as comments.
const UNKNOWN_MAX: usize = 10;

/// The file that is proposed.
const FILE: &str = "policy.toml";

/// What is asked besides the services.
pub(super) struct Questions {
    pub(super) controller: bool,
}

/// Which file a person gives who has named none; `None`: it is printed, as it is if the input ends.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn file() -> anyhow::Result<Option<PathBuf>> {
    loop {
        let Some(name) = line(&format!("Into which file (return: {FILE}, -: print it)? "))? else {
            return Ok(None);
        };
        let path = PathBuf::from(if name.is_empty() { FILE } else { &name });
        if name == "-" {
            return Ok(None);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            eprintln!("there is no directory {}; name another file", folder.display());
        } else if path.symlink_metadata().is_ok() {
            eprintln!("{} exists already; name another file (--force would replace it)", path.display());
        } else {
            return Ok(Some(path));
        }
    }
}

/// Asks what is not answered yet. The end of the input leaves all that follows open.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn ask(seen: &Seen, answers: &mut Answers, questions: &Questions) -> anyhow::Result<()> {
    eprintln!(
        "{} seen. The return key takes the answer in capitals, and leaves the controller blank.",
        counted(seen.services.len() as u64, "service")
    );
    if questions.controller {
        let Some(name) = line("Who is responsible for the data (name of the controller)? ")? else {
            return Ok(());
        };
        if !name.is_empty() {
            let contact = line("How can the controller be reached (address, e-mail)? ")?.unwrap_or_default();
            let dpo = line("How can the data protection officer be reached? ")?.unwrap_or_default();
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let answer = ControllerAnswer::new(&name, some(&contact).as_deref(), some(&dpo).as_deref());
            match answer {
                Ok(answer) => answers.controller = Some(answer),
                Err(error) => eprintln!("left blank: {error}"),
            }
        }
    }
    let width = usize::from(columns(&io::stderr()));
    let mut unknown = 0;
    for candidate in candidates(seen) {
        let answered = |which: &Which| match which {
            Which::Port(port) => *port == candidate.port,
            Which::Service(_) => false,
        };
        if answers.services.iter().any(|(which, _)| answered(which)) {
            continue;
        }
        if !candidate.usual {
            unknown += 1;
            if unknown > UNKNOWN_MAX {
                continue;
            }
        }
        let choice = if candidate.usual { "[Y/n]" } else { "[y/N]" };
        eprintln!();
        wrap(&candidate.what, width).iter().for_each(|line| eprintln!("{line}"));
        let question = format!("  Does it carry personal data? {choice} ");
        loop {
            let Some(answer) = line(&question)? else { return Ok(()) };
            let carries = match answer.to_lowercase().as_str() {
                "y" | "yes" => true,
                "n" | "no" => false,
                "" => break,
                _ => {
                    eprintln!("please answer y or n");
                    continue;
                }
            };
            answers.services.push((Which::Port(candidate.port), carries));
            break;
        }
    }
    Ok(())
}

/// Whether somebody agrees; the return key, and the end of the input, do not.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn agreed(question: &str) -> anyhow::Result<bool> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str())))
}

/// One answer; `None`: the input has ended.
fn line(question: &str) -> anyhow::Result<Option<String>> {
    loop {
        eprint!("{question}");
        let _ = io::stderr().flush();
        let mut answer = Vec::new();
        let read = io::stdin().lock().read_until(b'\n', &mut answer);
        if read.map_err(|error| anyhow!("cannot read the answer: {error}"))? == 0 {
            eprintln!();
            return Ok(None);
        }
        match String::from_utf8(answer) {
            Ok(answer) => return Ok(Some(answer.trim().to_owned())),
            Err(_) => eprintln!("this is not UTF-8; please write it again"),
        }
    }
}
