//! Behavior of the parts together: log, restore, tables, search.

mod bounds;
mod disk;
mod joint;
mod log;
mod model;
mod others;
mod restore;
mod rows;
mod schema;
mod search;
mod size;
