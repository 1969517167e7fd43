//! What a verifier finds in an export, in one pass, without the log.

use super::form::{Anchor, EXPORT, ExportHead, ExportLine, Included, hashes};
use crate::evidence::bundle::Entries;
use crate::evidence::checkpoint::{Checkpoint, Facts};
use crate::evidence::entry::Kind;
use crate::evidence::erased::Erased;
use crate::evidence::key::PublicKey;
use crate::evidence::note::{Note, divided};
use crate::evidence::own::Own;
use crate::evidence::proof::{Head, extends, includes, root_of_range};
use crate::evidence::rotation::Keys;
use crate::evidence::verify::{Elsewhere, EventHead, Findings, Runs, Stopped, What, signed};

/// What was verified and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportVerified {
    /// The log's name.
    pub origin: String,
    /// The tree that everything is proven against.
    pub head: Head,
    /// When that checkpoint was made.
    pub facts: Option<Facts>,
    /// Index of the first entry.
    pub from: u64,
    /// Index behind the last one.
    pub to: u64,
    /// The checkpoint at or before the first entry; `None`: the log begins with it.
    pub since: Option<Facts>,
    /// The checkpoint at or after the last.
    pub until: Option<Facts>,
    /// Entries that are there and proven.
    pub entries: u64,
    /// Events among them.
    pub events: u64,
    /// Entries of which only the hash is there.
    pub hidden: u64,
    /// Events that the log says are missing in it.
    pub declared_missing: u64,
    /// Checkpoints from elsewhere that are of this log.
    pub elsewhere: u64,
    /// Checkpoints from elsewhere for which the export has no proof.
    pub uncompared: u64,
    /// What is wrong.
    pub findings: Findings,
}

/// Verifies an export. `lines`: those behind the head.
///
/// # Errors
/// If there is nothing to verify against, or a line cannot be read. What is wrong with it is no error but a finding.
pub fn verify_export<E>(
    head: &ExportHead,
    lines: impl IntoIterator<Item = Result<ExportLine, E>>,
    trusted: &PublicKey,
    elsewhere: &[Elsewhere],
) -> Result<ExportVerified, Stopped<E>> {
    let notes: Result<Vec<Note>, _> = divided(head.rotations.as_bytes()).map(Note::parse).collect();
    let keys =
        notes.map_err(Into::into).and_then(|notes| Keys::of(trusted, &notes)).map_err(Stopped::Keys)?;
    if head.schema != EXPORT {
        return Err(Stopped::NoCheckpoint(format!("its schema is not {EXPORT}")));
    }
    let latest = signed(&keys, head.checkpoint.as_bytes()).map_err(Stopped::NoCheckpoint)?;
    let mut pass = Pass {
        keys,
        latest,
        runs: Runs::default(),
        findings: Findings::default(),
        known: Vec::new(),
        erased: Erased::none(),
    };
    pass.runs.skip();
    pass.known.push(pass.latest.head);
    let since = head.since.as_ref().and_then(|anchor| pass.anchor(anchor, "the checkpoint before the range"));
    let until = pass.anchor(&head.until, "the checkpoint behind the range");
    for anchor in &head.elsewhere {
        pass.anchor(anchor, "a checkpoint from elsewhere in it");
    }
    pass.ends(head, since.as_ref(), until.as_ref());
    if let Some(included) = &head.erased {
        pass.statement(included);
    }
    let mut counts = pass.range(head, lines)?;
    pass.hidden(&counts.hidden);
    let (mut compared, mut uncompared) = (0, 0);
    for Elsewhere { name, note, .. } in elsewhere {
        match pass.compare(name, note) {
            Some(true) => compared += 1,
            Some(false) => uncompared += 1,
            None => {}
        }
    }
    let Pass { latest, runs, mut findings, .. } = pass;
    let declared_missing = runs.declared;
    runs.finish(&mut findings);
    counts.hidden.sort_unstable();
    Ok(ExportVerified {
        origin: latest.origin.to_string(),
        head: latest.head,
        facts: latest.facts,
        from: head.from,
        to: head.to,
        since: since.and_then(|since| since.facts),
        until: until.and_then(|until| until.facts),
        entries: counts.entries,
        events: counts.events,
        hidden: counts.hidden.iter().map(|(from, to)| to - from).sum(),
        declared_missing,
        elsewhere: compared,
        uncompared,
        findings,
    })
}

struct Pass {
    keys: Keys,
    latest: Checkpoint,
    runs: Runs,
    findings: Findings,
    /// Trees that are proven to be the beginning of the latest, and itself.
    known: Vec<Head>,
    erased: Erased,
}

#[derive(Default)]
struct Counts {
    entries: u64,
    events: u64,
    /// Entries of which only the hash is there, as ranges.
    hidden: Vec<(u64, u64)>,
}

impl Pass {
    /// An older checkpoint, if it is signed and its tree is the beginning of the latest.
    fn anchor(&mut self, anchor: &Anchor, what: &str) -> Option<Checkpoint> {
        let read = match signed(&self.keys, anchor.note.as_bytes()) {
            Ok(read) => read,
            Err(error) => {
                self.findings.on(What::Unsigned, None, format!("{what}: {error}"));
                return None;
            }
        };
        let proof = hashes(&anchor.consistency).unwrap_or_default();
        if !extends(read.head, self.latest.head, &proof) {
            let time = read.facts.map(|facts| facts.time);
            let detail = format!("{what}: its tree is not shown to be the beginning of the latest");
            self.findings.on(What::Forked, time, detail);
            return None;
        }
        self.known.push(read.head);
        Some(read)
    }

