//! The record of processing in a browser: what people see of it, with any width, scheme and keyboard, whatever names are on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::browser::Browser;
use gdprport_tests::daemon::{Start, program};
use gdprport_tests::ledger::{Row, write};
use gdprport_tests::need;
use gdprport_tests::temp::TempDir;
use serde_json::{Value, json};

/// Names that end whatever they stand in, and would run or load something.
const EVIL: &str = "</text></style></svg><script>document.title='owned'</script><img src=x onerror=alert(1)>\"' &amp; {{7*7}}";

/// The longest name that peers can have.
const NAMED: &str = "application-servers-of-the-shop-in-the-private-network-of-berlin";

/// Widths of a phone, a tablet and a screen.
const WIDTHS: [u32; 3] = [360, 768, 1280];

const DB: (&str, u16, bool) = ("customers-db", 5432, true);
const MAIL: (&str, u16, bool) = ("shop-mail", 25, true);
const REDIS: (&str, u16, bool) = ("redis", 6379, false);

fn unit(name: &str) -> Value {
    json!({ "attribution": "exact", "exe": "/usr/bin/program", "unit": name, "uid": 107, "user": "postgres" })
}

fn by(rule: &str) -> Value {
    json!({ "outcome": "declared", "rule": rule })
}

fn violation(reason: &str) -> Value {
    json!({ "outcome": "violation", "reasons": [reason], "nearest": "orders-api" })
}

fn row<'r>(port: (&'r str, u16, bool), direction: &'r str, who: &str, peer: &str, verdict: Value) -> Row<'r> {
    let (identity, peer) = (unit(who), peer.to_owned());
    Row { port, direction, identity, peer, verdict, posture: "tls1.3", bytes: 48_210_334, flows: 1_204 }
}

/// A database, mail that goes out, and a service that nobody declared.
fn few() -> Vec<Row<'static>> {
    let postgres = "postgresql@15-main.service";
    vec![
        row(DB, "in", postgres, "10.0.2.7/32", by("orders-api")),
        row(DB, "in", postgres, "fd00:2::1234:5678:9abc:7/128", by("orders-api")),
        row(DB, "in", postgres, "10.0.2.9/32", json!({ "outcome": "undecided" })),
        Row {
            posture: "plaintext",
            ..row(DB, "in", postgres, "198.51.100.0/24", violation("undeclared-peer"))
        },
        row(DB, "out", "backup.service", "10.0.9.1/32", by("nightly-backup")),
        row(MAIL, "out", "postfix.service", "203.0.113.25/32", by("order-mails")),
        row(REDIS, "in", "redis-server.service", "127.0.0.1/32", violation("undeclared-port")),
        row(REDIS, "out", "shop.service", "127.0.0.1/32", violation("undeclared-port")),
    ]
}

/// So many other ends of two services.
fn many(count: u32) -> Vec<Row<'static>> {
    (0..count)
        .map(|n| {
            let peer = format!("10.{}.{}.7/32", n / 200, n % 200);
            let port = if n % 3 == 0 { MAIL } else { DB };
            let verdict = if n % 23 == 5 { violation("undeclared-peer") } else { by("orders-api") };
            let (direction, who) =
                if n % 3 == 0 { ("out", "postfix.service") } else { ("in", "postgresql.service") };
            Row { bytes: 1 << (n % 40), ..row(port, direction, who, &peer, verdict) }
        })
        .collect()
}

/// A report of a ledger with these rows, and where its page and its map are.
struct Report {
    dir: TempDir,
}

