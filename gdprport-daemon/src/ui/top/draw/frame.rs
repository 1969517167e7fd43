//! Lines on the screen, one below the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// A part of the screen that is filled from above.
pub(super) struct Page<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    next: u16,
}

impl<'a> Page<'a> {
    pub(super) const fn new(buffer: &'a mut Buffer, area: Rect) -> Self {
        Self { buffer, area, next: 0 }
    }

    /// Lines that still fit.
    pub(super) fn room(&self) -> usize {
        usize::from(self.area.height.saturating_sub(self.next))
    }

    /// Columns.
    pub(super) fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    /// Draws a line; what does not fit is cut off.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        if self.room() > 0 {
            let y = self.area.y + self.next;
            self.buffer.set_line(self.area.x, y, line, self.area.width);
            self.next += 1;
        }
    }

    /// The same in another style, over the whole width.
    pub(super) fn styled(&mut self, line: &Line<'_>, style: Style) {
        let y = self.area.y + self.next;
        if self.room() > 0 {
            self.line(line);
            self.buffer.set_style(Rect { y, height: 1, ..self.area }, style);
        }
    }

    /// Leaves a line empty.
    pub(super) fn skip(&mut self) {
        self.next = self.next.saturating_add(1).min(self.area.height);
    }
}

/// The first of so many items that is shown, so that the selected one is: `heights` in lines, `room` of them.
pub(super) fn first_shown(heights: &[usize], selected: usize, room: usize) -> usize {
    let mut taken = heights.get(selected).copied().unwrap_or(0);
    let mut first = selected.min(heights.len());
    while first > 0 {
        let more = heights[first - 1];
        if taken + more > room {
            break;
        }
        taken += more;
        first -= 1;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_is_shown_and_as_much_as_fits_before_it() {
        assert_eq!(first_shown(&[1, 1, 1, 1], 0, 2), 0);
        assert_eq!(first_shown(&[1, 1, 1, 1], 1, 2), 0);
        assert_eq!(first_shown(&[1, 1, 1, 1], 3, 2), 2);
        assert_eq!(first_shown(&[2, 2, 1, 1], 2, 3), 1);
        assert_eq!(first_shown(&[2, 2, 2], 2, 1), 2, "though it does not fit");
        assert_eq!(first_shown(&[], 0, 5), 0);
    }
}
