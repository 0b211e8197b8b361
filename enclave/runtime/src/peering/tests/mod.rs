//! Two enclaves' sessions against each other in memory, and everything that may be between them.

mod admission;
mod attacks;
mod fixture;
mod lifetime;
