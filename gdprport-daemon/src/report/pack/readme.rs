//! What each file of a pack is, and what it does not prove.

use std::fmt::Write as _;

use gdprport_core::figures::counted;
use gdprport_core::text::markdown as plain;

use super::contents::Pack;
use super::violations::moment;

/// Files with what they are, and what they do not prove.
const FILES: [(&str, &str, &str); 14] = [
    (
        "index.html, record.md, record.csv, record.json",
        "the record of processing: what the policy declares (■) beside what the ledger has observed (○)",
        "that what is declared is true, and that a time that was not watched had nothing",
    ),
    (
        "map.svg, map.dot, map.mmd, chart-*.svg",
        "the map of data flows and the charts of the record, alone; absent where nothing was seen",
        "that nobody else exchanges data: what was not watched is not on it",
    ),
    (
        "coverage.html, coverage.md, coverage.csv",
        "for each port how long it was watched, what was lost and why, and when a daemon ran",
        "anything of ports that are not listed: they were not watched",
    ),
    (
        "violations.csv",
        "every row of the ledger that no rule of the policy of then allowed, with its process and reasons",
        "that nothing else happened: what is undecided is in record.json, what was lost in coverage.md",
    ),
    (
        "findings.md, findings.json",
        "what an audit finds in this policy and this ledger, with the exceptions that accept it; and what audits before have recorded",
        "anything of what the host looked like: a pack is made without looking at it",
    ),
    (
        "policies.html, policies.md, policies.json",
        "which policy applied when, and what changed from each to the next",
        "who changed it, and that somebody approved or reviewed it",
    ),
    (
        "policy-*.toml",
        "the files of these policies as the daemon read them, where the ledger has them",
        "that no other policy applied while no daemon ran",
    ),
    (
        "frameworks.html, .md, .csv, .json",
        "what there is for controls of several frameworks, and the list of allowed services with their business need",
        "that a control is fulfilled: an auditor judges that",
    ),
    (
        "checkpoints.txt",
        "signed checkpoints of the evidence log: the last one before the period, its first, and the last of each day; absent where there is none",
        "anything without the log that they are of: `gdprport evidence verify` compares it with them",
    ),
    (
        "rotations.txt",
        "how one key of the log took the place of another, signed by both; absent where none did",
        "that nobody else had a key",
    ),
    (
        "MANIFEST.json",
        "size and SHA-256 digest of every file, host, period, versions, checkpoints, who signed, and the command that makes the same again",
        "who made it: only its signature does",
    ),
    ("SHA256SUMS", "the same for `sha256sum -c`, with the digest of MANIFEST.json", "the same"),
    (
        "MANIFEST.sig",
        "the signature of MANIFEST.json by the key of the host's evidence log; absent where there is no key",
        "that what it says is true: root of the host has the key",
    ),
    ("README.md", "this page", "–"),
];

/// The page.
pub(super) fn readme(pack: &Pack<'_>) -> String {
    let about = &pack.facts.records.about;
    let mut page = format!(
        "# Evidence pack of {}\n\nMade {} by gdprport {} for the period from {} to {}.\n\n",
        plain(&about.host),
        moment(about.made),
        plain(&about.version),
        moment(about.asked),
        moment(about.to)
    );
    if let Some(why) = &about.no_ledger {
        put(&mut page, &format!("> There is no ledger, so that nothing was observed: {}\n\n", plain(why)));
    } else if about.from > about.asked {
        let from = moment(about.from);
        put(&mut page, &format!("> Nothing is known before {from}, when the ledger began.\n\n"));
    }
    if about.policy.is_none() {
        put(&mut page, "> There is no policy, so that nothing is declared.\n\n");
    }
    if about.pseudonyms {
        put(&mut page, "> Addresses or users are pseudonyms. Only who has the key can find them again.\n\n");
    }
    put(
        &mut page,
        "gdprport watches which processes of one host talk with whom over TCP on ports that carry personal data. Begin with ",
    );
    put(
        &mut page,
        "`index.html`. Numbers of ledger rows lead back to the ledger itself: `gdprport policy explain --row N`.\n\n",
    );
    put(&mut page, "| file | what it is | what it does not prove |\n|---|---|---|\n");
    for (file, is, not) in FILES {
        put(&mut page, &format!("| {file} | {is} | {not} |\n"));
    }
    put(
        &mut page,
        "\n## Whether it is unchanged\n\n\
        `sha256sum -c SHA256SUMS` or `gdprport report --check DIR` compares every file with its digest; the latter also finds files that \
        were added, and verifies the signature. Keep the digest of MANIFEST.json, which `gdprport report --pack` prints, where nobody \
        who can change the pack can change it too.\n\n",
    );
    put(&mut page, &signed(pack));
    put(&mut page, &checkpoints(pack));
    put(
        &mut page,
        "## What is in it of persons\n\n\
        Addresses of other ends, names of accounts, units and containers, as the ledger has them; of policies also what somebody wrote \
        into comments. Give it to those who have to have it.\n",
    );
    page
}

fn signed(pack: &Pack<'_>) -> String {
    match pack.signer {
        Ok(key) => format!(
            "Signed by {}. That this is the host's key is not shown by this page: keep the one that `gdprport evidence key` prints on \
            the host, and give it to `gdprport report --check DIR --key KEY`.\n\n",
            plain(&key.public().to_string())
        ),
        Err(why) => format!("Not signed: {}. So nothing here shows who made the pack.\n\n", plain(why)),
    }
}

fn checkpoints(pack: &Pack<'_>) -> String {
    match (pack.no_checkpoints(), pack.log) {
        (None, Ok(log)) => format!(
            "{} of the evidence log in checkpoints.txt. A copy of the log is compared with them, anywhere, by \
            `gdprport evidence verify LOG --key KEY --checkpoint checkpoints.txt`: if it was changed since, or made anew, they are not of it.\n\n",
            counted(log.checkpoints.len() as u64, "checkpoint")
        ),
        (why, _) => format!("No checkpoints: {}.\n\n", plain(why.unwrap_or_default())),
    }
}

fn put(page: &mut String, text: &str) {
    page.write_str(text).expect("writing to a String cannot fail");
}
