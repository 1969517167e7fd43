//! How a policy is arranged decides nothing: neither the order of its rules, nor that of its peers, patterns, declarations
//! and files. The one exception is documented: of several rules that allow a flow the first written one is named.

use proptest::collection::vec;
use proptest::prelude::*;

use super::generated::{Asked, DEMANDS, NOW, Rule, SETS, asked, rules, terms};
use super::reference::evaluate;
use super::*;

/// The rules of a local declaration and of two remote ones, all with the same number.
type Written = [Vec<Rule>; 3];

/// The heads of their declarations. `crm` and `erp` have names and networks that do not overlap.
const HEADS: [&str; 3] = [
    "name = \"db\"\nport = 5432\nlisten = [\"10.0.2.15\", \"loopback\"]\n",
    "name = \"crm\"\nport = 5432\nservice = [\"192.0.2.0/24\", \"db1.internal\"]\n",
    "name = \"erp\"\nport = 5432\nservice = [\"fd00::/16\", \"10.9.0.0/16\"]\n",
];

fn declarations() -> impl Strategy<Value = Written> {
    // Nothing is accepted for a remote service.
    let outward = |mut rules: Vec<Rule>| {
        rules.iter_mut().for_each(|rule| rule.inward = false);
        rules
    };
    [rules().boxed(), rules().prop_map(outward).boxed(), rules().prop_map(outward).boxed()]
}

/// A source of arrangements; 0 leaves everything as it is.
struct Shuffle(u64);

impl Shuffle {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed >> 33) % bound.max(1) as u64).expect("below a usize")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The policy in one file, as it is given.
fn plain(demand: usize, local: bool, declared: &Written) -> Vec<Source> {
    let mut text = format!("version = 1\n{SETS}");
    for (head, rules) in HEADS.iter().zip(declared).skip(usize::from(!local)) {
        text += &format!("[[port]]\n{head}{}", DEMANDS[demand].0);
        for (number, rule) in rules.iter().enumerate() {
            text += &format!("[[port.allow]]\nrole = \"r{number}\"\n{}", terms(rule));
        }
    }
    vec![source("policy.toml", &text)]
}

/// The same in files, with everything in another order.
fn arranged(demand: usize, local: bool, declared: &Written, shuffle: &mut Shuffle) -> Vec<Source> {
    let mut files = vec![SETS.to_owned()];
    for (head, rules) in HEADS.iter().zip(declared).skip(usize::from(!local)) {
        let mut port = format!("[[port]]\n{head}{}", DEMANDS[demand].0);
        let mut rules: Vec<_> = rules.iter().cloned().enumerate().collect();
        shuffle.shuffle(&mut rules);
        for (number, mut rule) in rules {
            shuffle.shuffle(&mut rule.peers);
            rule.keys.iter_mut().for_each(|patterns| shuffle.shuffle(patterns));
            let role = format!("role = \"r{number}\"\n{}", terms(&rule));
            if shuffle.below(2) == 0 {
                port += &format!("[[port.allow]]\n{role}");
            } else {
                let name = head.lines().next().expect("a name").replace("name", "port");
                files.push(format!("[[allow]]\n{name}\n{role}"));
            }
        }
        files.push(port);
    }
    shuffle.shuffle(&mut files);
    let files = files.iter().enumerate();
    files.map(|(number, text)| source(&format!("{number}.toml"), &format!("version = 1\n{text}"))).collect()
}

/// A verdict without what may depend on the order: which of the rules that allow the flow is named.
fn settled(verdict: Verdict) -> Verdict {
    let unnamed = || "a rule that allows it".into();
    match verdict {
        Verdict::Declared { .. } => Verdict::Declared { rule: unnamed() },
        Verdict::Violation { reasons, nearest: Some(mut near) } if near.failed == ["tls"] => {
            near.role = unnamed();
            Verdict::Violation { reasons, nearest: Some(near) }
        }
        Verdict::Undecided { missing, nearest: Some(mut near) }
            if missing.iter().all(|one| allows_but_for(one)) =>
        {
            near.role = unnamed();
            Verdict::Undecided { missing, nearest: Some(near) }
        }
        other => other,
    }
}

