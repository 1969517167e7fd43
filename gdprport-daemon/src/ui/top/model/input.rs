//! A line that is typed: the filter.

/// A line with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ui::top) struct Input {
    chars: Vec<char>,
    cursor: usize,
}

/// Characters of a line; more are not taken.
const MOST: usize = 200;

impl Input {
    /// A line with the cursor at its end.
    pub(in crate::ui::top) fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().take(MOST).collect();
        Self { cursor: chars.len(), chars }
    }

    /// What stands there.
    pub(in crate::ui::top) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// Characters before the cursor.
    pub(in crate::ui::top) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(in crate::ui::top) fn insert(&mut self, c: char) {
        if self.chars.len() < MOST && !c.is_control() {
            self.chars.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    pub(in crate::ui::top) fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.chars.remove(self.cursor);
        }
    }

    pub(in crate::ui::top) fn delete(&mut self) {
        if self.cursor < self.chars.len() {
            self.chars.remove(self.cursor);
        }
    }

    /// Moves the cursor, at most to an end.
    pub(in crate::ui::top) fn go(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.chars.len());
    }

    /// Removes all before the cursor.
    pub(in crate::ui::top) fn clear(&mut self) {
        self.chars.drain(..self.cursor);
        self.cursor = 0;
    }

    /// Removes the word before the cursor.
    pub(in crate::ui::top) fn remove_word(&mut self) {
        let before = &self.chars[..self.cursor];
        let end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        let begin = before[..end].iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1);
        self.chars.drain(begin..self.cursor);
        self.cursor = begin;
    }
}
