//! Nodes behind address translation meet by the relay, and directly wherever the gates let them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use serde_json::Value;
use vettid_tests::nat::{Home, Lab, Nat, Public, inside};
use vettid_tests::wait;

const PEOPLE: [(&str, &str); 2] = [
    ("428197", "seven brass otters sing"),
    ("530416", "nine paper herons walk"),
];

/// Two nodes behind these gates come to be connected in this way, and stay so while their owners
/// meet and talk.
fn meet(nats: [Nat; 2], path: &str) {
    let lab = Lab::between(nats);
    let public = Public::founded(&lab);
    let homes = public.homes();
    for home in &homes {
        home.wait_for(path);
    }

    talk(&homes);

    for home in &homes {
        assert_eq!(home.path().as_deref(), Some(path));
    }
    if !nats.contains(&Nat::Full) {
        assert!(public.circuits() > 0, "there is no other way to begin");
    }
}

/// Gates that keep each other out at first: the nodes meet at the relay, and go on directly once they may.
fn meet_later() {
    let lab = Lab::between([Nat::Full, Nat::Symmetric]);
    lab.part();
    let public = Public::founded(&lab);
    let homes = public.homes();
    for home in &homes {
        home.wait_for("relayed");
    }
    wait::until("the first tries are given up", || {
        let failed: f64 = homes.iter().map(Home::failed_punches).sum();
        (failed > 0.0).then_some(())
    });

    lab.join();

    for home in &homes {
        home.wait_for("direct");
    }
}

/// Owners enroll, meet, approve and say something each.
fn talk([ada, ben]: &[Home<'_>; 2]) {
    for (home, (pin, password)) in [ada, ben].into_iter().zip(PEOPLE) {
        home.enroll(pin, password);
    }
    let link = ada.ask(&["invitation", "create", "--field", "name=Ada"], &[]);
    let link = link["link"].as_str().expect("a link");
    ben.ask(&["invitation", "accept", "--field", "name=Ben"], &[link]);
    let (at_ada, at_ben) = (connection(ada, "pending"), connection(ben, "pending"));
    ada.ask(&["connection", "approve", &at_ada], &[]);
    ben.ask(&["connection", "approve", &at_ben], &[]);
    connection(ada, "active");
    connection(ben, "active");

    ada.ask(&["message", "send", &at_ada], &["are you there?"]);
    arrives(ben, &at_ben, "are you there?");
    ben.ask(&["message", "send", &at_ben], &["I am"]);
    arrives(ada, &at_ada, "I am");
}

/// Waits until the only connection is in this state; its id.
fn connection(home: &Home<'_>, state: &str) -> String {
    wait::until("the connection comes so far", || {
        let listed = home.ask(&["connection", "list"], &[]);
        let found = &listed["connections"][0];
        (found["state"] == state).then(|| found["id"].as_str().expect("an id").to_owned())
    })
}

fn arrives(home: &Home<'_>, connection: &str, text: &str) {
    wait::until("what was said arrives", || {
        let listed = home.ask(&["message", "list", connection], &[]);
        let messages = listed["messages"].as_array().expect("a list");
        let is_it = |message: &Value| message["text"] == text;
        messages.iter().any(is_it).then_some(())
    });
}

#[test]
fn full_cones_let_each_other_through() {
    inside("full_cones_let_each_other_through", || {
        meet([Nat::Full, Nat::Full], "direct");
    });
}

#[test]
fn full_cone_lets_a_port_restricted_one_through() {
    inside("full_cone_lets_a_port_restricted_one_through", || {
        meet([Nat::Full, Nat::Restricted], "direct");
    });
}

#[test]
fn full_cone_lets_a_symmetric_one_through() {
    inside("full_cone_lets_a_symmetric_one_through", || {
        meet([Nat::Full, Nat::Symmetric], "direct");
    });
}

#[test]
fn port_restricted_ones_are_got_through_from_both_sides_at_once() {
    inside(
        "port_restricted_ones_are_got_through_from_both_sides_at_once",
        || meet([Nat::Restricted, Nat::Restricted], "direct"),
    );
}

#[test]
fn gates_that_open_later_are_got_through_then() {
    inside("gates_that_open_later_are_got_through_then", meet_later);
}

#[test]
fn relay_serves_where_one_side_is_symmetric_and_the_other_restricted() {
    inside(
        "relay_serves_where_one_side_is_symmetric_and_the_other_restricted",
        || meet([Nat::Restricted, Nat::Symmetric], "relayed"),
    );
}

#[test]
fn relay_serves_between_symmetric_ones() {
    inside("relay_serves_between_symmetric_ones", || {
        meet([Nat::Symmetric, Nat::Symmetric], "relayed");
    });
}
