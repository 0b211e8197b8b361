//! An enclave that a test plays, frame by frame.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::link::sealing::{FromEnclave as Say, ToEnclave};
use vettid_wire::link::{self, Entry, FromEnclave, FromHost, Hello, Pong, Ready};
use vettid_wire::version;

/// Where the node will look for it.
pub(crate) struct Listening(UnixListener);

impl Listening {
    pub(crate) fn at(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self(UnixListener::bind(path).expect("bound"))
    }

    /// Takes the node's next connection and greets.
    pub(crate) async fn accept(&self) -> Enclave {
        self.accept_as(NodeId([5; 32])).await.0
    }

    /// Takes the node's next connection and greets as `node`; what the node said first.
    pub(crate) async fn accept_as(&self, node: NodeId) -> (Enclave, Hello) {
        let (mut enclave, hello) = self.accept_greeted().await;
        enclave.ready(node).await;
        (enclave, hello)
    }

    /// Takes the node's next connection and does not answer its greeting yet; what that was.
    pub(crate) async fn accept_greeted(&self) -> (Enclave, Hello) {
        let mut enclave = self.accept_raw().await;
        let Some(FromHost::Hello(hello)) = enclave.any().await else {
            panic!("no greeting");
        };
        (enclave, hello)
    }

    /// Takes the node's next connection and says nothing.
    pub(crate) async fn accept_raw(&self) -> Enclave {
        let (stream, _) = self.0.accept().await.expect("accepted");
        Enclave {
            stream,
            received: Vec::new(),
        }
    }
}

/// One connection of the node.
pub(crate) struct Enclave {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Enclave {
    /// Answers the greeting as `node`.
    pub(crate) async fn ready(&mut self, node: NodeId) {
        self.send(&FromEnclave::Sealing(Say::Others(1))).await;
        let answer = self.any().await;
        assert!(
            matches!(answer, Some(FromHost::Sealing(ToEnclave::Others(Some(_))))),
            "{answer:?}"
        );
        let version = version::LINK;
        let ready = Ready {
            version,
            node,
            release: 1,
            measurement: [1; 144],
        };
        self.send(&FromEnclave::Ready(ready)).await;
    }

    /// The next frame, pings included; none at the end.
    pub(crate) async fn any(&mut self) -> Option<FromHost> {
        loop {
            if let Some((frame, length)) = link::read(&self.received).expect("a frame") {
                self.received.drain(..length);
                return Some(frame);
            }
            // On the heap: a buffer in the future would overflow a test's small stack.
            let mut bytes = vec![0; 65_536];
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The next frame; pings are answered.
    pub(crate) async fn next(&mut self) -> Option<FromHost> {
        loop {
            match self.any().await {
                Some(FromHost::Ping(ping)) => {
                    let pong = Pong {
                        ping,
                        open: 1,
                        memory: 64,
                        sessions: 1,
                        supervisor: Some(1024),
                    };
                    self.send(&FromEnclave::Pong(pong)).await;
                }
                other => return other,
            }
        }
    }

    pub(crate) async fn send(&mut self, frame: &FromEnclave) {
        let mut bytes = Vec::new();
        assert!(link::write(frame, &mut bytes));
        self.send_raw(&bytes).await;
    }

    /// The node may have closed the connection.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Answers the node's request to open a space; how it is to be opened.
    pub(crate) async fn open(&mut self, space: SpaceId) -> Entry {
        let Some(FromHost::Open {
            space: asked,
            entry,
        }) = self.next().await
        else {
            panic!("not asked to open");
        };
        assert_eq!(asked, space);
        self.send(&FromEnclave::Opened { space }).await;
        entry
    }

    /// The next envelope for `space`.
    pub(crate) async fn envelope(&mut self, space: SpaceId) -> Vec<u8> {
        match self.next().await {
            Some(FromHost::Frame {
                space: to,
                envelope,
            }) if to == space => envelope,
            other => panic!("no envelope but {other:?}"),
        }
    }

    pub(crate) async fn until_shutdown(&mut self) {
        while let Some(frame) = self.next().await {
            if frame == FromHost::Shutdown {
                return;
            }
        }
        panic!("closed without being asked");
    }

    /// Sends every envelope back until the node wants to stop.
    pub(crate) async fn echo(mut self, space: SpaceId) {
        let mut out = Vec::new();
        loop {
            let mut taken = 0;
            while let Some((frame, length)) =
                link::read::<FromHost>(&self.received[taken..]).expect("a frame")
            {
                taken += length;
                match frame {
                    FromHost::Frame { envelope, .. } => {
                        let reply = FromEnclave::Frame {
                            space,
                            after: 0,
                            envelope,
                        };
                        assert!(link::write(&reply, &mut out));
                    }
                    FromHost::Shutdown => return,
                    _ => {}
                }
            }
            self.received.drain(..taken);
            self.send_raw(&out).await;
            out.clear();
            self.received.reserve(65_536);
            if self.stream.read_buf(&mut self.received).await.unwrap_or(0) == 0 {
                return;
            }
        }
    }

    /// Closes the connection.
    pub(crate) async fn hang_up(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    pub(crate) async fn until_closed(&mut self) {
        while self.any().await.is_some() {}
    }
}
