//! What the monitor's own record claims.

use super::super::words::Lang;
use super::own_page;
use super::samples::{EVIL, html, records};
use gdprport_core::records::{KeptFor, KeptLog, Own, OwnReceiver, SentTo, ShownAs};

fn own(peers: ShownAs, users: ShownAs, ledger: Option<KeptFor>) -> Own {
    let records = records();
    Own {
        format: Own::FORMAT,
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: records.about.made,
        configured: false,
        controller: records.controller,
        peers,
        users,
        ledger,
        spool: None,
        evidence: None,
        file: Some(EVIL.to_owned()),
        journald: false,
        receivers: Vec::new(),
        metrics: false,
    }
}

#[test]
fn its_own_record_claims_what_is_configured_and_no_more() {
    let ledger = Some(KeptFor { seconds: 30 * 86_400, bytes: 1 << 20 });
    for (peers, users, ledger, said, not_said) in [
        (ShownAs::AsIs, ShownAs::AsIs, ledger, "30 days, at most 1.0 MiB", "HMAC"),
        (ShownAs::Networks, ShownAs::AsIs, None, "none is kept", "HMAC"),
        (ShownAs::Pseudonyms, ShownAs::Pseudonyms, None, "Accounts of persons: as pseudonyms", "as they are"),
        (ShownAs::Pseudonyms, ShownAs::AsIs, None, "as they are", "Accounts of persons: as"),
    ] {
        let page = html(&own_page(&own(peers, users, ledger), Lang::En));
        assert!(page.contains(said) && !page.contains(not_said), "{said}, {not_said}: {page}");
        assert!(page.contains("there is no gdprport.toml") && !page.contains("<script"), "{page}");
    }
}

#[test]
fn its_own_record_says_what_the_evidence_log_keeps() {
    let kept = KeptLog { path: "/data/log".to_owned(), seconds: 400 * 86_400, bytes: 1 << 30 };
    let limit = "in /data/log: 400 days, at most 1.0 GiB";
    for (evidence, said, not_said) in [
        (
            Some(kept),
            [limit, "is signed", "stays of an erased entry"],
            ["Evidence log: none is kept", "asks for none"],
        ),
        (None, ["Evidence log: none is kept", "Ledger: none is kept", "no content"], ["is signed", "bundle"]),
    ] {
        let plain = own(ShownAs::AsIs, ShownAs::AsIs, None);
        let page = html(&own_page(&Own { evidence, ..plain }, Lang::En));
        assert!(said.iter().all(|said| page.contains(said)), "{said:?}: {page}");
        assert!(!not_said.iter().any(|said| page.contains(said)), "{not_said:?}: {page}");
    }
}

#[test]
fn its_own_record_names_each_receiver() {
    let to = Some(SentTo { kind: "syslog", place: EVIL.to_owned() });
    let receivers = vec![
        OwnReceiver { name: Some("siem".into()), to },
        OwnReceiver { name: Some("loki".into()), to: None },
        OwnReceiver { name: None, to: None },
    ];
    let switched_off = "[spool] is switched off";
    for spool in [None, Some(KeptFor { seconds: 86_400, bytes: 1 << 20 })] {
        let plain = own(ShownAs::AsIs, ShownAs::AsIs, None);
        let page = html(&own_page(&Own { receivers: receivers.clone(), spool, ..plain }, Lang::En));
        for said in
            ["the sink siem (syslog)", "the sink loki: it has an error", "the sink ?: it has an error"]
        {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert_eq!(page.contains(switched_off), spool.is_none(), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }
}
