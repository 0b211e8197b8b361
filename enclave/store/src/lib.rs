//! One vault's SQLite in memory, its changesets and snapshots.
