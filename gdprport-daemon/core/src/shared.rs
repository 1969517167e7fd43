//! Values that many flows and events share, and that caches find by their identity.
//!
//! The contract:
//! - Clones are identical, and identical values are equal. Equal values need not be identical: whoever makes a value
//!   shares it where that pays, and nothing but cost depends on it.
//! - A shared value never changes, so that whatever was derived from it stays right.
//! - A cache that finds by identity holds a clone of every value that it knows. Otherwise the value could be dropped and
//!   another one take its address.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A shared value. In JSON it is the value.
#[derive(Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// A value that is identical to no other.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// True if both are clones of one value.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where the value is: the same for identical values, and for no others as long as a clone is held.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Eq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: JsonSchema> JsonSchema for Shared<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Posture;

    #[test]
    fn clones_are_identical_and_equal_values_need_not_be() {
        let one = Shared::new("x".to_owned());
        let equal = Shared::new("x".to_owned());
        assert!(one.same(&one.clone()) && one.address() == one.clone().address());
        assert!(!one.same(&equal) && one.address() != equal.address());
        assert_eq!(one, equal);
        assert_ne!(one, Shared::new("y".to_owned()));
    }

    #[test]
    fn json_shows_the_value_alone() {
        let shared: Shared<Vec<u8>> = serde_json::from_str("[1]").expect("a list");
        assert_eq!(serde_json::to_string(&shared).expect("a list"), "[1]");
        let generator = SchemaGenerator::default;
        let schema = generator().into_root_schema_for::<Option<Shared<Posture>>>();
        assert_eq!(schema, generator().into_root_schema_for::<Option<Posture>>());
    }
}
