//! The courier against a scripted host, scripted vault processes and scripted peers.

mod claims;
mod fixture;
mod held;
mod inbound;
mod mailbox;
mod outbound;
mod shares;
