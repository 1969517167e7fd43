//! The library behind the one binary, `gdprport`. Layers and what each may use: `ARCHITECTURE.md`.

pub mod app;
pub mod control;
pub mod host;
pub mod sink;
pub mod ui;
