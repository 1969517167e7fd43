//! Baselines of instruction counts: the file, and the comparison.
//!
//! Belongs here: text and numbers, not counting them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Result, anyhow};

/// What a case may take more than its baseline, in percent. Runs of one build differ only by collisions in hash tables,
/// which are seeded at random: below 0.5 %. The rest is room for changes that move code and cost nothing.
const TOLERANCE: u64 = 3;

/// The same for one type of the kernel programs. The count of `connect` includes work of the kernel, above all allocating a
/// socket's storage: 2,471 to 2,584 instructions in six machines with the same programs. The sum of all types is
/// held to [`TOLERANCE`]: it differed by 1 %.
const TOLERANCE_OF_PARTS: u64 = 6;

/// The prefix of the cases of one type of the kernel programs; the sum is just `kernel`.
const PART: &str = "kernel-";

/// The same with another compiler than the baseline's: versions differ by this much on unchanged sources.
const TOLERANCE_OF_COMPILERS: u64 = 12;

/// What any case may take more: for a few dozen instructions, a percentage is less than the effect of a longer path.
const ROOM: u64 = 10;

/// Instructions by case, in order, and the compiler that made the code.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) compiler: String,
    pub(crate) cases: Vec<(String, u64)>,
}

impl Baseline {
    /// Reads a file: `name = number` lines, `compiler = "…"`, comments.
    ///
    /// # Errors
    /// The first line that is none of these.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut baseline = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let unreadable = || anyhow!("line {}: `{line}` is not `name = number`", number + 1);
            let (name, value) = line.split_once(" = ").ok_or_else(unreadable)?;
            if name == "compiler" {
                baseline.compiler = value.trim_matches('"').to_owned();
            } else {
                let value = value.replace('_', "").parse().map_err(|_| unreadable())?;
                baseline.cases.push((name.to_owned(), value));
            }
        }
        Ok(baseline)
    }

    /// The text of the file, after these comments.
    #[must_use]
    pub(crate) fn render(&self, head: &str) -> String {
        let mut text = format!("{head}\ncompiler = \"{}\"\n\n", self.compiler);
        for (name, value) in &self.cases {
            writeln!(text, "{name} = {value}").expect("writing to a String cannot fail");
        }
        text
    }

    /// With these cases replacing those of the same names.
    #[must_use]
    pub(crate) fn with(self, new: Self) -> Self {
        let mut cases = self.cases;
        for (name, value) in new.cases {
            match cases.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => cases.push((name, value)),
            }
        }
        Self { compiler: new.compiler, cases }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    counted: u64,
    known: Option<u64>,
    tolerance: u64,
}

impl Outcome {
    /// Whether it takes more than it may; a case without a baseline does.
    #[must_use]
    pub(crate) fn is_worse(&self) -> bool {
        self.known.is_none_or(|known| self.counted > known + (known * self.tolerance / 100).max(ROOM))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(known) = self.known else { return write!(f, "{:>9}  no baseline", self.counted) };
        let percent = (self.counted as f64 / known.max(1) as f64 - 1.0) * 100.0;
        write!(f, "{:>9}  baseline {known:>9}  {percent:+6.1} %", self.counted)?;
        if self.is_worse() {
            write!(f, "  more than the {} % allowed", self.tolerance)
        } else if self.counted + ROOM < known && self.counted * (100 + self.tolerance) < known * 100 {
            f.write_str("  less: worth a `--bless`")
        } else {
            Ok(())
        }
    }
}

/// Each counted case beside its baseline.
#[must_use]
pub(crate) fn compare(known: &Baseline, counted: &Baseline) -> Vec<Outcome> {
    let same = known.compiler == counted.compiler;
    let tolerance = if same { TOLERANCE } else { TOLERANCE_OF_COMPILERS };
    let by_name: BTreeMap<&str, u64> = known.cases.iter().map(|(name, value)| (&**name, *value)).collect();
    let beside = |(name, counted): &(String, u64)| Outcome {
        name: name.clone(),
        counted: *counted,
        known: by_name.get(&**name).copied(),
        tolerance: if name.starts_with(PART) { tolerance.max(TOLERANCE_OF_PARTS) } else { tolerance },
    };
    counted.cases.iter().map(beside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(compiler: &str, cases: &[(&str, u64)]) -> Baseline {
        let cases = cases.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Baseline { compiler: compiler.to_owned(), cases }
    }

    fn worse(known: &Baseline, counted: &Baseline) -> Vec<bool> {
        compare(known, counted).iter().map(Outcome::is_worse).collect()
    }

    #[test]
    fn what_was_written_reads_back() {
        let written = baseline("rustc 1.95.0", &[("decode", 1_000), ("path", 7)]);
        assert_eq!(Baseline::parse(&written.render("# Comment.\n")).expect("own output"), written);
        assert!(Baseline::parse("decode: 7").is_err());
    }

    #[test]
    fn more_than_the_tolerance_and_a_missing_baseline_fail() {
        let known = baseline("a", &[("one", 1_000), ("two", 1_000)]);
        let counted = baseline("a", &[("one", 1_030), ("two", 1_031), ("three", 1)]);
        assert_eq!(worse(&known, &counted), [false, true, true]);
    }

    #[test]
    fn another_compiler_has_more_room() {
        let known = baseline("a", &[("one", 1_000)]);
        assert_eq!(worse(&known, &baseline("b", &[("one", 1_100)])), [false]);
        assert_eq!(worse(&known, &baseline("b", &[("one", 1_130)])), [true]);
    }

    #[test]
    fn a_part_of_the_kernel_programs_has_more_room_than_all_of_them() {
        let known = baseline("a", &[("kernel", 1_000), ("kernel-sock-ops", 1_000)]);
        for (counted, expected) in [(1_050, [true, false]), (1_061, [true, true])] {
            let counted = baseline("a", &[("kernel", counted), ("kernel-sock-ops", counted)]);
            assert_eq!(worse(&known, &counted), expected);
        }
    }

    #[test]
    fn a_few_instructions_are_never_too_many() {
        let known = baseline("a", &[("one", 50)]);
        assert_eq!(worse(&known, &baseline("a", &[("one", 60)])), [false]);
        assert_eq!(worse(&known, &baseline("a", &[("one", 61)])), [true]);
    }

    #[test]
    fn blessing_some_cases_keeps_the_others() {
        let merged = baseline("a", &[("one", 1), ("two", 2)]).with(baseline("a", &[("two", 3), ("new", 4)]));
        assert_eq!(merged, baseline("a", &[("one", 1), ("two", 3), ("new", 4)]));
    }
}
