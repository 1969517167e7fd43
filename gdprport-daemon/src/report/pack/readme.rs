//! What each file of a pack is, and what it does not prove.

use std::fmt::Write as _;

use gdprport_core::text::markdown as plain;

use super::contents::Pack;
use super::violations::moment;

/// Files with what they are, and what they do not prove.
const FILES: [(&str, &str, &str); 11] = [
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
        "coverage.md, coverage.csv",
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
        "policies.md, policies.json",
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
        "MANIFEST.json",
        "size and SHA-256 digest of every file, host, period, versions, and the command that makes the same again",
        "who made it: it is not signed, and whoever can write these files can make a list that fits",
    ),
    ("SHA256SUMS", "the same for `sha256sum -c SHA256SUMS`, with the digest of MANIFEST.json", "the same"),
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
        were added. Neither proves who made the pack. Keep the digest of MANIFEST.json, which `gdprport report --pack` prints, where \
        nobody who can change the pack can change it too.\n\n\
        Not signed: there is no key. `checkpoints` and `signature` of MANIFEST.json are the place for those of a later log of \
        evidence; this version keeps none.\n\n\
        ## What is in it of persons\n\n\
        Addresses of other ends, names of accounts, units and containers, as the ledger has them; of policies also what somebody wrote \
        into comments. Give it to those who have to have it.\n",
    );
    page
}

fn put(page: &mut String, text: &str) {
    page.write_str(text).expect("writing to a String cannot fail");
}
