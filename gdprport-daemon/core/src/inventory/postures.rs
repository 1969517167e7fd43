//! Postures with their number, as one object each.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ledger::PostureKey;

#[derive(Serialize, Deserialize)]
struct Counted {
    #[serde(flatten)]
    posture: PostureKey,
    connections: u64,
}

pub(super) fn serialize<S: Serializer>(list: &[(PostureKey, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(
        list.iter()
            .map(|(posture, connections)| Counted { posture: posture.clone(), connections: *connections }),
    )
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(PostureKey, u64)>, D::Error> {
    let list = Vec::<Counted>::deserialize(from)?;
    Ok(list.into_iter().map(|counted| (counted.posture, counted.connections)).collect())
}