    /// The range is all that was logged between two checkpoints.
    fn ends(&mut self, head: &ExportHead, since: Option<&Checkpoint>, until: Option<&Checkpoint>) {
        let from = since.map_or(0, |since| since.head.size);
        if from != head.from {
            let detail =
                "no checkpoint has as many entries as stand before it: some of its time may be left out";
            self.findings.at(What::Missing, head.from, None, detail);
        }
        if until.is_some_and(|until| until.head.size != head.to) {
            let detail = "no checkpoint ends with it: some of its time may be left out";
            self.findings.at(What::Missing, head.to, None, detail);
        }
    }

    /// The entry that states what was erased.
    fn statement(&mut self, included: &Included) {
        let index = included.entry.index;
        let read = included.entry.read();
        let proof = hashes(&included.inclusion);
        let Some(((Some(bundle), hash), proof)) = read.zip(proof) else {
            self.findings.at(What::Unreadable, index, None, "the statement of what was erased is none");
            return;
        };
        let Head { size, root } = self.latest.head;
        if !includes(hash, index, size, &proof, root) {
            let detail = "the statement of what was erased is not in the tree";
            self.findings.at(What::Changed, index, None, detail);
            return;
        }
        if let Some(Ok(entry)) = Entries::of(&bundle).next()
            && entry.kind == Some(Kind::Own)
            && let Some(Own::Erased { ranges, .. }) = Own::parse(entry.content)
        {
            self.erased = ranges;
        }
    }

    fn range<E>(
        &mut self,
        head: &ExportHead,
        lines: impl IntoIterator<Item = Result<ExportLine, E>>,
    ) -> Result<Counts, Stopped<E>> {
        let mut counts = Counts::default();
        let Some(proof) = hashes(&head.hashes) else {
            self.findings.at(What::Unreadable, head.from, None, "a hash beside the range is none");
            return Ok(counts);
        };
        let mut lines = lines.into_iter();
        let size = self.latest.head.size;
        let root = root_of_range((head.from, head.to), size, &proof, |index| {
            let Some(line) = lines.next().transpose()? else { return Ok(None) };
            Ok(self.line(index, &line, &mut counts))
        })
        .map_err(Stopped::Unreadable)?;
        if root != Some(self.latest.head.root) {
            let detail = match root {
                Some(_) => "entries and hashes do not make the tree that was signed: an entry was changed",
                None => "it has not the entries and hashes that its head says: it was cut, or changed",
            };
            self.findings.over(What::Changed, (head.from, head.to), None, detail);
        } else if lines.next().is_some() {
            self.findings.at(What::Inserted, head.to, None, "lines follow its last entry");
        }
        Ok(counts)
    }

    /// An entry of the range; its hash.
    fn line(&mut self, index: u64, line: &ExportLine, counts: &mut Counts) -> Option<crate::evidence::Hash> {
        if line.index != index {
            return None;
        }
        let (bundle, hash) = line.read()?;
        let Some(bundle) = bundle else {
            self.runs.skip();
            match counts.hidden.last_mut() {
                Some(last) if last.1 == index => last.1 = index + 1,
                _ => counts.hidden.push((index, index + 1)),
            }
            return Some(hash);
        };
        let entry = Entries::of(&bundle).next()?.ok()?;
        counts.entries += 1;
        match entry.kind {
            Some(Kind::Event) => match serde_json::from_slice::<EventHead>(entry.content) {
                Ok(event) => {
                    counts.events += 1;
                    self.runs.event(index, &event, &mut self.findings);
                }
                Err(_) => self.findings.at(What::Unreadable, index, None, "it is no event"),
            },
            Some(Kind::Own) => {
                if let Some(own) = Own::parse(entry.content) {
                    self.runs.own(index, &own, &mut self.findings);
                    if let Own::Erased { ranges, .. } = own
                        && self.erased.ranges().is_empty()
                    {
                        self.erased = ranges;
                    }
                }
            }
            None => {}
        }
        Some(hash)
    }

    fn hidden(&mut self, hidden: &[(u64, u64)]) {
        for (from, to) in hidden {
            if !self.erased.covers(*from, *to) {
                let detail = "these entries are not in it, and nothing declares that they were erased";
                self.findings.over(What::Missing, (*from, *to), None, detail);
            }
        }
    }

    /// Whether a checkpoint from elsewhere is of this log; `Some(false)`: the export has no proof for it.
    fn compare(&mut self, name: &str, note: &[u8]) -> Option<bool> {
        let read = match signed(&self.keys, note) {
            Ok(read) => read,
            Err(error) => {
                self.findings.on(What::Unsigned, None, format!("{name}: {error}"));
                return None;
            }
        };
        let same_size = self.known.iter().find(|known| known.size == read.head.size);
        match same_size {
            Some(known) if *known == read.head => Some(true),
            Some(_) => {
                let time = read.facts.map(|facts| facts.time);
                let detail = format!("{name} has another root for its {} entries", read.head.size);
                self.findings.on(What::Forked, time, detail);
                None
            }
            None => Some(false),
        }
    }
}
