//! Where one is, what is selected, and the last that came.

use std::sync::Arc;

use gdprport_core::ledger::HourlyLedger;
use gdprport_core::top::{Ended, Filter, FilterError, Row, RowKey, Sort};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::history::History;
use super::input::Input;
use super::picture::{Meter, Picture, PortLine};
use super::update::{FlowAnswer, Update, Wanted, WantedFlow};
use crate::control::api::{FlowQuery, GroupQuery};

/// Groups that are asked for as a rule, and while a filter looks for some.
const LIMIT: usize = 1_000;
const FILTERED_LIMIT: usize = 5_000;

/// How long a message stands.
const MESSAGE: SignedDuration = SignedDuration::from_secs(6);

/// A part of the first screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui::top) enum Pane {
    Ports,
    Groups,
}

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui::top) enum View {
    /// Ports and groups.
    Overview(Pane),
    /// The groups of one port.
    Port(Arc<str>),
    /// One group, by the flow that stands for it.
    Flow(Box<Row>),
    /// What was seen and lost.
    Coverage,
    /// What the keys do.
    Help,
}

/// A view, with where one is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui::top) struct Place {
    pub view: View,
    /// The port that is selected; `None`: the first.
    pub port: Option<Arc<str>>,
    /// The row that is selected; `None`: the first.
    pub row: Option<RowKey>,
    /// The place of the row that is selected: where it goes on if it is gone.
    pub at: usize,
    /// Lines above the screen, of a text.
    pub scroll: usize,
}

impl Place {
    pub(super) const fn of(view: View) -> Self {
        Self { view, port: None, row: None, at: 0, scroll: 0 }
    }
}

/// A filter that is being typed.
#[derive(Debug, Clone)]
pub(in crate::ui::top) struct Typing {
    pub input: Input,
    pub error: Option<FilterError>,
    /// The text of the filter before.
    pub(super) before: String,
}

/// Everything.
#[derive(Debug)]
pub(in crate::ui::top) struct Model {
    /// The name of this host.
    pub host: String,
    /// In which times are shown.
    pub zone: TimeZone,
    pub picture: Option<Picture>,
    pub flow: Option<FlowAnswer>,
    pub history: Option<(RowKey, Result<Box<History>, String>)>,
    pub day: Option<Result<Box<HourlyLedger>, String>>,
    /// Since when nobody answers, and why.
    pub failure: Option<(Timestamp, String)>,
    /// Why events are not followed; `None`: they are, or not yet.
    pub unfollowed: Option<String>,
    /// Events that were missed.
    pub missed: u64,
    /// Since when nothing new is shown.
    pub paused: Option<Timestamp>,
    pub places: Vec<Place>,
    pub filter: Filter,
    pub filter_text: String,
    pub typing: Option<Typing>,
    pub sort: Sort,
    pub reverse: bool,
    /// What just happened, until when, and whether it went wrong.
    pub message: Option<(String, Timestamp, bool)>,
    pub(super) ended: Ended,
    meter: Meter,
    /// Lines of a page, as it was drawn last.
    pub page: usize,
}

impl Model {
    /// Nothing is known yet.
    pub(in crate::ui::top) fn new(host: String, zone: TimeZone, filter: Filter, filter_text: String) -> Self {
        Self {
            host,
            zone,
            picture: None,
            flow: None,
            history: None,
            day: None,
            failure: None,
            unfollowed: None,
            missed: 0,
            paused: None,
            places: vec![Place::of(View::Overview(Pane::Groups))],
            filter,
            filter_text,
            typing: None,
            sort: Sort::Verdict,
            reverse: false,
            message: None,
            ended: Ended::default(),
            meter: Meter::default(),
            page: 10,
        }
    }

    /// Takes what came back.
    pub(in crate::ui::top) fn take(&mut self, update: Update, now: Timestamp) {
        match update {
            Update::Answer(answer) => {
                self.failure = None;
                let picture = Picture::of(*answer, &mut self.meter, &self.ended);
                if self.paused.is_none() {
                    self.picture = Some(picture);
                }
            }
            Update::Flow(answer) => {
                let kept = self.flow.as_ref().is_some_and(|flow| flow.key == answer.key);
                // The last that is known of one that ended stays.
                if self.paused.is_none() && !(kept && answer.explained.flows.is_empty()) {
                    self.flow = Some(*answer);
                }
            }
            Update::Failed(why) => {
                let since = self.failure.as_ref().map_or(now, |(since, _)| *since);
                self.failure = Some((since, why));
            }
            Update::Events(events, missed) => {
                events.iter().for_each(|event| self.ended.event(event));
                self.missed = self.missed.saturating_add(missed);
            }
            Update::Following(following) => self.unfollowed = following.err(),
            Update::Day(day) => self.day = Some(day),
            Update::History(key, history) => self.history = Some((*key, history)),
        }
    }

