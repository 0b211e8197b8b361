//! Appraise a node, open a session, call operations.
