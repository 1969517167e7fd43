//! What there is for the controls of frameworks: a page, a sheet and JSON. In English, as the frameworks are quoted by number only and
//! their sentences are made of figures.

use gdprport_core::frameworks::{
    AllowedService, Answered, Assessed, Basis, Framework, Said, Standing, allowed_services,
};
use gdprport_core::policy::{DeclaredPeer, DeclaredSite, TlsDemand};
use gdprport_core::records::Records;
use serde::Serialize;

use super::csv::{MARK, line};
use super::record::cells::day_time;
use super::record::page::{Cell, Column, Kind, Page, Section, Table};
use super::words::Lang;

/// The format of the file for programs. Fields are only ever added.
pub(crate) const FORMAT: &str = "gdprport.frameworks/1";

/// What no table of controls may leave out.
const NOTE: &str = "This is evidence for a control, from one ledger and one policy of one host. Whether it suffices, an auditor judges. \
    \"Nothing\" means that neither of both has anything for it; other documents may.";

/// What shows rows.
const ROWS: &str = "Behind rows: gdprport policy explain --row N.";

/// The command that makes an evidence pack with these controls, from the same ledger and policy and at the same time.
pub(crate) fn pack_command(frameworks: &[Assessed], records: &Records, lang: Lang) -> String {
    let ids: Vec<&str> = frameworks.iter().map(|of| of.framework.id()).collect();
    let (since, lang) = (records.about.asked, lang.tag());
    format!("gdprport report --pack --out DIR --since {since} --lang {lang} --framework {}", ids.join(","))
}

/// The page. `pack`: the command that makes the files that it names; `None`: they are beside it.
pub(crate) fn page(frameworks: &[Assessed], records: &Records, pack: Option<&str>) -> Page {
    let about = &records.about;
    let mut notices = vec![NOTE.to_owned()];
    notices.extend(pack.map(|command| {
        format!("The files that are named here are those of an evidence pack, and not beside this one. It is made by: {command}")
    }));
    notices.extend(
        about
            .no_ledger
            .as_ref()
            .map(|why| format!("Nothing was observed, as there is no ledger to read: {why}")),
    );
    if about.policy.is_none() {
        notices.push("There is no policy: nothing is declared.".to_owned());
    }
    if about.from > about.asked {
        notices.push(format!("Nothing is known before {}, when the ledger began.", day_time(about.from)));
    }
    let mut sections = vec![overview(frameworks)];
    sections.extend(frameworks.iter().map(section));
    sections.push(services(records));
    Page {
        lang: Lang::En,
        kicker: "Evidence for controls",
        title: "What there is for the controls of frameworks",
        head: vec![
            ("Host", about.host.to_string()),
            ("Period", format!("{} – {}", day_time(about.asked), day_time(about.to))),
            ("Made", day_time(about.made)),
            ("Policy", about.policy.as_deref().unwrap_or("none").to_owned()),
        ],
        notices,
        sections,
        has_legend: true,
        foot: vec![ROWS.to_owned(), format!("gdprport {}", about.version)],
    }
}

const fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Evidence => "✓ evidence",
        Standing::InPart => "~ in part",
        Standing::Nothing => "✕ nothing",
    }
}

const fn tone(standing: Standing) -> &'static str {
    match standing {
        Standing::Evidence => "good",
        Standing::InPart => "open",
        Standing::Nothing => "bad",
    }
}

fn plain_section(id: &str, title: &str, about: Vec<String>, tables: Vec<Table>) -> Section {
    Section { about, tables, ..Section::new(id, title) }
}

fn overview(frameworks: &[Assessed]) -> Section {
    let columns = vec![
        Column::new(Kind::Plain, "Framework"),
        Column::number(Kind::Plain, "Controls"),
        Column::number(Kind::Plain, "Evidence"),
        Column::number(Kind::Plain, "In part"),
        Column::number(Kind::Plain, "Nothing"),
    ];
    let row = |of: &Assessed| {
        let count =
            |standing| of.controls.iter().filter(|control| control.answer.standing() == standing).count();
        let number = |n: usize| Cell::new(Kind::Plain, n.to_string()).number();
        vec![
            Cell::new(Kind::Plain, of.framework.name()),
            number(of.controls.len()),
            number(count(Standing::Evidence)),
            number(count(Standing::InPart)),
            number(count(Standing::Nothing)),
        ]
    };
    let table = Table { caption: "Frameworks", columns, rows: frameworks.iter().map(row).collect() };
    let about = "Only controls of which a policy and a ledger have something to say are listed; each framework has many more.";
    plain_section("overview", "Overview", vec![about.to_owned()], vec![table])
}

