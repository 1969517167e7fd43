//! stub
use std::path::PathBuf;
pub fn run(_dir: Option<PathBuf>, _keep: bool) -> anyhow::Result<()> {
    Ok(())
}
