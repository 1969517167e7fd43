//! A day, or any other row of numbers, as a line of blocks.

/// The heights of what is more than nothing, from the least.
const BLOCKS: [char; 7] = ['▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Nothing.
const ZERO: char = '▁';

/// Not known.
const UNKNOWN: char = '·';

/// One character a value, the highest of them as a full block; `None`: not known. Whatever is more than nothing is higher than
/// nothing.
#[must_use]
pub fn sparkline(values: &[Option<u64>]) -> String {
    let most = values.iter().flatten().copied().max().unwrap_or(0);
    let block = |value: &Option<u64>| match *value {
        None => UNKNOWN,
        Some(0) => ZERO,
        Some(value) => {
            // From 1 to as many as there are, rounded up.
            let height = (u128::from(value) * BLOCKS.len() as u128).div_ceil(u128::from(most.max(1)));
            let place = usize::try_from(height).unwrap_or(BLOCKS.len()).saturating_sub(1);
            BLOCKS.get(place).copied().unwrap_or('█')
        }
    };
    values.iter().map(block).collect()
}
