//! The program in the image.

pub mod flow;
pub mod platform;
pub mod residency;
pub mod sandbox;
pub mod slot;
pub mod system;
pub mod zygote;