impl Report {
    fn of(rows: &[Row<'_>], words: &[&str]) -> Self {
        let dir = TempDir::new();
        let ledger = dir.join("ledger.db");
        // The daemon makes it; nothing on this machine is to be on it.
        Start::with("version = 1\n").ledger(&ledger).start().terminate();
        write(&ledger, rows);
        let name = EVIL.replace('\\', "\\\\").replace('"', "\\\"");
        let policy = format!(
            "version = 1\n[controller]\nname = \"{name}\"\n[peers]\n{NAMED} = [\"10.0.0.0/8\", \"fd00::/8\"]\n[[port]]\nname = \"customers-db\"\nport = 5432\n\
             [port.record]\npurpose = \"{name}\"\n[[port.allow]]\nrole = \"orders-api\"\ndirection = \"in\"\n\
             peers = [\"{NAMED}\"]\nvolume = {{ per = \"1d\", max = \"1GiB\" }}\n[[port]]\nname = \"shop-mail\"\nport = 25\n"
        );
        let policy = dir.write("policy.toml", &policy);
        let mut command = Command::new(program());
        command.args(["report", "--any-owner", "--out"]).arg(dir.join("record"));
        command.arg("--policy").arg(policy).arg("--ledger").arg(ledger).args(words);
        let output = command.output().expect("the program can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { dir }
    }

    fn page(&self) -> PathBuf {
        self.dir.join("record/index.html")
    }

    fn map(&self) -> PathBuf {
        self.dir.join("record/map.svg")
    }
}

/// Boxes and labels of the map that meet, and texts that stand outside of their box.
const MEETING: &str = "(() => {
  const found = [];
  const map = document.querySelector('svg.map[role=group]');
  const all = [...map.querySelectorAll('.m-node > rect, .m-frame, .m-zone, .m-lane')];
  const boxes = all.map((part) => [part.getBoundingClientRect(), part.parentNode.id || part.parentNode.textContent.slice(0, 60)]);
  const meets = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
  boxes.forEach(([a, name], i) => boxes.slice(i + 1).forEach(([b, other]) => { if (meets(a, b)) found.push([name, other]); }));
  const whole = map.getBoundingClientRect();
  for (const [box, name] of boxes) {
    if (box.left < whole.left - 1 || box.right > whole.right + 1 || box.bottom > whole.bottom + 1) found.push(['outside', name]);
  }
  for (const node of map.querySelectorAll('.m-node, .m-label')) {
    const box = node.querySelector('rect').getBoundingClientRect();
    const texts = [...node.querySelectorAll('text')].map((text) => [text.getBoundingClientRect(), text.textContent]);
    texts.forEach(([text, name], i) => {
      if (text.left < box.left || text.right > box.right || text.top < box.top - 2 || text.bottom > box.bottom + 2) found.push(['text', name]);
      texts.slice(i + 1).forEach(([other, second]) => { if (meets(text, { left: other.left, right: other.right, top: other.top + 3, bottom: other.bottom - 3 })) found.push([name, second]); });
    });
  }
  return found.map(String);
})()";

/// Addresses and dates that go on in the next line: who reads the first one reads another address.
const BROKEN: &str = "(() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const parts = /\\d{1,3}(?:\\.\\d{1,3}){3}(?:\\/\\d+)?|\\d{4}-\\d\\d-\\d\\d/g;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.parentElement.closest('svg, details, style')) continue;
    for (const match of node.data.matchAll(parts)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].map((part) => Math.round(part.top)));
      if (lines.size > 1) found.push(match[0]);
    }
  }
  return found;
})()";

