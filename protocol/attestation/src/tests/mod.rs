//! What is accepted, and one test for each way in which evidence can be wrong.

mod chain;
mod claims;
mod decision;
mod emulated;
mod fixture;
mod form;
mod memory;
mod policy;
mod random;
mod real;
