//! Names that somebody chose for his program, unit and container stand as text in every file of a report: none is markup, a formula
//! or a command to a terminal. From real processes to the files.

mod host_only {
    use std::path::Path;

    use gdprport_tests::cgroup::{Cgroup, unique};
    use gdprport_tests::child::Place;
    use gdprport_tests::commands::{gdprport, path, read, text};
    use gdprport_tests::containers::{DockerState, unique_id};
    use gdprport_tests::daemon::Start;
    use gdprport_tests::ledger::count;
    use gdprport_tests::policy::declare;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::{ProgramCopy, Puppet};
    use gdprport_tests::temp::TempDir;
    use gdprport_tests::wait;
    use serde_json::Value;

    /// What a file may be called: markup of HTML, a formula, an escape of a terminal, text from right to left, and the ends of strings.
    const PROGRAM: &str = "=cmd|'calc'!A0<img src=x onerror=alert(1)>\"\\N[x](javascript:1)\u{1b}[2J\u{202e}";

    /// What a cgroup may be called, with what `systemd-escape` makes of `<script>`.
    const UNIT: &str = "+1<svg onload=alert(2)>\\x3cscript\\x3e\"|{{7*7}}`a`@all\u{1b}]0;owned\u{7}";

    /// What a runtime's state may call a container and its image.
    const CONTAINER: &str = "-2+3<iframe src=x>\"$(id)--><!--\u{1b}[31m";
    const IMAGE: &str = "@SUM(A1)<object data=x>:\"latest\"";

    /// Cells of a sheet, each without its quotes.
    fn cells(sheet: &str) -> Vec<String> {
        let lines = sheet.trim_start_matches('\u{feff}').split("\r\n").filter(|line| !line.is_empty());
        let cells = lines.flat_map(|line| {
            assert!(line.starts_with('"') && line.ends_with('"'), "{line}");
            line[1..line.len() - 1].split("\",\"").map(ToOwned::to_owned).collect::<Vec<_>>()
        });
        cells.collect()
    }

    /// Nothing that any program of a reader takes for more than text.
    #[track_caller]
    fn check_is_text(name: &str, text: &str) {
        let line = |c: char| matches!(c, '\n' | '\r' | '\t');
        let steers = |c: char| (c.is_control() && !line(c)) || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!text.contains(steers), "{name} steers a terminal");
        let tags = ["<img", "<svg onload", "<iframe", "<object", "<script", "-->", "<!--"];
        // What an audit says has names in code, which is no markup.
        let own = text.split_once("## Recorded by audits before").map_or(text, |(_, own)| own);
        let has_no = |parts: &[&str]| {
            let found: Vec<_> = parts.iter().filter(|part| own.contains(**part)).collect();
            assert!(found.is_empty(), "{name}: {found:?}");
        };
        match name.rsplit('.').next().unwrap_or_default() {
            "html" | "svg" => has_no(&tags),
            "md" => has_no(&[&tags[..], &["](javascript", "`a`", "@all"]].concat()),
            "mmd" => {
                // Arrows of its own end in `-->`.
                has_no(&["<img", "<svg", "<iframe", "<object", "<script", "{{", "](", "`"]);
                check_quotes(name, text);
            }
            "dot" => check_quotes(name, text),
            "csv" => {
                let formula = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                let found: Vec<String> = cells(text).into_iter().filter(formula).collect();
                assert!(found.is_empty(), "{name}: {found:?}");
            }
            "json" => {
                drop(serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}")));
            }
            _ => {}
        }
    }

    /// What stands between quotes ends them nowhere.
    #[track_caller]
    fn check_quotes(name: &str, text: &str) {
        for line in text.lines() {
            let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            assert_eq!(quotes % 2, 0, "{name}: {line}");
        }
    }

    #[test]
    fn names_that_somebody_chose_are_text_in_every_file() {
        let (docker, id, port) = (DockerState::new(), unique_id(), Port::free());
        docker.add(&id, CONTAINER, IMAGE);
        let contained = Cgroup::docker(&id);
        let unit = Cgroup::named(&format!("{UNIT}{}.service", unique()));
        let program = ProgramCopy::new("puppet", PROGRAM);
        // Nobody is allowed, so that all of it is in the sheet of violations too.
        let nobody = declare("customers-db", port.number()).allow("nobody", "in", "192.0.2.1", "");
        let daemon = Start::with(nobody.alone()).config(&docker.config()).start();
        let mut server = Puppet::run(&program.path(), Place::default().cgroup(&contained));
        let mut client = Puppet::run(&program.path(), Place::default().cgroup(&unit));
        server.listen(format!("127.0.0.1:{port}"));
        let there = client.connect(format!("127.0.0.1:{port}"));
        let here = server.accept();
        // Names of containers are looked up beside.
        let of = |name: &str| {
            format!(
                "SELECT count(*) FROM edge e JOIN identity i ON i.id = e.identity WHERE instr(i.value, '{name}')"
            )
        };
        wait::until("the ledger has all names", || {
            ["<iframe", "x3cscript", "cmd|"].iter().all(|name| count(daemon.ledger(), &of(name)) > 0)
        });
        client.close(there);
        server.close(here);
        let (dir, policy) = (TempDir::new(), daemon.policy());
        let out = dir.join("pack");
        let files = ["--policy", path(&policy), "--ledger", path(daemon.ledger()), "--any-owner"];
        for lang in ["en", "de", "fr"] {
            let words = ["report", "--pack", "--out", path(&out), "--lang", lang];
            let output = gdprport(&[&words[..], &files[..]].concat());
            assert!(output.status.success(), "{}", text(&output.stderr));
            check_all(&out);
            std::fs::remove_dir_all(&out).expect("it was written");
        }
        for words in [&["report", "--map"][..], &["report", "--map", "--json"], &["flows", "--since", "1d"]] {
            let ledger = ["--ledger", path(daemon.ledger())];
            let of_report = if words[0] == "report" { &files[..] } else { &ledger[..] };
            let output = gdprport(&[words, of_report].concat());
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
            check_is_text("terminal", &text(&output.stdout));
        }
        daemon.stop();
    }

    fn check_all(out: &Path) {
        let mut names: Vec<String> = std::fs::read_dir(out)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        let of = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
        assert!(
            ["html", "md", "csv", "json", "svg", "dot", "mmd"].iter().all(|end| of(end) > 0),
            "{names:?}"
        );
        for name in &names {
            check_is_text(name, &read(out, name));
        }
        // They are there, as text.
        for (name, parts) in [
            ("index.html", &["&#60;img src=x", "&#60;svg onload", "&#60;iframe src=x"][..]),
            ("map.svg", &["&#60;iframe src=x", "\\x3cscript\\x3e"]),
            ("map.dot", &["<iframe src=x>\\\"", "\\\\x3cscript\\\\x3e"]),
            ("map.mmd", &["#60;iframe src#61;x#62;", "x3cscript"]),
            ("violations.csv", &["=cmd|'calc'", "\"'+1<svg", "\"'-2+3<iframe"]),
            ("record.md", &["iframe src", "x3cscript"]),
        ] {
            let text = read(out, name);
            for part in parts {
                assert!(text.contains(part), "{name}: {part}: {text}");
            }
        }
    }
}
