//! Exports of a log in memory: proven alone, and no change of one passes.

use std::convert::Infallible;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::evidence::{
    Checkpoint, Elsewhere, Entries, Erased, ErasedRange, Facts, Hash, Hashes, Head, KeyName, Kind, Note, Own,
    Reason, SecretKey, Sums, Tree, WIDTH, What, append, beside_range, consistency, inclusion,
};

const RUN: &str = "01900000-0000-7000-8000-000000000001";

/// A log in memory: its entries, and the hashes of its tiles.
struct Log {
    bundle: Vec<Vec<u8>>,
    kept: std::collections::HashMap<(u8, u64), Hash>,
    tree: Tree,
    key: SecretKey,
    sequence: u64,
}

impl Hashes for Log {
    type Error = Infallible;

    fn hashes(&mut self, level: u8, first: u64, count: u16) -> Result<Vec<Hash>, Infallible> {
        Ok((first..first + u64::from(count)).map(|index| self.kept[&(level, index)]).collect())
    }
}

impl Log {
    fn new() -> Self {
        let name = KeyName::new("gdprport/host").expect("a name");
        Self {
            bundle: Vec::new(),
            kept: std::collections::HashMap::new(),
            tree: Tree::new(),
            key: SecretKey::new(name, &[1; 32]),
            sequence: 0,
        }
    }

    fn append(&mut self, kind: Kind, content: &[u8]) {
        let mut bundle = Vec::new();
        let hash = append(&mut bundle, kind, &[7; 16], content).expect("short");
        self.bundle.push(bundle);
        let kept = &mut self.kept;
        self.tree.append(hash, |hash| {
            kept.insert((hash.level, hash.index), hash.hash);
        });
    }

    fn events(&mut self, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            let line = format!(r#"{{"seq":{seq},"time":"2026-11-30T01:02:03Z","agent":{{"run":"{RUN}"}}}}"#);
            self.append(Kind::Event, line.as_bytes());
        }
    }

    fn checkpoint(&mut self) -> (Head, String) {
        let head = Head { size: self.tree.size(), root: self.tree.root() };
        let facts = Facts {
            sequence: self.sequence,
            time: Timestamp::UNIX_EPOCH,
            boot: Uuid::nil(),
            reason: Reason::Activity,
            sums: Sums::default(),
        };
        self.sequence += 1;
        let origin = self.key.public().name().clone();
        let checkpoint = Checkpoint { origin, head, facts: Some(facts) };
        (head, Note::sign(checkpoint.to_string(), &[&self.key]).to_string())
    }

    fn line(&self, index: u64) -> ExportLine {
        let at = usize::try_from(index).expect("small");
        let entry = Entries::of(&self.bundle[at]).next().expect("one").expect("whole");
        ExportLine::of_entry(index, &entry).expect("text")
    }

    fn anchor(&mut self, of: &(Head, String), latest: Head) -> Anchor {
        let proof = consistency(self, of.0.size, latest.size).expect("all are there");
        Anchor { note: of.1.clone(), consistency: base64(&proof) }
    }
}

fn base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::base64).collect()
}

/// An export of the entries between the second and the third of four checkpoints.
fn exported(before: u64, within: u64, behind: u64) -> (Log, ExportHead, Vec<ExportLine>) {
    let mut log = Log::new();
    log.events(1..before + 1);
    let since = log.checkpoint();
    log.events(before + 1..before + within + 1);
    let until = log.checkpoint();
    log.events(before + within + 1..before + within + behind + 1);
    let (latest, checkpoint) = log.checkpoint();
    let (from, to) = (since.0.size, until.0.size);
    let hashes = base64(&beside_range(&mut log, (from, to), latest.size).expect("all are there"));
    let since = (from > 0).then(|| log.anchor(&since, latest));
    let until = log.anchor(&until, latest);
    let (rotations, elsewhere, erased) = (String::new(), Vec::new(), None);
    let schema = EXPORT.to_owned();
    let head =
        ExportHead { schema, checkpoint, rotations, from, to, hashes, since, until, elsewhere, erased };
    let lines = (from..to).map(|index| log.line(index)).collect();
    (log, head, lines)
}

fn verified(log: &Log, head: &ExportHead, lines: &[ExportLine], kept: &[Elsewhere]) -> ExportVerified {
    let lines = lines.iter().cloned().map(Ok::<_, Infallible>);
    verify_export(head, lines, log.key.public(), kept).unwrap_or_else(|error| panic!("{error:?}"))
}

fn found(verified: &ExportVerified) -> Vec<What> {
    verified.findings.kept().iter().map(|finding| finding.what).collect()
}

