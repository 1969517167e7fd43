//! What holds for every encoding.

mod every;
pub(super) mod hostile;
pub(super) mod strict;
