//! The table kernel × promise, and the line that counts.

use std::time::Duration;

use anyhow::{Result, bail};

use super::kernel::Kernel;
use super::machine::{Ended, Status, retries};
use super::promises::{Outcome, Promise, Reading};
use crate::step::{note, short};

/// What came of one kernel.
#[derive(Debug)]
pub struct Column {
    series: String,
    /// The release, or why it was skipped.
    kernel: Result<String, String>,
    outcomes: Vec<Outcome>,
    /// How often it was started.
    pub boots: u32,
    /// From the start of the machine to its end.
    pub time: Duration,
}

impl Column {
    /// A kernel that is to be run.
    #[must_use]
    pub fn of(kernel: &Kernel) -> Self {
        Self {
            series: kernel.series.clone(),
            kernel: Ok(kernel.release.clone()),
            outcomes: Vec::new(),
            boots: 0,
            time: Duration::ZERO,
        }
    }

    /// A kernel that cannot be had.
    #[must_use]
    pub fn skipped(series: &str, why: &str) -> Self {
        Self {
            series: series.to_owned(),
            kernel: Err(why.lines().next().unwrap_or_default().to_owned()),
            outcomes: Vec::new(),
            boots: 0,
            time: Duration::ZERO,
        }
    }

    /// Takes in what its machine has answered.
    pub fn read(&mut self, promises: &[Promise], reading: &Reading) {
        self.outcomes = promises.iter().map(|promise| reading.of(promise)).collect();
    }

    /// Tells of a machine that did not end as it should.
    pub fn note(&self, ended: &Ended) {
        if !matches!(ended.status, Status::Exited(_)) {
            note(format_args!("{}: {}", self.series, ended.status));
        }
    }

    /// In one line.
    #[must_use]
    pub fn outcome(&self) -> String {
        let (passed, failed, skipped) = self.count(self.outcomes.len());
        format!("{passed} passed, {failed} failed, {skipped} skipped{}", retries(self.boots))
    }

    /// Passed, failed and skipped of so many promises.
    fn count(&self, promises: usize) -> (usize, usize, usize) {
        if self.kernel.is_err() {
            return (0, 0, promises);
        }
        let count = |is: fn(&Outcome) -> bool| self.outcomes.iter().filter(|outcome| is(outcome)).count();
        (
            count(|outcome| matches!(outcome, Outcome::Passed(_))),
            count(|outcome| matches!(outcome, Outcome::Failed)),
            count(|outcome| matches!(outcome, Outcome::Skipped)),
        )
    }

    fn cell(&self, row: usize) -> String {
        match (&self.kernel, self.outcomes.get(row)) {
            (Err(_), _) | (_, Some(Outcome::Skipped)) => "skipped".to_owned(),
            (_, Some(Outcome::Passed(time))) => format!("passed {}", short(Duration::from_millis(*time))),
            (_, Some(Outcome::Failed) | None) => "FAILED".to_owned(),
        }
    }

    fn head(&self) -> [String; 3] {
        match &self.kernel {
            Ok(release) => [
                self.series.clone(),
                release.split("-cloud").next().unwrap_or(release).to_owned(),
                format!("{}{}", short(self.time), retries(self.boots)),
            ],
            Err(_) => [self.series.clone(), "not to be had".to_owned(), String::new()],
        }
    }
}

/// What came of all.
#[derive(Debug)]
pub struct Table {
    promises: Vec<String>,
    columns: Vec<Column>,
}

impl Table {
    /// An empty one.
    #[must_use]
    pub fn new(promises: &[Promise]) -> Self {
        Self { promises: promises.iter().map(Promise::name).collect(), columns: Vec::new() }
    }

    /// Adds a kernel.
    pub fn push(&mut self, column: Column) {
        self.columns.push(column);
    }

    /// Shows all, and the count at the end.
    pub fn print(&self) {
        print!("{}", self.render());
        for column in &self.columns {
            if let Err(why) = &column.kernel {
                println!("skipped: kernel {}: {why}", column.series);
            }
        }
        let (passed, failed, skipped) = self.total();
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }

    /// In Markdown, aligned, so that it reads well in a terminal and can be put into a document.
    fn render(&self) -> String {
        let heads: Vec<[String; 3]> = self.columns.iter().map(Column::head).collect();
        let head = |title: &str, line: usize| {
            let mut cells = vec![title.to_owned()];
            cells.extend(heads.iter().map(|head| head[line].clone()));
            cells
        };
        let mut rows = vec![head("promise", 0), head("Linux", 1), head("in all", 2)];
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

    /// Whether all is well; in CI a skip is not.
    ///
    /// # Errors
    /// A promise was broken, nothing was kept, or, in CI, something was skipped.
    pub fn judge(&self, ci: bool) -> Result<()> {
        let (passed, failed, skipped) = self.total();
        if failed > 0 {
            bail!("{failed} promises are broken on these kernels");
        }
        if passed == 0 {
            bail!("no promise was tried");
        }
        if ci && skipped > 0 {
            bail!("{skipped} promises were skipped, and CI accepts no skip");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(series: &str, kernel: Result<&str, &str>, outcomes: &[Outcome]) -> Column {
        Column {
            series: series.to_owned(),
            kernel: kernel.map(str::to_owned).map_err(str::to_owned),
            outcomes: outcomes.to_vec(),
            boots: 2,
            time: Duration::from_secs(90),
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table { promises: vec!["bytes::a".to_owned(), "bytes::b".to_owned()], columns }
    }

    #[test]
    fn a_kernel_that_is_not_to_be_had_is_skipped_and_never_passed() {
        let passed = [Outcome::Passed(1500), Outcome::Passed(20)];
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
    fn one_broken_promise_fails_all_and_so_does_none_tried() {
        let one = [Outcome::Passed(1), Outcome::Failed];
        assert!(table(vec![column("6.1", Ok("6.1.0"), &one)]).judge(false).is_err());
        assert!(table(vec![column("6.1", Err("gone"), &[])]).judge(false).is_err());
    }
}