#[test]
fn an_export_is_verified_alone() {
    let (mut log, head, lines) = exported(300, 40, 500);
    let verified = verified(&log, &head, &lines, &[]);
    assert_eq!(found(&verified), []);
    assert_eq!((verified.from, verified.to, verified.events), (300, 340, 40));
    // A checkpoint that it has is compared; of another one it says that it cannot be.
    let known = Elsewhere { name: "paper".into(), note: head.until.note.clone().into_bytes(), stamp: None };
    let newer = Elsewhere { name: "paper".into(), note: log.checkpoint().1.into_bytes(), stamp: None };
    log.events(841..842);
    let other = Elsewhere { name: "paper".into(), note: log.checkpoint().1.into_bytes(), stamp: None };
    let verified = self::verified(&log, &head, &lines, &[known, newer, other]);
    assert_eq!((verified.elsewhere, verified.uncompared), (2, 1));
}

#[test]
fn no_change_of_an_export_passes() {
    let (log, head, lines) = exported(300, 40, 500);
    let check = |name: &str, change: &dyn Fn(&mut ExportHead, &mut Vec<ExportLine>)| {
        let (mut head, mut lines) = (head.clone(), lines.clone());
        change(&mut head, &mut lines);
        assert_ne!(found(&verified(&log, &head, &lines, &[])), [], "{name}");
    };
    check("an entry was changed", &|_, lines| lines[7].content = Some("{}".into()));
    check("a salt was changed", &|_, lines| lines[7].salt = Some("AAAAAAAAAAAAAAAAAAAAAA==".into()));
    check("an entry was taken out", &|_, lines| drop(lines.remove(7)));
    check("an entry was put in", &|_, lines| lines.push(lines[7].clone()));
    check("two entries were swapped", &|_, lines| lines.swap(7, 8));
    check("an entry was hidden", &|_, lines| {
        let hash = lines[7].read().expect("an entry").1;
        lines[7] = ExportLine::of_hash(lines[7].index, hash);
    });
    check("the end was cut off", &|head, lines| {
        head.to -= 1;
        lines.pop();
    });
    check("another hash", &|head, _| head.hashes[0] = Hash::of(b"x").base64());
    check("no hash", &|head, _| head.hashes.clear());
    check("no hash at all", &|head, _| head.hashes[0] = "x".into());
    check("another proof", &|head, _| head.until.consistency.clear());
    check("no beginning", &|head, _| head.since = None);
}

#[test]
fn a_hidden_entry_has_to_be_declared_erased() {
    let mut log = Log::new();
    log.events(1..2 * WIDTH + 1);
    let ranges = {
        let mut erased = Erased::none();
        let (why, by) = ("request 17".to_owned(), "root".to_owned());
        erased.add(ErasedRange { from: 0, to: WIDTH, time: Timestamp::UNIX_EPOCH, why, by });
        erased
    };
    let index = log.tree.size();
    log.append(Kind::Own, &Own::Erased { time: Timestamp::UNIX_EPOCH, ranges }.content());
    let (latest, checkpoint) = log.checkpoint();
    let until = Anchor { note: checkpoint.clone(), consistency: Vec::new() };
    let proof = inclusion(&mut log, index, latest.size).expect("all are there");
    let erased = Some(Included { entry: log.line(index), inclusion: base64(&proof) });
    let lines: Vec<ExportLine> = (0..latest.size)
        .map(|index| {
            let line = log.line(index);
            if index < WIDTH { ExportLine::of_hash(index, line.read().expect("an entry").1) } else { line }
        })
        .collect();
    let mut head = ExportHead {
        schema: EXPORT.to_owned(),
        checkpoint,
        rotations: String::new(),
        from: 0,
        to: latest.size,
        hashes: Vec::new(),
        since: None,
        until,
        elsewhere: Vec::new(),
        erased,
    };
    let of = verified(&log, &head, &lines, &[]);
    assert_eq!((found(&of), of.hidden, of.events), (vec![], WIDTH, WIDTH));
    head.erased.as_mut().expect("there").inclusion.pop();
    assert_eq!(found(&verified(&log, &head, &lines, &[])), [What::Changed]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 }))]

    #[test]
    fn every_range_is_proven(before in 0_u64..700, within in 1_u64..300, behind in 0_u64..700) {
        let (log, head, lines) = exported(before, within, behind);
        let verified = verified(&log, &head, &lines, &[]);
        prop_assert_eq!(found(&verified), []);
        prop_assert_eq!(verified.entries, within);
        let json = serde_json::to_string(&head).expect("plain");
        prop_assert_eq!(serde_json::from_str::<ExportHead>(&json).expect("its own"), head);
    }
}