    /// Time goes on.
    pub(in crate::ui::top) fn tick(&mut self, now: Timestamp) {
        if self.message.as_ref().is_some_and(|(_, until, _)| *until <= now) {
            self.message = None;
        }
    }

    /// Says what happened.
    pub(in crate::ui::top) fn say(&mut self, what: String, wrong: bool, now: Timestamp) {
        let until = now.checked_add(MESSAGE).unwrap_or(Timestamp::MAX);
        self.message = Some((what, until, wrong));
    }

    /// Where one is.
    pub(in crate::ui::top) fn place(&self) -> &Place {
        self.places.last().unwrap_or(&EMPTY)
    }

    pub(super) fn place_mut(&mut self) -> Option<&mut Place> {
        self.places.last_mut()
    }

    /// The ports in the order in which they are shown: those that are declared, and of these those with a violation first.
    pub(in crate::ui::top) fn ports(&self) -> Vec<&PortLine> {
        let mut ports: Vec<&PortLine> = self.picture.iter().flat_map(|picture| &picture.ports).collect();
        ports.sort_by_key(|port| (!port.declared, port.counters.violations_total == 0, port.numbers));
        ports
    }

    /// The rows of this view that are wanted, in their order.
    pub(in crate::ui::top) fn rows(&self) -> Vec<Row> {
        let of_port = match &self.place().view {
            View::Port(name) => Some(name),
            View::Overview(_) | View::Flow(_) | View::Coverage | View::Help => None,
        };
        let rows = self.picture.iter().flat_map(|picture| &picture.rows);
        let rows = rows.filter(|row| of_port.is_none_or(|name| row.group.port.name == *name));
        let mut rows: Vec<Row> = rows.filter(|row| self.filter.matches(*row)).cloned().collect();
        self.sort.order(&mut rows, self.reverse);
        rows
    }

    /// Which of these rows is selected.
    pub(in crate::ui::top) fn selected(&self, rows: &[Row]) -> usize {
        let place = self.place();
        let found = place.row.as_ref().and_then(|key| rows.iter().position(|row| row.key() == *key));
        // None was chosen: the first, whichever it is.
        let fallback = if place.row.is_none() { 0 } else { place.at };
        found.unwrap_or(fallback).min(rows.len().saturating_sub(1))
    }

    /// Which of these ports is selected.
    pub(in crate::ui::top) fn selected_port(&self, ports: &[&PortLine]) -> usize {
        let wanted = self.place().port.as_ref();
        wanted.and_then(|name| ports.iter().position(|port| port.name == *name)).unwrap_or(0)
    }

    /// Whether what is shown is not what there is now, and since when; with why nobody answers.
    pub(in crate::ui::top) fn stale(&self) -> Option<(Option<Timestamp>, &str)> {
        let (_, why) = self.failure.as_ref()?;
        Some((self.picture.as_ref().map(|picture| picture.at), why))
    }

    /// A group as it is now: another flow may stand for it than when it was opened.
    fn wanted_flow(&self, opened: &Row) -> WantedFlow {
        let key = opened.key();
        let now = self.picture.iter().flat_map(|picture| &picture.rows).find(|row| row.key() == key);
        let of = &now.unwrap_or(opened).group;
        WantedFlow { group: (of.flows > 0).then_some(of.id), sample: of.sample, key }
    }

    /// How far the text of this view is scrolled: at most so far.
    pub(in crate::ui::top) fn clamp_scroll(&mut self, most: usize) -> usize {
        let Some(place) = self.places.last_mut() else { return 0 };
        place.scroll = place.scroll.min(most);
        place.scroll
    }

    /// What has to be asked for.
    pub(in crate::ui::top) fn wanted(&self) -> Wanted {
        let limit = if self.filter.is_empty() { LIMIT } else { FILTERED_LIMIT };
        let port = self.places.iter().find_map(|place| match &place.view {
            View::Port(name) => Some(name.to_string()),
            _ => None,
        });
        let flow = self.places.iter().find_map(|place| match &place.view {
            View::Flow(row) => Some(self.wanted_flow(row)),
            _ => None,
        });
        let limit = limit.min(FlowQuery::MAX_LIMIT);
        Wanted { groups: GroupQuery { port, limit, ..GroupQuery::default() }, flow }
    }
}

/// Where one is when one is nowhere.
static EMPTY: Place = Place::of(View::Overview(Pane::Groups));
