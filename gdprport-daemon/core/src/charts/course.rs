//! Values in the course of time: of one activity, or of several together.

use std::sync::Arc;

use super::axis::{Axis, Step};
use super::watching::{self, Unwatched};
use crate::records::{About, Activity, Records};

/// Activities that are shown one by one; the rest is one course.
const MOST: usize = 6;

/// What was seen and watched in one slot of the axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Bytes that this host sent.
    pub sent: u64,
    /// Bytes that it received.
    pub received: u64,
    /// Connections that no rule allows, by the day in which they stand.
    pub violations: u64,
    /// Seconds that were watched.
    pub watched_s: u64,
}

impl Point {
    /// Bytes both ways.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.sent.saturating_add(self.received)
    }
}

/// The course of one activity, or of the rest of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The activity; `None`: the rest.
    pub name: Option<Arc<str>>,
    /// How many activities it has.
    pub activities: usize,
    /// One for each slot of the axis.
    pub points: Vec<Point>,
    /// What was not watched: of several, what nobody watched.
    pub unwatched: Vec<Unwatched>,
}

impl Course {
    /// Of these activities.
    #[must_use]
    pub fn of(activities: &[&Activity], name: Option<Arc<str>>, axis: &Axis, about: &About) -> Self {
        let mut points = vec![Point::default(); axis.slots()];
        let mut add = |slot: usize, sent: u64, received: u64, violations: u64| {
            let Some(point) = points.get_mut(slot) else { return };
            point.sent = point.sent.saturating_add(sent);
            point.received = point.received.saturating_add(received);
            point.violations = point.violations.saturating_add(violations);
        };
        for activity in activities {
            let by_hour = axis.step() == Step::Hour;
            for day in &activity.timeline.days {
                let (sent, received) = if by_hour { (0, 0) } else { (day.volume.sent, day.volume.received) };
                add(axis.slot_of_day(day.day), sent, received, day.outcomes.violation);
            }
            for hour in activity.timeline.hours.iter().filter(|_| by_hour) {
                add(axis.slot(hour.hour), hour.sent, hour.received, 0);
            }
        }
        let hours = watching::watched(activities);
        for (hour, seconds) in &hours {
            let slot = jiff::Timestamp::from_second(*hour).map_or(0, |hour| axis.slot(hour));
            if let Some(point) = points.get_mut(slot) {
                let watched = point.watched_s.saturating_add(u64::try_from(*seconds).unwrap_or(0));
                point.watched_s = watched.min(axis.length_s(slot));
            }
        }
        let unwatched = watching::unwatched(axis, about, &hours);
        Self { name, activities: activities.len(), points, unwatched }
    }

    /// The sum of a value.
    #[must_use]
    pub fn sum(&self, value: fn(&Point) -> u64) -> u64 {
        self.points.iter().fold(0, |sum, point| sum.saturating_add(value(point)))
    }

    /// The first slot with the largest value, if that is anything.
    #[must_use]
    pub fn peak(&self, value: fn(&Point) -> u64) -> Option<(usize, u64)> {
        let largest = self.points.iter().map(value).max().filter(|largest| *largest > 0)?;
        self.points.iter().position(|point| value(point) == largest).map(|slot| (slot, largest))
    }
}

/// The courses of the activities of which this value is anything: those with the most of it first, and the rest as one.
#[must_use]
pub fn courses(records: &Records, axis: &Axis, of: &dyn Fn(&Activity) -> u64) -> Vec<Course> {
    let mut activities: Vec<&Activity> = records.all().filter(|activity| of(activity) > 0).collect();
    activities.sort_by_key(|activity| std::cmp::Reverse(of(activity)));
    let one_by_one = if activities.len() > MOST { MOST - 1 } else { activities.len() };
    let rest = activities.split_off(one_by_one);
    let course = |of: &[&Activity], name| Course::of(of, name, axis, &records.about);
    let mut courses: Vec<Course> =
        activities.iter().map(|activity| course(&[*activity], Some(Arc::clone(&activity.name)))).collect();
    if !rest.is_empty() {
        courses.push(course(&rest, None));
    }
    courses
}

/// The bytes of an activity both ways.
#[must_use]
pub fn volume(activity: &Activity) -> u64 {
    activity.seen.as_ref().map_or(0, |seen| seen.all.volume.bytes())
}

/// The violations of an activity.
#[must_use]
pub fn violations(activity: &Activity) -> u64 {
    activity.seen.as_ref().map_or(0, |seen| seen.outcomes.violation)
}