fn section(of: &Assessed) -> Section {
    let columns = vec![
        Column::new(Kind::Plain, "Control"),
        Column::new(Kind::Plain, "What there is"),
        Column::new(Kind::Plain, "What is missing, or speaks against it"),
        Column::new(Kind::Plain, "Where"),
    ];
    let rows = of.controls.iter().map(row).collect();
    let table = Table { caption: "Controls, with what each asks for in words of our own", columns, rows };
    plain_section(of.framework.id(), of.framework.name(), Vec::new(), vec![table])
}

fn row(of: &Answered) -> Vec<Cell> {
    let answer = &of.answer;
    let standing = answer.standing();
    let dash = || vec!["–".to_owned()];
    let mut has = vec![name(standing).to_owned()];
    has.extend(answer.has.iter().map(said));
    let lacks = if answer.lacks.is_empty() { dash() } else { answer.lacks.clone() };
    let places: Vec<String> = answer.places.iter().map(|place| (*place).to_owned()).collect();
    let places = if standing == Standing::Nothing || places.is_empty() { dash() } else { places };
    vec![
        Cell::lines(Kind::Plain, vec![of.control.number.to_owned(), of.control.asks.to_owned()]),
        Cell::lines(Kind::Plain, has).tone(tone(standing)),
        Cell::lines(Kind::Plain, lacks),
        Cell::lines(Kind::Plain, places).rows(&answer.rows, Lang::En),
    ]
}

fn said(said: &Said) -> String {
    let kind = match said.basis {
        Basis::Declared => Kind::Declared,
        Basis::Observed => Kind::Observed,
    };
    format!("{} {}", kind.mark(), said.text)
}

fn services(records: &Records) -> Section {
    let columns = vec![
        Column::new(Kind::Declared, "Service"),
        Column::new(Kind::Declared, "Where it runs"),
        Column::new(Kind::Declared, "Business need"),
        Column::new(Kind::Declared, "Encryption asked for"),
        Column::new(Kind::Declared, "Allowed"),
        Column::new(Kind::Observed, "Used last"),
    ];
    let services = allowed_services(records);
    let rows: Vec<Vec<Cell>> = services.iter().map(service).collect();
    let about = if rows.is_empty() {
        vec!["The policy declares no service.".to_owned()]
    } else {
        vec![
            "Straight from the policy. Nobody compared the business needs with anything.".to_owned(),
            "Who approved a service, and that somebody reviewed the list, is not recorded.".to_owned(),
        ]
    };
    let table = Table { caption: "Allowed services, protocols and ports", columns, rows };
    let tables = if table.rows.is_empty() { Vec::new() } else { vec![table] };
    plain_section("services", "Allowed services, protocols and ports", about, tables)
}

fn service(of: &AllowedService<'_>) -> Vec<Cell> {
    let mut who = vec![of.name.to_string(), format!("TCP {}", of.ports.join(", "))];
    who.extend(of.protocol.map(str::to_owned));
    let need = match of.need {
        Some(need) => {
            let owner = of.owner.map(|owner| format!("responsible: {owner}"));
            Cell::lines(Kind::Declared, [need.to_owned()].into_iter().chain(owner).collect())
        }
        None => Cell::new(Kind::NotDeclared, "no business need declared").tone("bad"),
    };
    let tls = match of.tls {
        TlsDemand::None => Cell::new(Kind::NotDeclared, "not declared"),
        TlsDemand::NotRequired { why } => Cell::new(Kind::Declared, format!("not required: {why}")),
        TlsDemand::AtLeast(version) => Cell::new(Kind::Declared, format!("at least {}", version.name())),
    };
    let rules: Vec<String> = of.rules.iter().map(|(rule, _)| allowed(rule)).collect();
    let rules = if rules.is_empty() {
        Cell::new(Kind::Declared, "nobody")
    } else {
        Cell::lines(Kind::Declared, rules)
    };
    let last = of.rules.iter().filter_map(|(_, used)| used.map(|used| used.last)).max();
    let last = match last {
        Some(last) => Cell::new(Kind::Observed, last.strftime("%Y-%m-%d").to_string()),
        None => Cell::new(Kind::NotSeen, "not in this period"),
    };
    let site = match of.site {
        Some(DeclaredSite::Local(Some(listen))) => format!("this host, bound to {}", written(listen)),
        Some(DeclaredSite::Local(None)) => "this host".to_owned(),
        Some(DeclaredSite::Remote(service)) => written(service),
        None => "not declared".to_owned(),
    };
    vec![Cell::lines(Kind::Declared, who), Cell::new(Kind::Declared, site), need, tls, rules, last]
}

