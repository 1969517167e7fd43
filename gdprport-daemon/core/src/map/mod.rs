//! The data-flow map of a record: which programs of this host serve or call which services, and with whom.
//!
//! Belongs here: the graph (`model`, made by `build` of the `whole`, kept readable by `bound`), the order that crosses few lines
//! (`order`), where everything stands (`layout`) and how wide texts are (`fit`). How it is drawn is the layer `report`'s.
//!
//! Everything on it was observed. The same record gives the same map.

mod bound;
mod build;
mod fit;
mod layout;
mod model;
mod order;
#[cfg(test)]
mod tests;
mod whole;

pub use bound::{MOST_EDGES, MOST_PORTS, MOST_SOURCES};
pub use build::graph;
pub use fit::{fit, width_of};
pub use layout::{HEADING, Heading, Layout, Line, PAD, Rect, layout};
pub use model::{Edge, End, Graph, Kind, Link, Outcome, Port, Recipient, Source};
