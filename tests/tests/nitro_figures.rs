//! What booting and the way through vsock cost under emulation. Printed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::time::{Duration, Instant};

use vettid_tests::booted::Network;
use vettid_tests::machine::{LINK, Machine, image};
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;

const BOOTS: usize = 11;
const REQUESTS: usize = 101;

#[test]
#[ignore = "a measurement; meaningful on an idle machine only"]
fn time_from_power_to_heartbeat_and_to_the_open_link() {
    let path = image("vettid-enclave.eif");
    let (mut hearts, mut links) = (Vec::new(), Vec::new());
    for _ in 0..BOOTS {
        let machine = Machine::boot(&path);
        hearts.push(machine.heartbeat());
        drop(machine.dial(LINK));
        links.push(machine.age());
    }

    println!(
        "of {BOOTS} boots: heartbeat {}; link {}",
        told(hearts),
        told(links)
    );
}

#[test]
#[ignore = "a measurement; meaningful on an idle machine only"]
fn a_request_to_a_booted_image_and_to_an_enclave_on_the_host() {
    let network = Network::of_image();
    let home = network.first();
    let mut inside = Owner::enrolled(&home.node);
    let node = Node::started();
    let mut outside = Owner::enrolled(&node);

    println!(
        "vault.status: image {}; host {}",
        told(statuses(&mut inside)),
        told(statuses(&mut outside))
    );
    println!("supervisor: {} bytes", home.supervisor_memory());
}

fn statuses(owner: &mut Owner) -> Vec<Duration> {
    let one = |_| {
        let since = Instant::now();
        owner.status().expect("a status");
        since.elapsed()
    };
    (0..REQUESTS).map(one).collect()
}

fn told(mut times: Vec<Duration>) -> String {
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    format!("median {median:?}, most {most:?}")
}
