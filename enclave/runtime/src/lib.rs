//! The program in the image: supervisor, zygote and vault processes.

pub mod boot;
pub mod evidence;
pub mod flow;
pub mod heads;
pub mod host_link;
pub mod kdf_queue;
pub mod lane;
pub mod launch;
pub mod log_line;
pub mod memory;
pub mod owner_vault;
pub mod platform;
pub mod residency;
pub mod sandbox;
pub mod slot;
pub mod supervisor;
mod system;
pub mod vault_exit;
pub mod vault_process;
pub mod zygote;