pub(super) fn written(peers: &[DeclaredPeer]) -> String {
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `orders-api: in, 10.0.2.0/24, unit = a.service`
pub(super) fn allowed(rule: &gdprport_core::policy::DeclaredRule) -> String {
    let mut parts = vec![rule.direction.as_str().to_owned(), written(&rule.peers)];
    parts.extend(rule.process.iter().map(|(key, values)| format!("{key} = {}", values.join(", "))));
    if rule.process.is_empty() {
        parts.push("any process".to_owned());
    }
    parts.extend(rule.until.map(|until| format!("until {}", day_time(until))));
    parts.extend(rule.volume.map(|limit| format!("at most {limit}")));
    format!("{}: {}", rule.role, parts.join(", "))
}

/// The sheet: a line for each control.
pub(crate) fn sheet(frameworks: &[Assessed]) -> String {
    let mut file = String::from(MARK);
    let head =
        ["framework", "control", "asks for", "standing", "what there is", "what is missing", "where", "rows"];
    line(&mut file, head.into_iter());
    for (of, control) in frameworks.iter().flat_map(|of| of.controls.iter().map(move |control| (of, control)))
    {
        let answer = &control.answer;
        let has: Vec<String> = answer.has.iter().map(said).collect();
        let rows = answer.rows.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let standing = match answer.standing() {
            Standing::Evidence => "evidence",
            Standing::InPart => "in part",
            Standing::Nothing => "nothing",
        };
        let cells = [
            of.framework.name(),
            control.control.number,
            control.control.asks,
            standing,
            &has.join("; "),
            &answer.lacks.join("; "),
            &answer.places.join("; "),
            &rows,
        ];
        line(&mut file, cells.into_iter());
    }
    file
}

/// What programs read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Document<'f> {
    /// `gdprport.frameworks/1`.
    format: &'static str,
    /// What it is not.
    note: &'static str,
    /// Of what, when and by what.
    about: &'f gdprport_core::records::About,
    /// The command that makes the evidence pack whose files `places` name; null: they are beside this one.
    pack: Option<&'f str>,
    /// Those that were asked for.
    frameworks: Vec<OneFramework<'f>>,
    /// What the policy allows.
    services: Vec<OneService<'f>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OneFramework<'f> {
    id: Framework,
    name: &'static str,
    controls: Vec<OneControl<'f>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OneControl<'f> {
    /// Its number in the framework.
    number: &'static str,
    /// What it asks for, in words of our own.
    asks: &'static str,
    /// What there is, in a word. An auditor judges whether it suffices.
    standing: Standing,
    /// What there is.
    has: &'f [Said],
    /// What is missing or speaks against it.
    lacks: &'f [String],
    /// Files of an evidence pack where it is.
    places: &'f [&'static str],
    /// Rows of the ledger that speak against it.
    rows: &'f gdprport_core::records::Rows,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OneService<'f> {
    name: &'f str,
    ports: Vec<String>,
    protocol: Option<&'f str>,
    /// The business need as declared; null: nobody declared one.
    need: Option<&'f str>,
    owner: Option<&'f str>,
    rules: Vec<String>,
}

impl<'f> Document<'f> {
    /// Of what there is.
    pub(crate) fn of(frameworks: &'f [Assessed], records: &'f Records, pack: Option<&'f str>) -> Self {
        let control = |of: &'f Answered| OneControl {
            number: of.control.number,
            asks: of.control.asks,
            standing: of.answer.standing(),
            has: &of.answer.has,
            lacks: &of.answer.lacks,
            places: &of.answer.places,
            rows: &of.answer.rows,
        };
        let service = |of: AllowedService<'f>| OneService {
            name: of.name,
            rules: of.rules.iter().map(|(rule, _)| allowed(rule)).collect(),
            ports: of.ports,
            protocol: of.protocol,
            need: of.need,
            owner: of.owner,
        };
        Self {
            format: FORMAT,
            note: NOTE,
            about: &records.about,
            pack,
            frameworks: frameworks
                .iter()
                .map(|of| OneFramework {
                    id: of.framework,
                    name: of.framework.name(),
                    controls: of.controls.iter().map(control).collect(),
                })
                .collect(),
            services: allowed_services(records).into_iter().map(service).collect(),
        }
    }
}
