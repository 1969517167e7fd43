//! The files of a pack, in the order in which they are written: none is there as a whole before it is.

use std::io::{self, Write};

use gdprport_core::evidence::Seal;
use gdprport_core::records::Document;

use super::super::drawings::Drawings;
use super::super::json::pretty as json;
use super::super::{frameworks, record};
use super::contents::Pack;
use super::manifest::{Listed, Summed};
use super::{coverage, findings, manifest, policies, readme, violations};

/// Writes what a file has.
type Written<'w> = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + 'w>;

/// Takes a file: its name, and what writes it.
pub(crate) type Put<'p, E> = dyn FnMut(&str, &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), E> + 'p;

/// Writes every file; the list of digests comes last, its signature before it, and its digest is returned. The same pack gives the
/// same bytes.
///
/// # Errors
/// If a file is not taken.
pub(crate) fn write_files<E>(pack: &Pack<'_>, put: &mut Put<'_, E>) -> Result<String, E> {
    let mut files = all(pack);
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut listed = Vec::with_capacity(files.len());
    for (name, write) in files {
        let sum = summed(&name, &*write, put)?;
        listed.push(Listed { name, bytes: sum.bytes, sha256: sum.sha256 });
    }
    let list = |out: &mut dyn Write| json(&manifest::Manifest::of(pack, &listed), out);
    let mut own = Summed::default();
    // Neither memory nor a sum of bytes refuses anything.
    let _ = list(&mut own);
    let sum = own.digest();
    let sums = manifest::sums(listed.iter().map(|file| (&*file.name, &*file.sha256)), &sum.to_string());
    put(manifest::SUMS, &|out| out.write_all(sums.as_bytes()))?;
    if let Ok(key) = pack.signer {
        let note = Seal { manifest: sum }.sign(key).to_string();
        put(manifest::SIGNATURE, &|out| out.write_all(note.as_bytes()))?;
    }
    put(manifest::MANIFEST, &list)?;
    Ok(sum.to_string())
}

/// Hands a file over, and adds up what is written.
fn summed<E>(
    name: &str,
    write: &dyn Fn(&mut dyn Write) -> io::Result<()>,
    put: &mut Put<'_, E>,
) -> Result<manifest::Sum, E> {
    let sum = std::cell::Cell::new(manifest::Sum::default());
    put(name, &|out| {
        let mut both = Summed::beside(out);
        write(&mut both)?;
        sum.set(both.sum());
        Ok(())
    })?;
    Ok(sum.into_inner())
}

fn all<'p>(pack: &'p Pack<'_>) -> Vec<(String, Written<'p>)> {
    let records = pack.facts.records;
    let drawings = Drawings::of(records, pack.lang);
    let page = std::rc::Rc::new(record::page(records, &drawings, pack.lang));
    let controls = std::rc::Rc::new(frameworks::page(pack.frameworks, records, None));
    let mut files: Vec<(String, Written<'p>)> = Vec::new();
    let mut add = |name: &str, write: Written<'p>| files.push((name.to_owned(), write));
    let (of_page, of_controls) = (page.clone(), controls.clone());
    add("index.html", Box::new(move |out| record::html(&of_page, out)));
    add("frameworks.html", Box::new(move |out| record::html(&of_controls, out)));
    add("record.md", text(move || record::markdown(&page)));
    add("frameworks.md", text(move || record::markdown(&controls)));
    add("README.md", text(|| readme::readme(pack)));
    add("record.csv", text(|| record::sheet(records, pack.lang)));
    add("record.json", Box::new(|out| json(&Document::of(records), out)));
    for (name, drawing) in drawings.files() {
        add(name, text(move || drawing.clone()));
    }
    add("coverage.md", text(|| record::markdown(&coverage::page(pack))));
    add("coverage.html", Box::new(|out| record::html(&coverage::page(pack), out)));
    add("coverage.csv", text(|| coverage::sheet(pack)));
    add("violations.csv", Box::new(|out| violations::sheet(pack.facts.rows, out)));
    add("findings.md", text(|| findings::markdown(pack)));
    add("findings.json", Box::new(|out| json(&findings::Findings::of(pack), out)));
    add("policies.md", text(|| record::markdown(&policies::page(pack))));
    add("policies.html", Box::new(|out| record::html(&policies::page(pack), out)));
    add("policies.json", Box::new(|out| json(&policies::Policies::of(pack), out)));
    add("frameworks.csv", text(|| frameworks::sheet(pack.frameworks)));
    add(
        "frameworks.json",
        Box::new(|out| json(&frameworks::Document::of(pack.frameworks, records, None), out)),
    );
    if let Ok(log) = pack.log {
        if !log.checkpoints.is_empty() {
            add(
                manifest::CHECKPOINTS,
                Box::new(|out| log.checkpoints.iter().try_for_each(|of| out.write_all(of.note.as_bytes()))),
            );
        }
        if !log.rotations.is_empty() {
            add(manifest::ROTATIONS, text(|| log.rotations.clone()));
        }
    }
    for (name, source) in policies::texts(pack.facts.versions) {
        add(&name, text(move || source.clone()));
    }
    files
}

/// A file that is small enough to be a text first.
fn text<'w>(made: impl Fn() -> String + 'w) -> Written<'w> {
    Box::new(move |out| out.write_all(made().as_bytes()))
}
