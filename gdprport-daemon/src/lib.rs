//! The library behind the one binary, `gdprport`. Layers and what each may use: `ARCHITECTURE.md`.

pub mod core;
pub mod out;
pub mod ui;
