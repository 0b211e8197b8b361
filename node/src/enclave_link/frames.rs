//! Bytes of the link: what was received and not yet understood, what is to be sent.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vettid_wire::link::{self, BadFrame, FromEnclave, FromHost};

use super::transport::{Reading, Writing};

/// Bytes read at once. Frames larger than this are read in steps.
const READ: usize = 128 * 1024;

/// Sent bytes are dropped from the front beyond this many.
const COMPACT: usize = 1024 * 1024;

/// Received bytes. Holds at most one frame over what was read at once.
pub(super) struct Received {
    reading: Reading,
    buffer: BytesMut,
}

impl Received {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            reading,
            buffer: BytesMut::with_capacity(READ),
        }
    }

    /// Reads once; false at the end of the stream. Cancel-safe.
    pub(super) async fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.reserve(READ);
        Ok(self.reading.read_buf(&mut self.buffer).await? > 0)
    }

    /// Takes the next complete frame.
    pub(super) fn next(&mut self) -> Result<Option<FromEnclave>, BadFrame> {
        let Some((frame, length)) = link::read(&self.buffer)? else {
            return Ok(None);
        };
        self.buffer.advance(length);
        Ok(Some(frame))
    }
}

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    buffer: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Queues a frame.
    pub(super) fn push(&mut self, frame: &FromHost) {
        if !link::write(frame, &mut self.buffer) {
            tracing::error!("a frame for the enclave is too large and was not sent");
        }
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len().saturating_sub(self.sent)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes once. Cancel-safe: what was written is counted.
    pub(super) async fn write_some(&mut self, writing: &mut Writing) -> std::io::Result<()> {
        let Some(rest) = self.buffer.get(self.sent..) else {
            return Ok(());
        };
        let written = writing.write(rest).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.sent = self.sent.saturating_add(written);
        if self.is_empty() {
            self.buffer.clear();
            self.sent = 0;
        } else if self.sent > COMPACT {
            self.buffer.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Every queued byte, for tests of what is written.
    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<FromHost> {
        let mut frames = Vec::new();
        let mut rest = &self.buffer[..];
        while let Some((frame, length)) = link::read(rest).expect("our own frames") {
            frames.push(frame);
            rest = &rest[length..];
        }
        self.buffer.clear();
        frames
    }
}
