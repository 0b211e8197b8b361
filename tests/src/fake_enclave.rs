//! An enclave that speaks nonsense, for a node that was told to find its enclave at a socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::link::sealing::FromEnclave as Say;
use vettid_wire::link::{self, FromEnclave, FromHost, Ready};
use vettid_wire::version;

use crate::noise::noise;

/// What one connection says, after the host's greeting.
pub type Script = Vec<u8>;

/// Enclaves one after another at one socket, each with its own nonsense.
pub struct FakeEnclave {
    served: Arc<AtomicUsize>,
}

impl FakeEnclave {
    /// Listens at `socket`; the first connection gets the first script, and so on. Behind the last
    /// one nobody answers.
    ///
    /// # Panics
    /// When the socket cannot be made.
    #[must_use]
    pub fn at(socket: &Path, scripts: Vec<Script>) -> Self {
        let _ = fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        thread::spawn(move || {
            for script in scripts {
                let Ok((mut stream, _)) = listener.accept() else {
                    return;
                };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                let mut greeting = [0; 4096];
                let _ = stream.read(&mut greeting);
                let _ = stream.write_all(&script);
                // Until the host has had enough.
                while matches!(stream.read(&mut greeting), Ok(1..)) {}
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { served }
    }

    /// Connections that the host has had enough of.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// A greeting that any host accepts.
#[must_use]
pub fn ready() -> FromEnclave {
    FromEnclave::Ready(Ready {
        version: version::LINK,
        node: NodeId([7; 32]),
        release: 1,
        measurement: [1; 144],
    })
}

/// Frames as they travel; an enclave that is ready has asked for other releases before.
///
/// # Panics
/// When one is too large.
#[must_use]
pub fn frames(frames: &[FromEnclave]) -> Script {
    let mut out = Vec::new();
    for frame in frames {
        if let FromEnclave::Ready(ready) = frame {
            let asks = FromEnclave::Sealing(Say::Others(ready.release));
            assert!(link::write(&asks, &mut out), "fits");
        }
        assert!(link::write(frame, &mut out), "fits");
    }
    out
}

/// One script for every way in which an enclave can misbehave.
#[must_use]
pub fn nonsense() -> Vec<(&'static str, Script)> {
    let space = SpaceId([5; 16]);
    let mut behind = frames(&[ready()]);
    behind.extend(noise(21, 1 << 20));
    let mut reflected = frames(&[ready()]);
    assert!(link::write(&FromHost::Ping(1), &mut reflected), "fits");
    let flood: Vec<FromEnclave> = std::iter::once(ready())
        .chain((0..5_000).map(|request| FromEnclave::ReadLog {
            request,
            space,
            from: 0,
        }))
        .collect();
    let old = FromEnclave::Ready(Ready {
        version: version::LINK + 1,
        node: NodeId([7; 32]),
        release: 1,
        measurement: [1; 144],
    });
    let envelope = vec![0xee; 100];
    vec![
        ("noise", noise(20, 1 << 20)),
        ("noise behind a greeting", behind),
        ("a claimed length of 4 GiB", u32::MAX.to_be_bytes().to_vec()),
        ("a claimed length of nothing", vec![0; 4]),
        ("no greeting", frames(&[FromEnclave::Opened { space }])),
        ("a greeting twice", frames(&[ready(), ready()])),
        ("another version", frames(&[old])),
        ("a frame of the host", reflected),
        ("a flood of questions", frames(&flood)),
        (
            "an envelope that is none",
            frames(&[
                ready(),
                FromEnclave::Frame {
                    space,
                    after: 0,
                    envelope,
                },
            ]),
        ),
    ]
}
