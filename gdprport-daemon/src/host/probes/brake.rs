//! The emergency brake: nothing is denied any more, whichever daemon has loaded the programs and whether it lives.
//!
//! It needs the kernel and nothing else: no daemon, no pins, no file system. The maps are found by their name among all that are
//! loaded, which takes `CAP_SYS_ADMIN`.

use aya::maps::{Array, Map, MapData, MapError, MapType, loaded_maps};

use gdprport_common::EnforceInForce;

use super::enforce::ACTIVE;
use super::error::{LoadError, map_error};

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// Kernel sides that are loaded.
    pub(crate) loaded: usize,
    /// Those of them that decided connects until now.
    pub(crate) deciding: usize,
}

/// Lets every connect pass from now on. All kernel sides are released, also if one cannot be.
///
/// # Errors
/// If the kernel refuses to list or to change the maps: the first error.
pub(crate) fn release() -> Result<Released, LoadError> {
    let mut released = Released::default();
    let mut failed = None;
    for info in loaded_maps() {
        match info
            .and_then(|info| if is_active(&info)? { release_one(info.id()).map(Some) } else { Ok(None) })
        {
            Ok(Some(decided)) => {
                released.loaded += 1;
                released.deciding += usize::from(decided);
            }
            Ok(None) => {}
            // Another program's, which has ended meanwhile.
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => failed = failed.or(Some(map_error(ACTIVE, &error))),
        }
    }
    failed.map_or(Ok(released), Err)
}

/// Whether it is the map of a kernel side of this program that names the generation in force.
fn is_active(info: &aya::maps::MapInfo) -> Result<bool, MapError> {
    let is_named = info.name() == ACTIVE.as_bytes();
    Ok(is_named
        && info.map_type()? == MapType::Array
        && info.key_size() == 4
        && info.value_size() == size_of::<EnforceInForce>() as u32)
}

fn release_one(id: u32) -> Result<bool, MapError> {
    let mut active: Array<MapData, EnforceInForce> = Array::try_from(Map::Array(MapData::from_id(id)?))?;
    let decided = active.get(&0, 0)? != EnforceInForce::default();
    active.set(0, EnforceInForce::default(), 0)?;
    Ok(decided)
}
