//! Promises of charts.

use super::super::record::samples::{html, page};
use super::super::record::{EVIL, Figure, Kind, hostile, nothing, records as sample};
use super::super::words::Lang;
use super::samples::{Host, NAMES, records};
use super::{Charts, activity};
use gdprport_core::records::Records;

const LANGS: [Lang; 3] = [Lang::En, Lang::De, Lang::Fr];

fn host(days: i64, ports: usize) -> Host<'static> {
    Host { days, names: &NAMES[..ports], has_gaps: days > 3, has_violations: true }
}

fn figures(records: &Records, lang: Lang) -> Vec<Figure> {
    let Charts { volume, encryption, violations } = Charts::of(records, lang);
    let all = [volume, encryption, violations];
    let own = records.all().enumerate().map(|(at, of)| activity(records, of, at + 1, lang));
    all.into_iter().chain(own).flatten().map(|chart| chart.figure).collect()
}

/// Every attribute of this name, wherever it stands.
fn attributes<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let begin = format!(" {name}=\"");
    text.split(&begin[..]).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_number_of_a_drawing_is_a_number() {
    for days in [1, 90, 365] {
        for figure in figures(&records(host(days, 12)), Lang::De) {
            let text = figure.drawing.to_string();
            assert!(!text.contains("NaN") && !text.contains("inf\""), "{}", figure.id);
            for name in ["x", "y", "width", "height", "x1", "x2", "y1", "y2"] {
                for value in attributes(&text, name) {
                    let number = value.trim_end_matches('%').parse::<f64>();
                    assert!(number.as_ref().is_ok_and(|number| number.is_finite()), "{name}={value}");
                    let is_length = matches!(name, "width" | "height");
                    assert!(!is_length || number.is_ok_and(|number| number >= 0.0), "{name}={value}");
                }
            }
        }
    }
}

#[test]
fn names_of_attackers_stay_text_in_charts() {
    let evil = [EVIL, "a</title><script>", "\u{1b}[2J\u{202e}"];
    let past = records(Host { names: &evil, ..host(90, 0) });
    for records in [past, hostile()] {
        for lang in LANGS {
            let drawn = figures(&records, lang).into_iter().map(|figure| figure.drawing.to_string());
            for text in drawn.chain(Charts::of(&records, lang).files().map(|(_, text)| text)) {
                for part in ["<script", "<img", "onerror=\"", "\u{1b}", "\u{202e}", "</style></"] {
                    assert!(!text.contains(part), "{part}: {text}");
                }
            }
        }
    }
}

#[test]
fn the_same_past_gives_the_same_charts() {
    for lang in LANGS {
        let files = |records: &Records| Charts::of(records, lang).files().collect::<Vec<_>>();
        let text = |records: &Records| format!("{:?}{:?}", figures(records, lang), files(records));
        assert_eq!(text(&records(host(90, 12))), text(&records(host(90, 12))));
    }
}

/// Whatever was moved stands in the table and in the drawing.
#[test]
fn a_chart_says_what_its_table_says() {
    for figure in figures(&records(host(90, 3)), Lang::En) {
        assert!(
            !figure.table.rows.is_empty() && figure.about.iter().all(|line| !line.is_empty()),
            "{}",
            figure.id
        );
        assert!(figure.table.rows.iter().all(|row| row.len() == figure.table.columns.len()), "{}", figure.id);
        let text = figure.drawing.to_string();
        assert!(text.contains("<title id=") && text.contains("<desc id="), "{}", figure.id);
        for fill in attributes(&text, "fill") {
            let id = fill.trim_start_matches("url(#").trim_end_matches(')');
            assert!(text.contains(&format!(" id=\"{id}\"")), "{fill} is nowhere");
        }
    }
}

#[test]
fn what_was_not_watched_is_hatched_in_every_chart_of_time() {
    for lang in LANGS {
        let words = lang.words();
        let all = figures(&records(host(90, 2)), lang);
        let of_time = all.iter().filter(|figure| figure.id != "chart-encryption");
        for figure in of_time {
            let text = figure.drawing.to_string();
            for why in [words.before_ledger, words.unwatched] {
                assert!(text.contains(&format!("<title>{why}</title>")), "{}: {why}", figure.id);
            }
            assert!(figure.keys.iter().any(|key| key.meaning == words.hatched), "{}", figure.id);
        }
    }
}

/// Nothing is drawn of what is not known, and no violation is said only of what was watched.
#[test]
fn an_absence_is_said_with_what_was_watched() {
    assert!(figures(&nothing(), Lang::En).is_empty());
    let quiet = records(Host { has_violations: false, ..host(90, 1) });
    let chart = Charts::of(&quiet, Lang::En).violations.expect("there is a ledger").figure;
    assert!(chart.about[0].contains("in the time that was watched") && !chart.keys.is_empty());
    assert!(!chart.drawing.to_string().contains("class=\"violation\""));
}

