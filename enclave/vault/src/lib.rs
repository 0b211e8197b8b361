//! One owner's vault: grants, operations, audit.
