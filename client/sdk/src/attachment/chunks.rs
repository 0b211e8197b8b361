//! Chunks between a device and its node, each request signed.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use futures_util::future::BoxFuture;
use vettid_crypto::seal::OVERHEAD;
use vettid_wire::attachment::Attachment;
use vettid_wire::home::HomeNode;
use vettid_wire::http::{Code, attachment_text};
use vettid_wire::id::AttachmentId;

use super::patience::Patience;
use super::{AttachmentFault, length};
use crate::error::{Error, Fault};
use crate::owner::Owner;
use crate::transport::{ChunkRequest, Dial};

/// The part of [`Dial`] that moves chunks, for an owner of any dialer.
pub(crate) trait Chunks: Send + Sync {
    /// Stores one.
    fn store<'a>(
        &'a self,
        address: &'a str,
        request: ChunkRequest,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Fetches what is missing of one.
    fn fetch<'a>(
        &'a self,
        address: &'a str,
        request: ChunkRequest,
        from: &'a HomeNode,
        sealed: &'a mut Vec<u8>,
        whole: usize,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

impl<D: Dial> Chunks for D {
    fn store<'a>(
        &'a self,
        address: &'a str,
        request: ChunkRequest,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.store_chunk(address, request, sealed))
    }

    fn fetch<'a>(
        &'a self,
        address: &'a str,
        request: ChunkRequest,
        from: &'a HomeNode,
        sealed: &'a mut Vec<u8>,
        whole: usize,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.fetch_chunk(address, request, from, sealed, whole))
    }
}

impl Owner {
    /// Stores one sealed chunk, however often it must be tried.
    pub(super) async fn store_chunk(
        &self,
        id: AttachmentId,
        index: u32,
        sealed: Vec<u8>,
    ) -> Result<(), Error> {
        let (address, sealed) = (self.address(), Bytes::from(sealed));
        let mut patience = Patience::default();
        loop {
            let request = self.chunk_request("PUT", id, index)?;
            match self.chunks().store(&address, request, sealed.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.wait(error, 0).await?,
            }
        }
    }

    /// Fetches one sealed chunk, however often it breaks off.
    pub(super) async fn fetch_chunk(
        &self,
        attachment: &Attachment,
        index: u32,
    ) -> Result<Vec<u8>, Error> {
        let plain = length(attachment.size, attachment.chunk, index);
        let whole = plain.saturating_add(OVERHEAD);
        let (address, mut sealed) = (self.address(), Vec::with_capacity(whole));
        let mut patience = Patience::default();
        loop {
            let request = self.chunk_request("GET", attachment.id, index)?;
            let fetch = self.chunks();
            let fetched = fetch
                .fetch(&address, request, &attachment.home, &mut sealed, whole)
                .await;
            match fetched {
                Ok(()) => return Ok(sealed),
                Err(Error::NodeRefused(reason)) if reason.is(Code::AttachmentUnknown) => {
                    return Err(AttachmentFault::Missing(index).into());
                }
                Err(error) => patience.wait(error, sealed.len()).await?,
            }
        }
    }

    fn address(&self) -> String {
        self.keeper().read(|state| state.anchor.address.clone())
    }

    fn chunk_request(
        &self,
        method: &str,
        id: AttachmentId,
        index: u32,
    ) -> Result<ChunkRequest, Error> {
        let pair = self.keeper().read(|state| state.keys.bus())?;
        let (user, time) = (pair.public_key(), self.now().0);
        let signature = pair
            .sign(&attachment_text(method, id, index, &user, time))
            .map_err(|_| Fault::Key)?;
        Ok(ChunkRequest {
            id,
            index,
            user,
            time,
            signature: BASE64URL_NOPAD.encode(&signature),
        })
    }
}
