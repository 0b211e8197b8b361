//! Enclave image files (EIF): how one is put together, taken apart and measured.
//!
//! ```text
//! header (548 bytes): ".eif", version, offset and size of each section, CRC-32
//! sections (12-byte head each): kernel · command line · metadata · ramdisk · ramdisk …
//! ```
//!
//! | register | measures |
//! |---|---|
//! | PCR0 | kernel, command line, all ramdisks |
//! | PCR1 | kernel, command line, first ramdisk |
//! | PCR2 | ramdisks from the second on |
//!
//! The same parts give the same bytes everywhere: [`cpio`] and [`gzip`] write neither times nor
//! owners nor anything of the machine they run on. Metadata and signature are in the file and in
//! none of these registers.
//!
//! What a file measures says nothing about what is in it: whoever wants to know builds it anew.

pub mod cpio;
mod crc;
pub mod gzip;
mod image;
mod measure;
#[cfg(test)]
mod tests;

pub use image::{Image, ImageError, MAX_IMAGE};
pub use measure::Registers;
