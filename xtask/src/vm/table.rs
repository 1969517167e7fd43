//! The table kernel × promise, and the line with the totals.

use std::time::Duration;

use anyhow::{Result, bail};

use super::kernel::Kernel;
use super::machine::retries;
use super::promises::{Promise, PromiseOutcome};
use crate::step::{FAILED, short};

/// The results of one kernel.
#[derive(Debug)]
pub(super) struct Column {
    series: String,
    /// The release, or why it was skipped.
    kernel: Result<String, String>,
    outcomes: Vec<PromiseOutcome>,
    /// Whether only the core of the promises was to run.
    pub(super) is_core: bool,
    /// How often one of its machines was started, at most.
    pub(super) boots: u32,
    /// From the start to the end of each machine, in all.
    pub(super) time: Duration,
}

impl Column {
    /// A kernel that is to be run.
    pub(super) fn of(kernel: &Kernel) -> Self {
        Self {
            series: kernel.series.clone(),
            kernel: Ok(kernel.release.clone()),
            outcomes: Vec::new(),
            is_core: false,
            boots: 0,
            time: Duration::ZERO,
        }
    }

    /// A kernel that is not available.
    pub(super) fn skipped(series: &str, why: &str) -> Self {
        Self {
            series: series.to_owned(),
            kernel: Err(why.lines().next().unwrap_or_default().to_owned()),
            outcomes: Vec::new(),
            is_core: false,
            boots: 0,
            time: Duration::ZERO,
        }
    }

    /// Fills in what became of each promise.
    pub(super) fn fill(&mut self, promises: &[Promise], outcome: impl Fn(&Promise) -> PromiseOutcome) {
        self.outcomes = promises.iter().map(outcome).collect();
    }

    /// Passed, failed and skipped of so many promises.
    fn count(&self, promises: usize) -> (usize, usize, usize) {
        if self.kernel.is_err() {
            return (0, 0, promises);
        }
        PromiseOutcome::count(&self.outcomes)
    }

    /// How many of all promises were to run on it.
    fn scope(&self) -> String {
        let mine =
            self.outcomes.iter().filter(|outcome| !matches!(outcome, PromiseOutcome::Elsewhere)).count();
        format!("{}{mine} of {}", if self.is_core { "core: " } else { "" }, self.outcomes.len())
    }

    fn cell(&self, row: usize) -> String {
        match (&self.kernel, self.outcomes.get(row)) {
            (Err(_), _) | (_, Some(PromiseOutcome::Skipped)) => "skipped".to_owned(),
            (_, Some(PromiseOutcome::Passed(time))) => {
                format!("passed {}", short(Duration::from_millis(*time)))
            }
            (_, Some(PromiseOutcome::Elsewhere)) => String::new(),
            (_, Some(PromiseOutcome::Failed) | None) => "FAILED".to_owned(),
        }
    }

    fn head(&self) -> [String; 4] {
        match &self.kernel {
            Ok(release) => [
                self.series.clone(),
                release.split("-cloud").next().unwrap_or(release).to_owned(),
                self.scope(),
                format!("{}{}", short(self.time), retries(self.boots)),
            ],
            Err(_) => [self.series.clone(), "not available".to_owned(), String::new(), String::new()],
        }
    }
}

/// The results of all kernels.
#[derive(Debug)]
pub(super) struct Table {
    promises: Vec<String>,
    columns: Vec<Column>,
}

impl Table {
    pub(super) fn new(promises: &[Promise]) -> Self {
        Self { promises: promises.iter().map(Promise::name).collect(), columns: Vec::new() }
    }

    pub(super) fn push(&mut self, column: Column) {
        self.columns.push(column);
    }

    pub(super) fn print(&self) {
        print!("{}", self.render());
        for column in &self.columns {
            if let Err(why) = &column.kernel {
                println!("skipped: kernel {}: {why}", column.series);
            } else if column.is_core {
                let (series, scope) = (&column.series, column.scope());
                println!("kernel {series}: {scope} promises; all of them: cargo xtask vm --kernel {series}");
            }
        }
        for broken in self.broken() {
            println!("{FAILED}{broken}");
        }
        let (passed, failed, skipped) = self.total();
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }

    /// In Markdown, aligned, so that it is readable in a terminal and can be put into a document.
    fn render(&self) -> String {
        let heads: Vec<[String; 4]> = self.columns.iter().map(Column::head).collect();
        let head = |title: &str, line: usize| {
            let mut cells = vec![title.to_owned()];
            cells.extend(heads.iter().map(|head| head[line].clone()));
            cells
        };
        let mut rows = vec![head("promise", 0), head("Linux", 1), head("promises", 2), head("in all", 3)];
        for (row, name) in self.promises.iter().enumerate() {
            let mut cells = vec![name.clone()];
            cells.extend(self.columns.iter().map(|column| column.cell(row)));
            rows.push(cells);
        }
        let widths: Vec<usize> = (0..=self.columns.len())
            .map(|at| rows.iter().map(|cells| cells[at].chars().count()).max().unwrap_or_default())
            .collect();
        let line = |cells: &[String]| {
            let cell = |(cell, width): (&String, &usize)| format!(" {cell:<width$} ");
            let cells: Vec<String> = cells.iter().zip(&widths).map(cell).collect();
            format!("|{}|\n", cells.join("|"))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let mut text = line(&rows[0]);
        text.push_str(&format!("|{}|\n", rule.join("|")));
        text.extend(rows[1..].iter().map(|cells| line(cells)));
        text
    }

    fn total(&self) -> (usize, usize, usize) {
        let counts = self.columns.iter().map(|column| column.count(self.promises.len()));
        counts.fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2))
    }

    /// What was broken, and on which kernel.
    fn broken(&self) -> Vec<String> {
        let of = |column: &Column| {
            let rows = self.promises.iter().zip(&column.outcomes);
            let failed = rows.filter(|(_, outcome)| matches!(outcome, PromiseOutcome::Failed));
            failed.map(|(name, _)| format!("{name} on {}", column.series)).collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Promises that no kernel kept. An old kernel may lack what one is about; it must hold where there is that.
    fn kept_nowhere(&self) -> Vec<&str> {
        let kept = |row: usize| {
            let outcomes = self.columns.iter().filter_map(|column| column.outcomes.get(row));
            outcomes.into_iter().any(|outcome| matches!(outcome, PromiseOutcome::Passed(_)))
        };
        (0..self.promises.len()).filter(|row| !kept(*row)).map(|row| self.promises[row].as_str()).collect()
    }

    /// Fails if a promise was broken, none was tried or, in CI, a kernel was not available or a promise kept by none.
    pub(super) fn judge(&self, ci: bool) -> Result<()> {
        let (passed, failed, _) = self.total();
        if failed > 0 {
            bail!("{failed} promises are broken on these kernels");
        }
        if passed == 0 {
            bail!("no promise was tried");
        }
        if ci {
            if let Some(column) = self.columns.iter().find(|column| column.kernel.is_err()) {
                bail!("kernel {} was not available, and CI accepts no skip", column.series);
            }
            let nowhere = self.kept_nowhere();
            if !nowhere.is_empty() {
                bail!("no kernel has what these promises are about: {}", nowhere.join(", "));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(series: &str, kernel: Result<&str, &str>, outcomes: &[PromiseOutcome]) -> Column {
        Column {
            series: series.to_owned(),
            kernel: kernel.map(str::to_owned).map_err(str::to_owned),
            outcomes: outcomes.to_vec(),
            is_core: false,
            boots: 2,
            time: Duration::from_secs(90),
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table { promises: vec!["bytes::a".to_owned(), "bytes::b".to_owned()], columns }
    }

    #[test]
    fn a_kernel_that_is_not_available_is_skipped_never_passed() {
        let passed = [PromiseOutcome::Passed(1500), PromiseOutcome::Passed(20)];
        let table = table(vec![
            column("6.1", Ok("6.1.0-56-cloud-amd64"), &passed),
            column("5.10", Err("no suite offers it"), &[]),
        ]);
        assert_eq!(table.total(), (2, 0, 2));
        assert!(table.judge(false).is_ok());
        assert!(table.judge(true).is_err());
        let text = table.render();
        assert!(text.contains("| bytes::a | passed 1.5 s  | skipped       |"), "{text}");
        assert!(text.contains("| in all   | 90 s, 2 boots |               |"), "{text}");
    }

    #[test]
    fn what_is_broken_is_named_with_its_kernel() {
        let outcomes = [PromiseOutcome::Passed(1500), PromiseOutcome::Failed];
        let table = table(vec![
            column("6.1", Ok("6.1.0"), &outcomes),
            column("5.10", Err("no suite offers it"), &[]),
        ]);
        assert_eq!(table.broken(), ["bytes::b on 6.1"]);
    }

    #[test]
    fn the_table_names_how_many_promises_a_kernel_ran() {
        let core = [PromiseOutcome::Passed(1500), PromiseOutcome::Elsewhere];
        let full = [PromiseOutcome::Passed(1500), PromiseOutcome::Passed(20)];
        let mut some = column("6.1", Ok("6.1.0"), &core);
        some.is_core = true;
        let table = table(vec![some, column("6.12", Ok("6.12.0"), &full)]);
        let text = table.render();
        assert!(text.contains("| promises | core: 1 of 2  | 2 of 2        |"), "{text}");
        assert_eq!(table.total(), (3, 0, 0));
        assert!(table.judge(true).is_ok());
    }

    #[test]
    fn a_promise_may_be_skipped_by_a_kernel_but_not_by_all() {
        let passed = [PromiseOutcome::Passed(1), PromiseOutcome::Passed(2)];
        let skipped = [PromiseOutcome::Passed(1), PromiseOutcome::Skipped];
        let (old, new) = (|| column("5.10", Ok("5.10.0"), &skipped), column("6.1", Ok("6.1.0"), &passed));
        assert!(table(vec![old(), new]).judge(true).is_ok());
        let refused = table(vec![old(), old()]).judge(true).expect_err("kept nowhere").to_string();
        assert_eq!(refused, "no kernel has what these promises are about: bytes::b");
        assert!(table(vec![old()]).judge(false).is_ok());
    }

    #[test]
    fn one_broken_promise_fails_all_and_so_does_none_tried() {
        let one = [PromiseOutcome::Passed(1), PromiseOutcome::Failed];
        assert!(table(vec![column("6.1", Ok("6.1.0"), &one)]).judge(false).is_err());
        assert!(table(vec![column("6.1", Err("gone"), &[])]).judge(false).is_err());
    }
}