/// A quarter of twelve services is a page that a mail takes, with the numbers of each as a table and in the drawing.
#[test]
fn a_page_with_charts_stays_small() {
    let records = records(host(90, 12));
    let page = html(&page(&records, Lang::De));
    assert!(page.len() < 600_000, "{} bytes", page.len());
    for (at, of) in records.all().enumerate() {
        let figure = activity(&records, of, at + 1, Lang::De).expect("bytes were moved").figure;
        let drawing = figure.drawing.to_string();
        assert!(drawing.len() < 15_000, "{}: {} bytes", figure.id, drawing.len());
        // Days of which nothing was watched stand together, and every other one alone.
        let titles = drawing.matches("<title>2026-").count();
        let dark = figure.table.rows.iter().filter(|row| row[1].kind == Kind::NotSeen).count();
        assert_eq!((titles + dark, dark), (figure.table.rows.len(), 2), "{}", figure.id);
    }
    assert_eq!(page.matches("<table class=\"series n2 n3 n4\">").count(), records.all().count());
}

/// What word processors do not know of is not in a file.
#[test]
fn a_file_has_its_own_colours() {
    let all: Vec<_> = Charts::of(&records(host(90, 12)), Lang::En).files().collect();
    assert_eq!(all.len(), super::NAMES.len(), "something was seen");
    for (name, text) in all {
        assert!(text.starts_with("<?xml") && text.contains("viewBox=") && text.contains("#0b5c66"), "{name}");
        for part in ["var(", "@container", "%\"", " brief", " at-"] {
            assert!(!text.contains(part), "{name}: {part}");
        }
    }
    assert_eq!(Charts::of(&nothing(), Lang::En).files().count(), 0);
}

/// What a page says beside a chart a file says in it.
#[test]
fn a_file_says_what_its_parts_mean() {
    let records = records(host(90, 3));
    for lang in LANGS {
        let charts = Charts::of(&records, lang);
        let files: Vec<_> = charts.files().collect();
        assert_eq!(files.len(), super::NAMES.len(), "something was seen");
        for ((name, text), chart) in files.iter().zip([charts.volume, charts.encryption, charts.violations]) {
            let keys = chart.expect("it has a file").figure.keys;
            assert!(!keys.is_empty(), "{name}");
            for key in keys {
                let meaning = format!("class=\"tick soft\">{}</text>", key.meaning.replace('\'', "&#39;"));
                assert!(text.contains(&meaning), "{lang:?} {name}: {meaning}");
            }
        }
    }
}

/// What is not known is no part of what is encrypted.
#[test]
fn unknown_is_a_part_of_its_own() {
    let figure = Charts::of(&sample(), Lang::En).encryption.expect("something was seen").figure;
    let text = figure.drawing.to_string();
    for part in [
        "<title>encrypted: &#62; 99.9% (130,420)</title>",
        "<title>not known: &#60; 0.1% (2)</title>",
        "class=\"segment unknown\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(figure.about[0].starts_with("130,420 of 130,466 connections"), "{:?}", figure.about);
}

/// One small drawing of each kind, as it is written.
#[test]
fn small_charts_look_like_this() {
    let records = records(Host { days: 4, names: &["db"], has_gaps: true, has_violations: true });
    let drawn: Vec<String> = figures(&records, Lang::En)
        .into_iter()
        .map(|figure| figure.drawing.to_string().replace("><", ">\n<"))
        .collect();
    insta::assert_snapshot!(drawn.join("\n\n"));
}

/// A day, a quarter and a year, of one port and of many, to be looked at in a browser: `GDPRPORT_DRAW=DIR`.
#[test]
#[ignore = "on demand: writes pages for eyes, not for a test"]
fn pages_to_look_at() {
    let dir = std::env::var_os("GDPRPORT_DRAW").expect("GDPRPORT_DRAW names a directory");
    for days in [1, 90, 365] {
        for (ports, lang) in [(0, Lang::En), (1, Lang::En), (3, Lang::Fr), (12, Lang::De)] {
            let records = records(Host { has_violations: ports > 1, ..host(days, ports) });
            let name = format!("{days}-days-{ports}-ports");
            let dir = std::path::Path::new(&dir);
            std::fs::write(dir.join(format!("{name}.html")), html(&page(&records, lang))).expect("writable");
            for (file, text) in Charts::of(&records, lang).files() {
                std::fs::write(dir.join(format!("{name}-{file}")), text).expect("writable");
            }
        }
    }
}