/// Whether this is missing although a rule allows the flow.
fn allows_but_for(missing: &str) -> bool {
    missing.ends_with("is demanded") || missing.starts_with("whether the peer is ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_reason_depends_on_how_the_policy_is_arranged(
        demand in 0..DEMANDS.len(),
        local in any::<bool>(),
        declared in declarations(),
        seed in any::<u64>(),
        questions in vec(asked(), 1..8),
    ) {
        let read = |sources: Vec<Source>| compile(&sources).map_err(|problems| {
            TestCaseError::fail(format!("{problems}"))
        });
        let plain = active(Ok(read(plain(demand, local, &declared))?));
        let other = active(Ok(read(arranged(demand, local, &declared, &mut Shuffle(seed)))?));
        for question in &questions {
            agree(&plain, &other, question)?;
        }
    }
}

fn agree(plain: &ActivePolicy, other: &ActivePolicy, question: &Asked) -> Result<(), TestCaseError> {
    let [one, two] = [plain, other].map(|policy| settled(evaluate(policy, question)));
    prop_assert_eq!(one, two, "{:?}", question);
    let process = question.process.as_ref();
    for (address, number) in [("10.0.2.15", 5432), ("::", 5432), ("::", 3306)] {
        let at = Endpoint::new(ip(address), number);
        let [one, two] = [plain, other].map(|policy| policy.evaluate_listener(at, process, time(NOW)));
        prop_assert_eq!(one, two);
    }
    Ok(())
}

#[test]
fn a_flow_to_no_service_belongs_to_the_first_by_name() {
    let of = |name: &str, second: u8, rule: &str| {
        format!("[[port]]\nname = \"{name}\"\nport = 3306\nservice = [\"10.{second}.0.0/16\"]\n{rule}")
    };
    let rule = "[[port.allow]]\nrole = \"sync\"\ndirection = \"out\"\npeers = [\"any\"]\n";
    let (crm, erp) = (of("crm", 7, ""), of("erp", 8, rule));
    for text in [format!("version = 1\n{crm}{erp}"), format!("version = 1\n{erp}{crm}")] {
        let policy = policy(&text);
        let facts = connected(3306, "192.0.2.1", None);
        assert_eq!(policy.port_of(&facts).map(|port| &*port.name), Some("crm"));
        let verdict = policy.evaluate(&facts, Timestamp::UNIX_EPOCH);
        assert_eq!(line(&verdict), "violation undeclared-direction nearest -");
        let to_erp = connected(3306, "10.8.0.1", None);
        assert_eq!(line(&policy.evaluate(&to_erp, Timestamp::UNIX_EPOCH)), "declared sync");
    }
}

#[test]
fn a_large_policy_may_be_arranged_in_any_order_too() {
    // More rules than are compared in either search.
    let rule = |number: usize| {
        let (peers, until) = (number % 5, if number.is_multiple_of(3) { "until = 1960-01-01\n" } else { "" });
        format!(
            "[[port.allow]]\nrole = \"r{number}\"\ndirection = \"in\"\npeers = [\"10.{peers}.0.0/16\", \"h.example\"]\n\
             process = {{ exe = \"/bin/{number}\", user = \"u{}\" }}\n{until}",
            number % 7
        )
    };
    let mut rules: Vec<_> = (0..9000).map(rule).collect();
    let mut shuffle = Shuffle(1);
    let mut arrange = || {
        shuffle.shuffle(&mut rules);
        policy(&format!("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n{}", rules.concat()))
    };
    let (one, two) = (arrange(), arrange());
    let names = [DnsNames::default(), resolved(&[("h.example", &[])])];
    let processes = [postgres(), Process { exe: None, user: Some("u3".into()), ..postgres() }];
    for (names, process) in
        names.iter().flat_map(|names| processes.iter().map(move |process| (names, process)))
    {
        let [one, two] = [&one, &two].map(|policy| policy.with_names(names.clone()));
        for peer in ["10.3.0.1", "192.0.2.1"] {
            let facts = accepted(5432, peer, Some(process));
            let [one, two] = [&one, &two].map(|policy| policy.evaluate(&facts, Timestamp::UNIX_EPOCH));
            assert_eq!(one, two);
        }
    }
}
