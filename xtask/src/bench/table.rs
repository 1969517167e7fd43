//! Tables, for a terminal and for Markdown. Pure.

use std::fmt::Write as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Columns apart by spaces.
    Terminal,
    /// As documents have them.
    Markdown,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// An explanation below it.
    pub(crate) note: String,
}

impl Table {
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
            note: String::new(),
        }
    }

    /// As text that ends with an empty line.
    #[must_use]
    pub(crate) fn render(&self, style: Style) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let (left, between, right) = match style {
            Style::Terminal => ("  ", "  ", ""),
            Style::Markdown => ("| ", " | ", " |"),
        };
        let line = |row: &[String]| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            format!("{left}{}{right}", cells.join(between)).trim_end().to_owned()
        };
        let mut text = String::new();
        match style {
            Style::Terminal => writeln!(text, "{}", self.title.to_uppercase()),
            Style::Markdown => writeln!(text, "### {}\n", self.title),
        }
        .expect("a string takes everything");
        let _ = writeln!(text, "{}", line(&self.head));
        if style == Style::Markdown {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            let _ = writeln!(text, "|{}|", rule.join("|"));
        }
        for row in &self.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        if !self.note.is_empty() {
            let _ = writeln!(text, "\n{}", self.note);
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new("Ratios", &["what", "×"]);
        table.rows.push(vec!["a longer name".into(), "1.02".into()]);
        assert_eq!(
            table.render(Style::Markdown),
            "### Ratios\n\n| what          | ×    |\n|---------------|------|\n| a longer name | 1.02 |\n\n"
        );
        assert_eq!(table.render(Style::Terminal), "RATIOS\n  what           ×\n  a longer name  1.02\n\n");
    }
}
