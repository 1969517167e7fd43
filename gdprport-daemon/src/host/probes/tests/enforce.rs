//! What the kernel side makes of real connects by the tables of a policy, compared with the interpreter of the same tables.

mod arriving;
mod attempt;
mod binding;
mod decided;
mod kept;
mod lost;
mod many;
mod programs;
mod reported;
mod scene;
