//! Every figure that needs no Prosody comes out; what it says with so few repetitions means nothing.
#![allow(clippy::expect_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::Command;

/// A test for each figure, of its name.
macro_rules! come_out {
    ($($figure:ident)*) => {
        $(
            #[test]
            fn $figure() {
                comes_out(stringify!($figure));
            }
        )*
    };
}

come_out! {
    admission_over_connection
    durable_write_throughput
    evidence_cold_over_noise
    gossip_copies_per_node
    gossip_p99_over_hop
    idle_peer_kib
    idle_reservation_kib
    idle_vault_uss_mib
    link_throughput
    log_bytes_per_kib_put
    mls_over_aead
    read_latency_p50
    read_throughput
    session_cached_over_noise
    unlock_over_read_decrypt
    vault_open_over_fork_exec
}

fn comes_out(figure: &str) {
    let bench = Path::new(env!("CARGO_BIN_EXE_vettid-bench"));
    let mut command = Command::new(bench);
    command.args(["--json", "--smoke", "--only", figure]);
    if std::env::var_os("VETTID_BINARIES").is_none() {
        command.env("VETTID_BINARIES", bench.parent().expect("a folder"));
    }

    let output = command.output().expect("ran");

    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(told.contains(figure), "{told}");
}
