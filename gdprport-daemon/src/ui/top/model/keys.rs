//! What the keys do.

use gdprport_core::top::{Filter, Row};
use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::input::Input;
use super::state::{Model, Pane, Place, Typing, View};

/// What has to be done besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui::top) enum Effect {
    Nothing,
    Quit,
    /// To the background, until the shell brings it back.
    Suspend,
    /// The whole screen is drawn again.
    Redraw,
    /// What is shown is written to a file.
    Save,
}

/// A key was pressed.
pub(in crate::ui::top) fn press(model: &mut Model, key: KeyEvent, now: Timestamp) -> Effect {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        match key.code {
            KeyCode::Char('c') => return Effect::Quit,
            KeyCode::Char('z') => return Effect::Suspend,
            KeyCode::Char('l') => return Effect::Redraw,
            KeyCode::Char('u' | 'w') if model.typing.is_some() => {}
            _ => return Effect::Nothing,
        }
    }
    if model.typing.is_some() {
        typed(model, key);
        return Effect::Nothing;
    }
    let lists = matches!(model.place().view, View::Overview(_) | View::Port(_));
    match key.code {
        KeyCode::Char('q') => return Effect::Quit,
        KeyCode::Char('s') => return Effect::Save,
        KeyCode::Char('/') if lists => {
            let before = model.filter_text.clone();
            model.typing = Some(Typing { input: Input::of(&before), error: None, before });
        }
        KeyCode::Char('p' | ' ') => {
            model.paused = match (model.paused, &model.picture) {
                (None, Some(picture)) => Some(picture.at),
                _ => None,
            };
        }
        KeyCode::Char('o') if lists => {
            model.sort = model.sort.next();
            model.reverse = false;
        }
        KeyCode::Char('O') if lists => model.reverse = !model.reverse,
        KeyCode::Char('c') => open(model, View::Coverage),
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => open(model, View::Help),
        KeyCode::Tab | KeyCode::BackTab => switch(model),
        KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => back(model, now),
        KeyCode::Enter | KeyCode::Right => enter(model),
        KeyCode::Up | KeyCode::Char('k') => go(model, Go::By(-1)),
        KeyCode::Down | KeyCode::Char('j') => go(model, Go::By(1)),
        KeyCode::PageUp => go(model, Go::Pages(-1)),
        KeyCode::PageDown => go(model, Go::Pages(1)),
        KeyCode::Home | KeyCode::Char('g') => go(model, Go::First),
        KeyCode::End | KeyCode::Char('G') => go(model, Go::Last),
        _ => {}
    }
    Effect::Nothing
}

/// A key while the filter is typed: what is right so far applies at once.
fn typed(model: &mut Model, key: KeyEvent) {
    let Some(typing) = &mut model.typing else { return };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('u') if control => typing.input.clear(),
        KeyCode::Char('w') if control => typing.input.remove_word(),
        KeyCode::Char(c) => typing.input.insert(c),
        KeyCode::Backspace => typing.input.backspace(),
        KeyCode::Delete => typing.input.delete(),
        KeyCode::Left => typing.input.go(-1),
        KeyCode::Right => typing.input.go(1),
        KeyCode::Home => typing.input.go(isize::MIN),
        KeyCode::End => typing.input.go(isize::MAX),
        KeyCode::Esc => {
            let before = std::mem::take(&mut typing.before);
            model.typing = None;
            // It was right once.
            if let Ok(filter) = before.parse() {
                (model.filter, model.filter_text) = (filter, before);
            }
            return;
        }
        KeyCode::Enter => {
            if typing.error.is_none() {
                model.typing = None;
            }
            return;
        }
        _ => return,
    }
    let text = typing.input.text();
    match text.parse() {
        Ok(filter) => {
            typing.error = None;
            (model.filter, model.filter_text) = (filter, text);
        }
        Err(error) => typing.error = Some(error),
    }
}

fn open(model: &mut Model, view: View) {
    if model.place().view == view {
        model.places.pop();
        return;
    }
    // One of them at a time.
    if matches!(model.place().view, View::Coverage | View::Help) {
        model.places.pop();
    }
    model.places.push(Place::of(view));
}

fn switch(model: &mut Model) {
    if let Some(Place { view: View::Overview(pane), .. }) = model.place_mut() {
        *pane = match pane {
            Pane::Ports => Pane::Groups,
            Pane::Groups => Pane::Ports,
        };
    }
}

/// One step back; on the first screen the filter goes.
fn back(model: &mut Model, now: Timestamp) {
    if model.places.len() > 1 {
        model.places.pop();
    } else if !model.filter.is_empty() {
        model.filter = Filter::default();
        model.filter_text.clear();
        model.say("the filter is gone; q quits".to_owned(), false, now);
    }
}

fn enter(model: &mut Model) {
    let next = match &model.place().view {
        View::Overview(Pane::Ports) => {
            let ports = model.ports();
            ports.get(model.selected_port(&ports)).map(|port| View::Port(port.name.clone()))
        }
        View::Overview(Pane::Groups) | View::Port(_) => {
            let rows = model.rows();
            rows.get(model.selected(&rows)).map(|row| View::Flow(Box::new(row.clone())))
        }
        View::Flow(_) | View::Coverage | View::Help => None,
    };
    if let Some(view) = next {
        model.places.push(Place::of(view));
    }
}

#[derive(Debug, Clone, Copy)]
enum Go {
    By(isize),
    Pages(isize),
    First,
    Last,
}

impl Go {
    /// From a place among so many.
    fn from(self, at: usize, page: usize, count: usize) -> usize {
        let page = isize::try_from(page.max(1)).unwrap_or(1);
        let to = match self {
            Self::By(by) => at.saturating_add_signed(by),
            Self::Pages(pages) => at.saturating_add_signed(pages.saturating_mul(page)),
            Self::First => 0,
            Self::Last => count,
        };
        to.min(count.saturating_sub(1))
    }
}

fn go(model: &mut Model, go: Go) {
    let page = model.page;
    match model.place().view {
        View::Overview(Pane::Ports) => {
            let ports = model.ports();
            let to = go.from(model.selected_port(&ports), page, ports.len());
            let name = ports.get(to).map(|port| port.name.clone());
            if let Some(place) = model.place_mut() {
                place.port = name;
            }
        }
        View::Overview(Pane::Groups) | View::Port(_) => {
            let rows = model.rows();
            let to = go.from(model.selected(&rows), page, rows.len());
            let key = rows.get(to).map(Row::key);
            if let Some(place) = model.place_mut() {
                (place.row, place.at) = (key, to);
            }
        }
        // How long the text is, is known when it is drawn.
        View::Flow(_) | View::Coverage | View::Help => {
            if let Some(place) = model.place_mut() {
                place.scroll = go.from(place.scroll, page, usize::from(u16::MAX));
            }
        }
    }
}
