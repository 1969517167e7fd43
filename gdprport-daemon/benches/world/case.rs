//! What a case of the benches is.

/// Something to measure, item by item.
pub(crate) struct Case {
    /// Its name, in baselines too.
    pub name: &'static str,
    /// Sets up, and gives what treats the item with this number.
    pub make: fn() -> Item,
}

/// Treats the item with this number; numbers come in order.
pub(crate) type Item = Box<dyn FnMut(u64)>;
