//! A host that sets the clock: no wait gets shorter, no time runs back, nothing is locked out.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::items::put;
use vettid_tests::memory::MemoryVault;
use vettid_tests::owner::PIN;
use vettid_tests::raw::Fault;
use vettid_wire::operation::audit;
use vettid_wire::refusal::Code;

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

/// Seconds that the vault asks to wait.
fn wait(vault: &mut MemoryVault) -> Option<u64> {
    match vault.unlock(PIN) {
        Err(Fault::Refused(refusal)) if refusal.code == Code::Wait => refusal.retry_after,
        Ok(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Times in the audit chain, in its order.
fn times(vault: &mut MemoryVault) -> Vec<u64> {
    let query = audit::Query {
        after: 0,
        operation: None,
        limit: None,
    };
    let events = vault.call(&query).expect("events").events;
    events.iter().map(|event| event.body.at.0).collect()
}

#[test]
fn clock_that_jumps_back_shortens_no_wait_and_makes_none_longer() {
    let mut vault = MemoryVault::enrolled(1);
    vault.reopen();
    for _ in 0..3 {
        assert_eq!(
            vault.unlock("000000").expect_err("wrong").code(),
            Some(Code::WrongPin)
        );
    }
    assert_eq!(wait(&mut vault), Some(30));
    for back in [HOUR, 24 * HOUR, YEAR] {
        vault.clock.turn(-back);
        vault.reopen();
        let seconds = wait(&mut vault).expect("still waiting");
        assert!(
            (1..=30).contains(&seconds),
            "{seconds} s after a jump of {back} ms"
        );
    }

    vault.clock.turn(31_000);
    assert_eq!(wait(&mut vault), None, "time that really passes counts");
}

#[test]
fn clock_that_jumps_ahead_and_back_never_runs_back_in_the_vault() {
    let mut vault = MemoryVault::enrolled(2);
    vault.call(&put("today", "x")).expect("kept");
    for jump in [HOUR, -2 * HOUR, YEAR, -YEAR, -24 * HOUR] {
        vault.clock.turn(jump);
        vault.reopen();
        vault.unlock(PIN).expect("the right PIN");
        vault.call(&put("then", "x")).expect("kept");
    }

    let times = times(&mut vault);
    assert!(times.is_sorted(), "{times:?}");
    let verdict = vault.call(&audit::Verify {}).expect("verified");
    assert_eq!(verdict.broken_at, None);
}

#[test]
fn same_seed_gives_the_same_vault() {
    let id = |seed| {
        MemoryVault::enrolled(seed)
            .unlock(PIN)
            .expect("the right PIN")
            .vault
    };

    assert_eq!(id(7), id(7));
    assert_ne!(id(7), id(8));
}
