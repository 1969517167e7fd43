//! Containers that are called by their id already: those of systemd-nspawn and LXC.
//!
//! Belongs here: systemd-machined's `/run/systemd/machines/NAME` (systemd's `src/machine/machine.c`), and LXC's
//! `/var/lib/lxc/NAME/config` (`lxc.container.conf(5)`). Neither has an image in the sense of a reference: a root file system lies
//! in a directory, whose name is no claim about what is in it.

use super::Unreadable;
use super::labels::Labels;
use super::stated::{NAME_MAX, Stated, text};

/// Bytes of a file that are read.
const BYTES_MAX: usize = 1 << 20;

/// Reads machined's file of the machine `id`. Virtual machines are no containers.
///
/// # Errors
/// It is the file of another machine, or of none that is a container.
pub fn machined(bytes: &[u8], id: &str) -> Result<Stated, Unreadable> {
    const KIND: Unreadable = Unreadable::Malformed("the file of a machine that is a container");
    let file = lines(bytes)?;
    let value = |key: &str| {
        file.lines()
            .filter_map(|line| line.split_once('='))
            .rfind(|(name, _)| *name == key)
            .map(|(_, value)| unquote(value))
    };
    if value("CLASS").as_deref() != Some("container") {
        return Err(KIND);
    }
    match value("NAME") {
        Some(name) if name == id => Ok(named(id)),
        Some(_) => Err(Unreadable::OtherContainer),
        None => Err(KIND),
    }
}

/// Reads LXC's configuration of the container `id`: what of the host it mounts. Files that it includes are not followed.
///
/// # Errors
/// It is no text.
pub fn lxc(bytes: &[u8], id: &str) -> Result<Stated, Unreadable> {
    let mut stated = named(id);
    for line in lines(bytes)?.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        // As in fstab: source, destination, type, options. Spaces in paths are `\040`.
        let mut fields = value.split_whitespace();
        let (Some(source), Some(_), Some(_)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if key.trim() != "lxc.mount.entry" {
            continue;
        }
        let options = || fields.clone().next().unwrap_or_default().split(',');
        if !options().any(|option| matches!(option, "bind" | "rbind")) {
            continue;
        }
        let source = source.replace("\\040", " ");
        match options().rfind(|option| matches!(*option, "ro" | "rw")) {
            Some("ro") => stated.mounts_read_only(&source),
            _ => stated.mounts(&source),
        }
    }
    Ok(stated)
}

/// A container that has a name and never labels.
fn named(id: &str) -> Stated {
    Stated { name: text(id, NAME_MAX), labels: Labels::default(), ..Stated::default() }
}

fn lines(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    std::str::from_utf8(bytes).map_err(|_| Unreadable::Malformed("a text"))
}

/// A value of an environment file: systemd puts those with special characters in quotes, with backslashes before some.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return value.to_owned();
    };
    let Some(inner) = value[1..].strip_suffix(quote) else { return value.to_owned() };
    if quote == '\'' {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 writes it.
    const MACHINE: &str = "# This is private data. Do not parse.\nNAME=orders\nSCOPE=machine-orders.scope\n\
        SCOPE_JOB=/org/freedesktop/systemd1/job/1\nSERVICE=systemd-nspawn\nROOT=/var/lib/machines/orders\n\
        ID=0f8fad5bd9cb469fa16570867728950e\nLEADER=411\nCLASS=container\nREALTIME=1\nMONOTONIC=2\nNETIF=3\n";

    #[test]
    fn a_machine_is_named_by_its_own_file() {
        let name = |text: &str, id: &str| {
            machined(text.as_bytes(), id).map(|stated| stated.name.map(|name| name.to_string()))
        };
        assert_eq!(name(MACHINE, "orders"), Ok(Some("orders".into())));
        assert_eq!(name(MACHINE, "billing"), Err(Unreadable::OtherContainer));
        let quoted = MACHINE.replace("NAME=orders", "NAME=\"or\\ders\"");
        assert_eq!(name(&quoted, "orders"), Ok(Some("orders".into())));
        assert!(name(&MACHINE.replace("=container", "=vm"), "orders").is_err());
        assert!(name(&MACHINE.replace("NAME=", "NAM="), "orders").is_err());
        for text in
            ["", "=", "CLASS=container", "\"", "CLASS=container\nNAME=\"", "CLASS=container\nNAME=\"\\"]
        {
            assert!(name(text, "orders").is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_mounts_of_an_lxc_container_are_known() {
        let text = "# Template used\nlxc.uts.name = db\nlxc.rootfs.path = dir:/var/lib/lxc/db/rootfs\n\
            lxc.mount.entry = /var/lib state none bind,create=dir 0 0\nlxc.mount.entry=/srv/a\\040b srv none rbind,ro 0 0\n\
            lxc.mount.entry = proc proc proc nodev 0 0\nlxc.mount.entry\nlxc.mount.entry = /x\n";
        let stated = lxc(text.as_bytes(), "db").expect("read");
        assert_eq!(
            (stated.name.as_deref(), stated.mounts.len(), stated.read_only_mounts.len()),
            (Some("db"), 1, 1)
        );
        assert_eq!(
            (&*stated.mounts[0].source, &*stated.read_only_mounts[0].source),
            ("/var/lib", "/srv/a b")
        );
        assert!(lxc(b"\xff", "db").is_err());
    }
}
