//! The evidence log: a transparency log of what was emitted, whose entries can be erased while its proofs stand.
//!
//! Belongs here: hashes, trees, tiles, bundles, entries, keys, notes, checkpoints, proofs, and what a verifier decides. Does not
//! belong here: files (`sink::evidence` writes them), randomness and the clock, which are arguments.
//!
//! What holds:
//!
//! - **A leaf is salted.** Hashes and checkpoints say nothing of what an entry was once its bundle is gone.
//! - **Only appended.** A tree of `n` entries is the beginning of every later one.
//! - **Erased is declared.** An entry that is not there and that no later entry declares erased is missing.

mod bundle;
mod checkpoint;
mod entry;
mod erased;
mod export;
mod hash;
mod kept;
mod key;
mod line;
mod note;
mod own;
mod proof;
mod rotation;
mod seal;
mod stamp;
mod tile;
mod tree;
mod verify;

pub use bundle::{Entries, Torn};
pub use checkpoint::{Checkpoint, CheckpointError, Facts, Reason, Sums};
pub use entry::{CONTENT_BYTES_MAX, ENTRY_BYTES_MAX, Entry, Kind, SALT_BYTES, Salt, append};
pub use erased::{Erased, ErasedRange, WORDS_BYTES_MAX, cut};
pub use export::{Anchor, EXPORT, ExportHead, ExportLine, ExportVerified, Included, verify_export};
pub use hash::Hash;
pub use kept::{is_notes, notes_in};
pub use key::{KeyError, KeyName, PublicKey, SecretKey};
pub use line::{LineHead, id_of};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, Unsigned, divided, is_torn};
pub use own::{Before, FORMAT_VERSION, Found, Own, PolicyFile, time_of};
pub use proof::{
    Hashes, Head, beside_range, consistency, extends, includes, inclusion, root, root_of_range, tree,
};
pub use rotation::{Keys, Rotation, RotationError};
pub use seal::{Seal, SealError};
pub use stamp::{
    ANSWER_BYTES_MAX, Authorities, AuthoritiesError, CLOCK_TOLERANCE, Stamp, StampError, StampRequest,
    answered, stamped,
};
pub use tile::{Content, HEIGHT, Tile, WIDTH};
pub use tree::{Kept, Tree};
pub use verify::{
    Away, Block, Elsewhere, Finding, Findings, LatestStamp, Log, Stamps, Stopped, Text, Verified, What,
    verify,
};
