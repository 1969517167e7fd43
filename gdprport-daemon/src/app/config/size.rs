//! How many bytes something may have, as it is written.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, de};

/// A size in binary units, such as `256MiB`, within these bounds.
pub(super) fn size<'de, D: Deserializer<'de>>(
    deserializer: D,
    bounds: RangeInclusive<u64>,
) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim() {
        "KiB" => 1_u64 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            return Err(de::Error::custom(format!(
                "`{text}` is no size: write it as \"256MiB\" or \"2GiB\""
            )));
        }
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| bounds.contains(bytes)).ok_or_else(|| {
        let (least, most) = (bounds.start() >> 20, bounds.end() >> 30);
        de::Error::custom(format!("must be from {least}MiB to {most}GiB"))
    })
}