/// Texts that stand out from what is behind them by less than 4.5 to 1 (WCAG 2.2, 1.4.3).
const FAINT: &str = "(() => {
  const rgb = (text) => { const parts = text.match(/[\\d.]+/g).map(Number); return { rgb: parts.slice(0, 3), alpha: parts[3] ?? 1 }; };
  const part = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.alpha === 1) return colour.rgb;
    }
    return [255, 255, 255];
  };
  const behind = (element, box) => {
    if (!element.ownerSVGElement) return ground(element);
    const stack = document.elementsFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    for (const at of stack) {
      if (!(at instanceof SVGGeometryElement)) continue;
      const fill = getComputedStyle(at).fill;
      if (fill !== 'none') return rgb(fill).rgb;
    }
    return ground(element.ownerSVGElement);
  };
  const faint = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('style, title, desc, head, [aria-hidden=true]')) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.right < 0) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgb(element.ownerSVGElement ? style.fill : style.color).rgb), light(behind(element, box))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.tagName} ${element.className.baseVal ?? element.className}: ${element.textContent.slice(0, 60)}`);
  }
  return seen > 20 ? faint : ['nothing was looked at'];
})()";

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[track_caller]
fn silent(browser: &Browser, file: &Path) {
    assert!(browser.complaints().is_empty(), "{}: {:?}", file.display(), browser.complaints());
    assert!(browser.requests().is_empty(), "{}: {:?}", file.display(), browser.requests());
}

#[test]
fn a_map_shows_each_end_and_what_went_on_once() {
    let mut browser = need!(Browser::start());
    browser.size(1280, 4000);
    for (rows, nodes, edges) in
        [(few(), [5, 3, 7], 8), (many(60), [2, 2, 60], 60), (many(400), [2, 2, 60], 60)]
    {
        let report = Report::of(&rows, &[]);
        for file in [report.page(), report.map()] {
            browser.open(&file);
            let count = |browser: &mut Browser, part: &str| {
                let svg = "svg.map[role=group]";
                browser
                    .ask(&format!("document.querySelectorAll('{svg} {part}').length"))
                    .as_u64()
                    .expect("a number")
            };
            let found = [".m-source", ".m-port", ".m-end"].map(|lane| count(&mut browser, lane));
            let [sources, ports, ends] = found;
            assert_eq!([sources, ports], [nodes[0], nodes[1]], "{}", file.display());
            // Beyond the bound some ends stand together.
            assert!(ends <= nodes[2] && ends > nodes[2] / 2, "{ends}");
            assert_eq!(count(&mut browser, ".m-edge"), edges);
            assert_eq!(texts(&browser.ask(MEETING)), Vec::<String>::new(), "{}", file.display());
        }
        let wrong = rows.iter().filter(|row| row.verdict["outcome"] == "violation").count();
        let shown = "document.querySelectorAll('.m-edge.m-bad').length";
        assert_eq!(browser.ask(shown), wrong, "each violation is an edge of its own");
    }
}

#[test]
fn a_node_says_what_it_is_about() {
    let mut browser = need!(Browser::start());
    // As high as the page, so that the map is in sight wherever it stands.
    browser.size(1280, 16_000);
    let report = Report::of(&few(), &[]);
    browser.open(&report.page());
    let label = |browser: &mut Browser, name: &str| {
        let find = "[...document.querySelectorAll('.m-node')].find((node) => node.textContent.includes";
        browser
            .ask(&format!("{find}('{name}')).getAttribute('aria-label')"))
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (name, said) in [
        ("198.51.100.0/24", "customers-db · calls this host: ✕ violation · undeclared-peer · 45.9 MiB"),
        ("10.0.9.1", "customers-db · is called: ✓ declared · nightly-backup"),
        ("10.0.9.1", &*format!("private network · ■ {NAMED}. ")),
        ("backup.service", "calls customers-db: declared"),
        ("TCP 6379", "not declared. 127.0.0.1: ✕ violation"),
    ] {
        let label = label(&mut browser, name);
        assert!(label.contains(said), "{name}: {label}");
    }
    // Pointing at a node shows what it says and lets the lines of others stand back; no script does that.
    let middle = "(() => { const at = document.querySelector('#map-r0 rect').getBoundingClientRect();
        return [at.left + 5, at.top + 5]; })()";
    let at = browser.ask(middle);
    browser.point(at[0].as_f64().expect("a number"), at[1].as_f64().expect("a number"));
    let state = "[getComputedStyle(document.querySelector('.say-r0')).display, getComputedStyle(document.querySelector('.say-r1')).display]";
    assert_eq!(browser.ask(state), json!(["block", "none"]));
}

#[test]
fn a_page_fits_every_width_and_can_be_read_in_any_light() {
    let mut browser = need!(Browser::start());
    for lang in ["en", "de", "fr"] {
        let report = Report::of(&few(), &["--lang", lang]);
        for scheme in ["light", "dark"] {
            browser.media("screen", scheme);
            for width in WIDTHS {
                // As high as the page, so that nothing is out of sight.
                browser.size(width, 16_000);
                browser.open(&report.page());
                let wide = browser.ask("document.documentElement.scrollWidth").as_u64().expect("a number");
                assert!(wide <= width.into(), "{lang} {width}: {wide}");
                assert_eq!(texts(&browser.ask(BROKEN)), Vec::<String>::new(), "{lang} {width}");
                assert_eq!(texts(&browser.ask(FAINT)), Vec::<String>::new(), "{lang} {scheme} {width}");
                silent(&browser, &report.page());
            }
            browser.size(1280, 2_000);
            browser.open(&report.map());
            assert_eq!(texts(&browser.ask(FAINT)), Vec::<String>::new(), "{lang} {scheme}: the map alone");
            silent(&browser, &report.map());
        }
    }
    browser.media("print", "dark");
    browser.size(700, 16_000);
    let report = Report::of(&few(), &[]);
    browser.open(&report.page());
    assert_eq!(texts(&browser.ask(FAINT)), Vec::<String>::new(), "on paper");
    let wide = browser.ask("document.documentElement.scrollWidth").as_u64().expect("a number");
    assert!(wide <= 700, "on paper: {wide}");
    assert_eq!(texts(&browser.ask(BROKEN)), Vec::<String>::new(), "on paper");
    let hint = "getComputedStyle(document.querySelector('.hint')).display";
    assert_eq!(browser.ask(hint), "none", "nobody points at paper");
    browser.media("screen", "light");
    assert_eq!(browser.ask(hint), "block");
}

#[test]
fn a_page_needs_no_script_and_no_pointer() {
    let mut browser = need!(Browser::start());
    browser.size(1280, 1_000);
    let report = Report::of(&few(), &[]);
    browser.open(&report.page());
    let with = browser.picture();
    // Every stop of the keyboard, in their order.
    let mut stops = Vec::new();
    for _ in 0..400 {
        browser.press("Tab", 9);
        let stop = "(() => { const at = document.activeElement; return at === document.body ? '' :
            at.id || `${at.tagName.toLowerCase()}.${at.className.baseVal ?? at.className}`; })()";
        match browser.ask(stop).as_str() {
            Some("") | None => break,
            Some(stop) => stops.push(stop.to_owned()),
        }
    }
    assert_eq!(stops.first().map(String::as_str), Some("a.skip"), "{stops:?}");
    let all = "document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length";
    let all = browser.ask(all).as_u64().expect("a number");
    // What is inside a closed part is reached once that is open.
    let closed = "document.querySelectorAll('details:not([open]) details > summary').length";
    let closed = browser.ask(closed).as_u64().expect("a number");
    assert_eq!(stops.len() as u64, all - closed, "{stops:?}");
    for lane in ["map-s0", "map-p0", "map-r0", "a.", "div.drawing", "summary."] {
        assert!(stops.iter().any(|stop| stop == lane), "{lane}: {stops:?}");
    }
    // What stands back does so slowly; a busy machine shows the page seldom.
    let said = "(() => { document.querySelector('#map-p1').focus();
        document.getAnimations().forEach((of) => of.finish());
        return [getComputedStyle(document.querySelector('.say-p1')).display, getComputedStyle(document.querySelector('.m-edge.p1')).opacity]; })()";
    assert_eq!(browser.ask(said), json!(["block", "1"]));
    browser.scripts(false);
    browser.open(&report.page());
    assert!(browser.picture() == with, "it looks the same without scripts");
}

#[test]
fn names_of_attackers_stay_text_in_a_browser() {
    let mut browser = need!(Browser::start());
    let evil = |port| {
        let identity = json!({
            "attribution": "exact", "exe": EVIL, "script": EVIL, "unit": EVIL, "uid": 1, "user": EVIL,
            "container": { "name": EVIL, "image": EVIL, "namespace": EVIL, "workload": EVIL, "runtime": EVIL }
        });
        let verdict = json!({ "outcome": "declared", "rule": EVIL });
        Row { identity, ..row(port, "in", "", "10.0.2.7/32", verdict) }
    };
    let mut named = few();
    named.extend([evil(DB), evil((EVIL, 6379, false))]);
    let report = Report::of(&named, &[]);
    for file in [report.page(), report.map()] {
        browser.open(&file);
        silent(&browser, &file);
        let foreign = "document.querySelectorAll('script, img, image, iframe, object, embed, link, form, [onerror], a:not([href^=\"#\"])').length";
        assert_eq!(browser.ask(foreign), 0, "{}", file.display());
        assert_ne!(browser.ask("document.title"), "owned");
        let text = browser.ask("document.documentElement.textContent");
        assert!(
            text.as_str().is_some_and(|text| text.contains("<img src=x onerror=alert(1)>")),
            "it stands there"
        );
        // A label is where a name has no markup to break out of.
        let labels = "[...document.querySelectorAll('.m-node')].filter((node) => node.getAttribute('aria-label').includes('<script>')).length";
        assert!(browser.ask(labels).as_u64().is_some_and(|count| count >= 3), "{}", file.display());
    }
}
