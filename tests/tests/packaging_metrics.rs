//! What `packaging/` has for Prometheus and Grafana: it asks for metrics that exist, in expressions that are valid, and each
//! alert is proven to fire and to stay quiet.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::need;
use gdprport_tests::skip::{Missing, installed};
use gdprport_tests::temp::TempDir;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const RULES: &str = "packaging/prometheus/gdprport.rules.yml";
const RULES_TEST: &str = "packaging/prometheus/gdprport.rules.test.yml";
const DASHBOARD: &str = "packaging/grafana/gdprport.json";

fn promtool() -> Result<PathBuf, Missing> {
    installed(&["/usr/bin/promtool"], "prometheus")
}

/// Runs `promtool` and returns what it says, which must be no complaint.
fn accepted(promtool: &Path, words: &[&str], file: &Path) {
    let output = Command::new(promtool).args(words).arg(file).output().expect("it is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{words:?} {}:\n{said}", file.display());
}

/// The metrics by the page about them, which a test of the daemon compares with the code.
fn documented() -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    let name = |line: &str| line.strip_prefix("| `")?.split('`').next().map(str::to_owned);
    page.lines().filter_map(name).collect()
}

/// Everything in an expression that is called like one of our metrics.
fn metrics_in(expression: &str) -> Vec<&str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("gdprport_") || word.starts_with("process_"))
        .collect()
}

fn check_names(expressions: &[String], of: &str) {
    let known = documented();
    assert!(known.len() > 50, "the page has a table");
    assert!(expressions.len() > 10, "{of} has expressions");
    for expression in expressions {
        let used = metrics_in(expression);
        assert!(
            !used.is_empty() || expression.contains("up{"),
            "{of}: {expression} asks for nothing of ours"
        );
        for name in used {
            assert!(known.contains(name), "{of} asks for {name}, which does not exist: {expression}");
        }
    }
}

/// The expressions of the rules, each on a line of its own.
fn rules() -> Vec<(String, String)> {
    let value =
        |line: &str, key: &str| line.trim_start().strip_prefix(key).map(|rest| rest.trim().to_owned());
    let (mut found, mut alert) = (Vec::new(), None);
    for line in text(RULES).lines() {
        if let Some(name) = value(line, "- alert:") {
            alert = Some(name);
        } else if let Some(expression) = value(line, "expr:") {
            found.push((alert.take().expect("an alert has one expression"), expression));
        }
    }
    found
}

#[test]
fn alerts_ask_only_for_metrics_that_exist() {
    let expressions: Vec<String> = rules().into_iter().map(|(_, expression)| expression).collect();
    check_names(&expressions, RULES);
    let series = text(RULES_TEST);
    let known = documented();
    for name in series.lines().filter_map(|line| line.trim().strip_prefix("- { series: '")) {
        let name = name.split('{').next().expect("a name");
        assert!(known.contains(name) || name == "up", "{RULES_TEST}: {name}");
    }
}

#[test]
fn each_alert_is_proven_to_fire_and_to_stay_quiet() {
    let tests = text(RULES_TEST);
    for (alert, _) in rules() {
        let quiet = format!("alertname: {alert}, exp_alerts: []");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(tests.contains(&quiet), "{alert} is never quiet");
        assert!(tests.contains(&fires), "{alert} never fires");
    }
}

#[test]
fn prometheus_accepts_the_rules_and_their_tests_pass() {
    let promtool = need!(promtool());
    accepted(&promtool, &["check", "rules"], &root().join(RULES));
    accepted(&promtool, &["test", "rules"], &root().join(RULES_TEST));
    accepted(&promtool, &["check", "config"], &root().join("packaging/prometheus/prometheus.example.yml"));
}

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).expect("JSON")
}

fn list<'v>(value: &'v Value, what: &str) -> &'v [Value] {
    value[what].as_array().unwrap_or_else(|| panic!("{what} is a list: {value}"))
}

fn word<'v>(value: &'v Value, what: &str) -> &'v str {
    value[what]
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| panic!("{what} is a text: {value}"))
}

fn queries() -> Vec<String> {
    let dashboard = dashboard();
    let targets = list(&dashboard, "panels").iter().flat_map(|panel| list(panel, "targets"));
    let annotations = list(&dashboard["annotations"], "list").iter().filter(|one| one["expr"].is_string());
    targets.chain(annotations).map(|target| word(target, "expr").to_owned()).collect()
}

#[test]
fn the_dashboard_asks_only_for_metrics_that_exist() {
    check_names(&queries(), DASHBOARD);
}

/// As Prometheus reads them, with a value for each of Grafana's variables.
#[test]
fn every_query_of_the_dashboard_is_valid() {
    let promtool = need!(promtool());
    let mut file = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (n, query) in queries().iter().enumerate() {
        let variables = [("$__rate_interval", "1m"), ("$__range", "6h"), ("$host", "a")];
        let query = variables.iter().fold(query.clone(), |query, (name, value)| query.replace(name, value));
        assert!(!query.contains('$') && !query.contains('\''), "{query}");
        file.push_str(&format!("      - record: query_{n}\n        expr: '{query}'\n"));
    }
    let dir = TempDir::new();
    accepted(&promtool, &["check", "rules"], &dir.write("rules.yml", &file));
}

#[test]
fn the_dashboard_is_what_grafana_loads() {
    let dashboard = dashboard();
    for key in ["uid", "title"] {
        word(&dashboard, key);
    }
    assert!(
        dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36),
        "of Grafana 9 or later"
    );
    assert!(dashboard["id"].is_null(), "the database of a Grafana gives it one");
    let variables = list(&dashboard["templating"], "list");
    assert!(
        variables.iter().any(|one| word(one, "name") == "datasource" && word(one, "type") == "datasource")
    );
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in list(&dashboard, "panels") {
        let title = word(panel, "title");
        word(panel, "description");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is taken");
        assert!(["stat", "timeseries", "bargauge", "table"].contains(&word(panel, "type")), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_else(|| panic!("{title}: {key}"));
        assert!(at("x") + at("w") <= 24 && at("w") > 0 && at("h") > 0, "{title} is wider than the grid");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{title} covers another panel at {x},{y}");
            }
        }
        let mut references = BTreeSet::new();
        for target in list(panel, "targets") {
            assert!(references.insert(word(target, "refId")), "{title}: two targets of a name");
            assert_eq!(word(&target["datasource"], "uid"), "${datasource}", "{title}");
        }
        assert!(!references.is_empty(), "{title} shows nothing");
        assert_eq!(word(&panel["datasource"], "uid"), "${datasource}", "{title}");
    }
    let height = cells.iter().map(|(_, y)| y + 1).max().expect("panels");
    assert_eq!(cells.len() as u64, height * 24, "the grid has a hole");
}
