//! `daemon unpin`: removes what a daemon left attached, unless its service is about to start again.

use super::super::cli::UnpinArgs;
use super::super::exit::Exit;
use super::super::screen::Output;
use crate::app::{Ending, Unpinned, unpin};

pub(super) fn run(args: &UnpinArgs, out: &mut Output) -> anyhow::Result<Exit> {
    if let Some(unit) = &args.unless_restarting
        && Ending::of(unit).starts_again()
    {
        out.text(&format!("{unit} starts again: what is pinned in {} stays\n", args.pin.display()))?;
        return Ok(Exit::Fine);
    }
    let text = match unpin(&args.pin)? {
        Unpinned::Removed => format!("removed what was pinned in {}\n", args.pin.display()),
        Unpinned::NothingThere => format!("nothing is pinned in {}\n", args.pin.display()),
    };
    out.text(&text)?;
    Ok(Exit::Fine)
}
