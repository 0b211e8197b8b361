//! Behavior of the parts together: log, restore, tables, search.

mod disk;
mod joint;
mod log;
mod model;
mod restore;
mod rows;
mod schema;
mod search;
mod size;
