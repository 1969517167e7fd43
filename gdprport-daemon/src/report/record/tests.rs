//! Promises of records as people read them.

use super::super::svg::{Drawing, Element};
use super::super::words::Lang;
use super::limits::Limits;
use super::page::{Cell, Column, Figure, Key, Kind, Page, Room, Table};
use super::samples::{EVIL, hostile, html, nothing, page, records};
use super::{markdown, sheet};
use gdprport_core::records::{About, Records};

const LANGS: [Lang; 3] = [Lang::En, Lang::De, Lang::Fr];

fn all(records: &Records, lang: Lang) -> [String; 3] {
    let page = page(records, lang);
    [html(&page), markdown(&page), sheet(records, lang)]
}

/// Tags of an HTML text, without their attributes.
fn tags(html: &str) -> Vec<String> {
    let begins = html.split('<').skip(1);
    begins.map(|rest| rest.split([' ', '>', '\n']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    for lang in LANGS {
        assert_eq!(all(&records(), lang), all(&records(), lang));
    }
}

/// A page of attackers' names has the tags of a page without them, and no other.
#[test]
fn names_of_attackers_add_nothing_to_a_page() {
    for lang in LANGS {
        let (evil, plain) = (html(&page(&hostile(), lang)), html(&page(&records(), lang)));
        let known: std::collections::BTreeSet<String> = tags(&plain).into_iter().collect();
        let more: Vec<String> = tags(&evil).into_iter().filter(|tag| !known.contains(tag)).collect();
        assert!(more.is_empty(), "{more:?}");
        for part in ["<script", "<img", "onerror=alert(1)>", "\u{1b}", "\u{202e}", "&amp;amp; =cmd|'"] {
            assert!(!evil.contains(part), "{part}");
        }
        assert!(evil.contains("&#60;script&#62;alert(1)"), "it stands there as text");
    }
}

#[test]
fn names_of_attackers_are_no_markdown_and_no_formula() {
    let [_, markdown, sheet] = all(&hostile(), Lang::En);
    for part in ["<script", "](javascript", "\u{1b}", "\u{202e}", " @all"] {
        assert!(!markdown.contains(part), "{part}");
    }
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in markdown.split("\n\n").filter(|part| part.starts_with('|')) {
        let widths: Vec<usize> = table.lines().map(columns).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    }
    let formula = ["\"=", "\"+", "\"-", "\"@"];
    let begins =
        |line: &str| formula.iter().any(|sign| line.starts_with(sign) || line.contains(&format!(",{sign}")));
    assert!(!sheet.lines().any(begins), "{sheet}");
    assert!(EVIL.contains('='), "there was something to escape");
}

/// No script, nothing that is loaded, nothing that leads away.
#[test]
fn a_page_is_whole_by_itself() {
    let page = html(&page(&records(), Lang::En));
    // Patterns are of this page; a drawing names its format by an address that nobody asks.
    let page = page.replace("url(#", "").replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    for part in ["<script", " src=", "http://", "https://", "url(", "@import", "<link", "<form", "<iframe"] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_page_can_be_read_without_seeing_it() {
    for lang in LANGS {
        let page = html(&page(&records(), lang));
        let count = |part: &str| page.matches(part).count();
        assert_eq!(
            (count("<main"), count("<header"), count("<footer"), count("<nav"), count("<h1")),
            (1, 1, 1, 1, 1)
        );
        assert_eq!(count("<table"), count("<caption>"), "each table says what it is");
        assert_eq!(count("<th "), count("scope="), "each header says of what");
        assert!(
            page.contains(&format!("<html lang=\"{}\">", lang.tag())) && page.contains("href=\"#content\"")
        );
        let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for target in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ids.contains(&target), "{target}");
        }
    }
}

/// Each statement by what it is, in every section.
fn kinds(page: &Page, kind: Kind) -> Vec<String> {
    let mut texts = Vec::new();
    for section in &page.sections {
        let facts = section.facts.iter().map(|fact| &fact.cell);
        let cells = section.tables.iter().flat_map(|table| table.rows.iter().flatten());
        let all = facts.chain(&section.seen).chain(cells).filter(|cell| cell.kind == kind);
        texts.extend(all.flat_map(|cell| cell.lines.clone()));
    }
    texts
}

#[test]
fn what_nobody_declared_is_said_to_be_not_declared() {
    let nothing = page(&nothing(), Lang::En);
    assert!(kinds(&nothing, Kind::Declared).is_empty() && kinds(&nothing, Kind::Observed).is_empty());
    assert!(kinds(&nothing, Kind::NotDeclared).iter().all(|text| text == "not declared"));
    let page = page(&records(), Lang::En);
    let declared = kinds(&page, Kind::Declared);
    assert!(declared.contains(&"order fulfilment".to_owned()) && declared.contains(&"none".to_owned()));
    assert!(
        !declared.iter().any(|text| text.contains("198.51.100") || text.contains("python3.11")),
        "{declared:?}"
    );
    let observed = kinds(&page, Kind::Observed);
    assert!(!observed.iter().any(|text| text.contains("order fulfilment")), "{observed:?}");
}

/// A title with nothing below it leaves a reader to guess whether something is missing.
#[test]
fn no_part_of_a_page_is_empty() {
    let without_ports = Records {
        about: About { policy: Some("sha256:1dc4".into()), no_ledger: None, ..nothing().about },
        ..nothing()
    };
    let without_policy = Records { about: About { no_ledger: None, ..nothing().about }, ..nothing() };
    for records in [records(), nothing(), without_ports.clone(), without_policy] {
        for lang in LANGS {
            let page = page(&records, lang);
            for section in &page.sections {
                assert!(!section.is_empty(), "{lang:?} {}: {:?}", section.title, records.about);
            }
        }
    }
    let about = |records: &Records, lang: Lang| page(records, lang).sections[0].about.join(" ");
    assert!(about(&nothing(), Lang::En).contains("no service is declared, and none was seen"));
    assert!(about(&without_ports, Lang::En).contains("The policy declares no port."));
    assert!(about(&nothing(), Lang::De).contains("Kein Dienst ist deklariert"));
    assert!(about(&nothing(), Lang::Fr).contains("aucun service n’est déclaré"));
}

/// What may be moved is declared, what was moved is observed, and neither stands for the other.
#[test]
fn a_limit_stands_beside_the_most_that_was_moved() {
    let page = page(&records(), Lang::En);
    let tables = page.sections.iter().flat_map(|section| &section.tables);
    let rules = tables.into_iter().find(|table| table.caption == "Rules").expect("rules");
    let at = |name: &str| rules.columns.iter().position(|column| column.name == name).expect(name);
    let (limit, used) = (at("Limit"), at("Use"));
    assert_eq!((rules.columns[limit].kind, rules.columns[used].kind), (Kind::Declared, Kind::Observed));
    let [orders, backup] = &rules.rows[..] else { panic!("two rules") };
    assert_eq!((&orders[limit].lines[0][..], &backup[limit].lines[0][..]), ("40.0 GiB per day", "–"));
    // Of each day one hour was watched.
    let said = [
        "✕ More than the limit: 1 of 2 windows",
        "Most per day: at least 50.0 GiB (from 2026-11-28 00:00 UTC)",
    ];
    assert!(said.iter().all(|said| orders[used].lines.iter().any(|line| line == said)), "{:?}", orders[used]);
    assert_eq!(orders[used].tone, "bad");
}

/// An absence without the time that was watched is no evidence.
#[test]
fn what_was_watched_stands_beside_every_absence() {
    for lang in LANGS {
        let words = lang.words();
        let unseen = kinds(&page(&records(), lang), Kind::NotSeen);
        let alone = |text: &&String| *text != "–" && *text != words.nothing_seen;
        assert!(unseen.iter().filter(alone).count() >= 2, "{unseen:?}");
        for text in unseen.iter().filter(alone) {
            assert!(
                text.contains("1d 4h") || text.contains("1j 4h") || text.contains(words.not_watched),
                "{text}"
            );
        }
    }
}

#[test]
fn every_observation_names_its_rows() {
    let page = page(&records(), Lang::En);
    for section in page.sections.iter().filter(|section| section.id.starts_with("activity")) {
        for table in &section.tables {
            for row in &table.rows {
                let observed = row.iter().any(|cell| cell.kind == Kind::Observed);
                assert!(
                    !observed || row.iter().any(|cell| cell.rows.is_some()),
                    "{}: {row:?}",
                    table.caption
                );
            }
        }
    }
    assert!(html(&page).contains("101–103, 105"), "numbers as ranges");
}

#[test]
fn a_processor_has_the_record_of_a_processor() {
    let text = markdown(&page(&records(), Lang::En));
    for part in ["as a processor", "Shop AG", "30\\(2\\)\\(a\\)", "Categories of processing"] {
        assert!(text.contains(part), "{part}");
    }
}

/// Where the file of countries is on the host is nobody's business.
#[test]
fn no_path_of_the_host_is_in_a_record() {
    for file in all(&records(), Lang::En) {
        assert!(!file.contains("countries.csv"));
    }
}

/// Relative luminance (WCAG 2.2) of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("two digits")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

/// Rows of a ledger whose hours are gone say nothing of how long it watched, and were seen all the same.
#[test]
fn what_was_seen_is_never_called_not_watched() {
    let page = page(&records(), Lang::En);
    let redis = page.sections.iter().find(|section| section.title == "redis").expect("it was seen");
    let lines: Vec<&String> = redis.seen.iter().flat_map(|cell| &cell.lines).collect();
    assert!(lines.iter().any(|line| line.contains("Watched for 0s of 90d.")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("Not watched")), "{lines:?}");
}

/// 4.5 to 1 (WCAG 2.2, 1.4.3), by the colours of the style sheet, light, dark and printed.
#[test]
fn every_text_stands_out_from_what_is_behind_it() {
    let style = include_str!("../../../templates/palette.css");
    let palettes: Vec<&str> =
        style.split(":root {").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    assert_eq!(palettes.len(), 3, "light, dark, print");
    for palette in palettes {
        let of = |name: &str| {
            let value = palette.split(&format!("--{name}: ")).nth(1).expect("a colour");
            let digits = value.split(';').next().expect("its end").trim_start_matches('#');
            // `#abc` is short for `#aabbcc`.
            let long: String = digits.chars().flat_map(|c| [c, c]).collect();
            luminance(&format!("#{}", if digits.len() == 3 { &long } else { digits }))
        };
        for text in ["text", "soft", "accent", "bad", "open", "good"] {
            for behind in ["ground", "card", "tint"] {
                let (a, b) = (of(text), of(behind));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {behind}: {contrast:.2}");
            }
        }
    }
}

/// A page with a drawing, which says everything with names of attackers.
fn drawn(file: Option<&'static str>) -> Page {
    let mut drawing = Drawing::new(("evil", "map"), (10.0, 10.0), EVIL, EVIL);
    drawing.add(Element::text(1.0, 1.0, EVIL));
    let sample = Drawing::decoration("sample", (10.0, 10.0)).inside();
    let mut page = page(&records(), Lang::En);
    page.sections[0].figures.push(Figure {
        id: "figure".to_owned(),
        title: EVIL.to_owned(),
        about: vec![EVIL.to_owned()],
        hint: Some("Point at it."),
        room: Room::Page,
        drawing: drawing.inside(),
        keys: vec![Key { sample, meaning: EVIL.to_owned() }],
        table: Table {
            caption: "numbers",
            columns: vec![Column::number(Kind::Observed, "n")],
            rows: vec![vec![Cell::new(Kind::Observed, EVIL)]],
        },
        file,
    });
    page
}

/// What only our builder can make is the only thing that a page takes as it is.
#[test]
fn a_drawing_stands_in_a_page_with_all_it_says() {
    let text = html(&drawn(None));
    assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
    for part in [
        "<figure class=\"page\" id=\"figure\" aria-labelledby=\"figure-caption\">",
        "role=\"region\" tabindex=\"0\" aria-labelledby=\"figure-caption\"",
        "<title id=\"evil-title\">",
        "<caption>numbers</caption>",
        "The same as a table",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(text.matches("<table").count(), text.matches("<caption>").count());
    let template = include_str!("../../../templates/record.html");
    let taken: Vec<&str> = template.lines().filter(|line| line.contains("|safe")).map(str::trim).collect();
    assert_eq!(taken, ["{{ figure.drawing|safe }}", "<li>{{ key.sample|safe }} {{ key.meaning }}</li>"]);
}

#[test]
fn a_sheet_of_markdown_names_the_drawings_file() {
    let text = markdown(&drawn(Some("other.svg")));
    assert!(!text.contains("Point at it."), "nobody can, in a text: {text}");
    assert!(text.contains("](other.svg)") && text.contains("The drawing is in other.svg."), "{text}");
    assert!(!text.contains("### numbers") && !text.contains("<script"), "{text}");
    let text = markdown(&drawn(None));
    assert!(text.contains("### numbers") && !text.contains("other.svg"), "its numbers stand for it: {text}");
}

/// What it comes to stands before the drawings of it, in every form.
#[test]
fn a_record_begins_with_its_activities() {
    for lang in LANGS {
        let (page, words) = (page(&records(), lang), lang.words());
        let texts = [html(&page), markdown(&page)];
        for text in texts {
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
            assert!(at(words.activities) < at(words.violations_in_time), "{lang:?}");
        }
    }
}

/// Of many activities a page shows fewer other ends each, and counts the rest: no page is longer than anybody reads.
#[test]
fn a_page_of_many_activities_counts_what_it_does_not_show() {
    let mut records = records();
    let mut one = records.activities.remove(0);
    let seen = one.seen.as_mut().expect("something was seen");
    let other = seen.counterparts.remove(0);
    seen.counterparts = vec![other; 150];
    records.activities = vec![one; 60];
    records.undeclared.clear();
    let page = page(&records, Lang::En);
    let Limits { rows, .. } = Limits::of(60);
    assert!(rows < Limits::ALONE.rows);
    let sections = page.sections.iter().filter(|section| section.id.starts_with("activity-"));
    let tables: Vec<&Table> = sections.flat_map(|section| &section.tables).collect();
    let ends: Vec<&&Table> = tables.iter().filter(|table| table.caption == "With whom").collect();
    assert_eq!(ends.len(), 60);
    for table in ends {
        assert_eq!(table.rows.len(), rows + 1);
        let last = &table.rows[rows][0].lines[0];
        assert_eq!(*last, format!("{} more; each is in record.json", 150 - rows));
    }
}
