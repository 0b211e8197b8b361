//! Scenarios over real processes and over a seeded in-memory node.
