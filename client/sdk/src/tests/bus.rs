//! A node in memory: HTTP, bus, enclave and vault, with faults on request.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use tokio::sync::mpsc;
use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::home::HomeNode;
use vettid_wire::http::{Credentials, Enroll, Reason, Renew, attachment_text};
use vettid_wire::id::{AttachmentId, DeviceRoute, NodeId, SessionId};
use vettid_wire::invitation::Invitation;
use vettid_wire::network::Network;
use vettid_wire::request::FromVault;
use vettid_wire::time::{DAY, UnixMillis};

use super::enclave::{Enclave, SPACE, Side, network, signed};
use super::vault::Vault;
use crate::clock::Clock;
use crate::error::{Error, Unreachable};
use crate::keystore::{Kept, Keystore, KeystoreError, State};
use crate::pass::Pass;
use crate::transport::{Arrival, ChunkRequest, Dial, Transport};
use crate::wire::request::Head;
use crate::{Entry, Owner, enroll};

pub(super) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
pub(super) const ROUTE: DeviceRoute = DeviceRoute([0x52; 16]);

/// What goes wrong next. Each happens once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mishap {
    /// The next request does not reach the vault; the session is reset.
    ResetBefore,
    /// The vault carries the next request out; the reply is lost, the session reset.
    ResetAfter,
    /// The vault carries the next request out and ends; it comes back sealed.
    DieAfter,
    /// The next reply is lost without a word.
    LoseReply,
    /// The next two replies come in the wrong order.
    SwapReplies,
    /// The next reply is altered.
    AlterReply,
    /// The vault closes the session after the next reply.
    Closing,
    /// The next envelope of a handshake is lost.
    LoseHandshake,
    /// None: the next request is answered, and what goes wrong next comes later.
    Passes,
}

/// Everything behind the transport.
pub(super) struct World {
    pub(super) now: UnixMillis,
    pub(super) network: Network,
    pub(super) enclave_epoch: u64,
    pub(super) enclave: Enclave,
    pub(super) vault: Vault,
    pub(super) mishaps: VecDeque<Mishap>,
    pub(super) sessions_opened: usize,
    pub(super) renewals: usize,
    pub(super) connects: usize,
    /// Frames of sessions that the device sent.
    pub(super) frames: usize,
    /// Envelopes that are answered with a reset.
    pub(super) resets: usize,
    /// Envelopes that nobody takes: the bus runs without the node, which then starts anew.
    pub(super) absent: usize,
    pub(super) http_down: bool,
    /// The bus takes no credentials that were given before.
    pub(super) revoked: bool,
    pub(super) jwt_expires: UnixMillis,
    /// Chunks of attachments at the node.
    pub(super) chunks: BTreeMap<(AttachmentId, u32), Vec<u8>>,
    /// Chunks that were stored or fetched, breaks included.
    pub(super) chunk_requests: usize,
    /// Bytes of chunks that go over the line before it breaks, each time it is used anew.
    pub(super) line_breaks: VecDeque<usize>,
    used_by: Option<String>,
    sessions: BTreeMap<SessionId, Option<Side>>,
    held_back: Option<Vec<u8>>,
    device: Option<mpsc::UnboundedSender<Arrival>>,
    /// What the device was told and has not taken yet.
    untaken: usize,
}

/// A node in memory.
#[derive(Clone)]
pub(super) struct Lab(Arc<Mutex<World>>);

impl Lab {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            now: NOW,
            network: network(1, NOW),
            enclave_epoch: 1,
            enclave: Enclave::new(node(), 2, 2, NOW),
            vault: Vault::default(),
            mishaps: VecDeque::new(),
            sessions_opened: 0,
            renewals: 0,
            connects: 0,
            frames: 0,
            resets: 0,
            absent: 0,
            http_down: false,
            revoked: false,
            jwt_expires: NOW.plus(DAY),
            chunks: BTreeMap::new(),
            chunk_requests: 0,
            line_breaks: VecDeque::new(),
            used_by: None,
            sessions: BTreeMap::new(),
            held_back: None,
            device: None,
            untaken: 0,
        })))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("not poisoned")
    }

    /// What goes wrong next.
    pub(super) fn expect_mishap(&self, mishap: Mishap) {
        self.world().mishaps.push_back(mishap);
    }

    pub(super) fn pass_time(&self, millis: u64) {
        let mut world = self.world();
        world.now = world.now.plus(millis);
    }

    /// The node gives later credentials from now on.
    pub(super) fn reissue(&self) {
        let mut world = self.world();
        world.jwt_expires = world.now.plus(DAY);
    }

    pub(super) fn entry(&self) -> Entry {
        Entry {
            invitation: Invitation {
                address: "http://node.test".into(),
                network: self.world().network.id(),
                secret: vettid_wire::Secret::new(vec![9; 32]),
                node: node(),
                expires: NOW.plus(DAY),
            },
            device_name: "laptop".into(),
            pin: "123456".into(),
            password: "seven brass otters".into(),
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// An enrolled device; what it keeps can be looked at and taken up again.
    pub(super) async fn enrolled(&self) -> (Owner, Shelf) {
        let shelf = Shelf::default();
        let owner = enroll(shelf.clone(), self.clone(), self.clock(), &self.entry()).await;
        (owner.expect("enrolled"), shelf)
    }

    /// The same, with a session or without one.
    pub(super) async fn enrolled_with(&self, session: bool) -> (Owner, Shelf) {
        let (owner, shelf) = self.enrolled().await;
        if session {
            return (owner, shelf);
        }
        (self.reopened(&shelf), shelf)
    }

    /// Waits until the device has taken all that it was told.
    pub(super) async fn heard(&self) {
        while self.world().untaken > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Another program takes the device up.
    pub(super) fn reopened(&self, shelf: &Shelf) -> Owner {
        Owner::open(shelf.clone(), self.clone(), self.clock()).expect("opened")
    }
}

pub(super) fn node() -> NodeId {
    NodeId(SigningKey::from_seed(&[0x41; 32]).verifying_key().0)
}

impl Clock for Lab {
    fn now(&self) -> UnixMillis {
        self.world().now
    }
}

impl Dial for Lab {
    type Transport = LabTransport;

    async fn enroll(&self, address: &str, body: Enroll) -> Result<Credentials, Error> {
        let mut world = self.world();
        if world.http_down {
            return Err(Unreachable::Http(address.into()).into());
        }
        let used_by = world
            .used_by
            .get_or_insert_with(|| body.user.clone())
            .clone();
        if used_by != body.user {
            return Err(refused("invitation-used"));
        }
        Ok(world.credentials())
    }

    async fn renew(&self, address: &str, body: Renew) -> Result<Credentials, Error> {
        let mut world = self.world();
        if world.http_down {
            return Err(Unreachable::Http(address.into()).into());
        }
        if world.used_by.as_ref() != Some(&body.user) {
            return Err(refused("unknown-device"));
        }
        world.renewals += 1;
        world.revoked = false;
        world.jwt_expires = world.now.plus(DAY);
        Ok(world.credentials())
    }

    async fn store_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        sealed: Bytes,
    ) -> Result<(), Error> {
        let mut world = self.world();
        world.chunk_asked("PUT", address, &request)?;
        if world.line_breaks.pop_front().is_some() {
            return Err(Unreachable::Http(address.into()).into());
        }
        let place = (request.id, request.index);
        world.chunks.entry(place).or_insert_with(|| sealed.to_vec());
        Ok(())
    }

    async fn fetch_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        from: &HomeNode,
        sealed: &mut Vec<u8>,
        whole: usize,
    ) -> Result<(), Error> {
        let mut world = self.world();
        assert_eq!(from.node, node());
        world.chunk_asked("GET", address, &request)?;
        let stored = world.chunks.get(&(request.id, request.index)).cloned();
        let stored = stored.ok_or_else(|| refused("attachment-unknown"))?;
        let rest = &stored[sealed.len()..whole.min(stored.len())];
        match world.line_breaks.pop_front() {
            Some(came) => {
                sealed.extend_from_slice(&rest[..came.min(rest.len())]);
                Err(Unreachable::Http(address.into()).into())
            }
            None => {
                sealed.extend_from_slice(rest);
                Ok(())
            }
        }
    }

    async fn connect(&self, pass: Arc<Pass<Self>>) -> Result<LabTransport, Error> {
        let access = pass.access(60_000).await?;
        let mut world = self.world();
        world.connects += 1;
        if world.revoked || access.expires <= world.now {
            return Err(Unreachable::BusRefused.into());
        }
        let (device, arrivals) = mpsc::unbounded_channel();
        world.device = Some(device);
        world.untaken = 0;
        Ok(LabTransport {
            lab: self.clone(),
            arrivals,
        })
    }
}

fn refused(code: &str) -> Error {
    let message = format!("refused: {code}");
    Error::NodeRefused(Reason {
        code: code.into(),
        message,
        retry_after: None,
    })
}

/// One device's end of the bus in memory.
pub(super) struct LabTransport {
    lab: Lab,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
}

impl Transport for LabTransport {
    async fn publish(&mut self, envelope: Vec<u8>) -> Result<(), Unreachable> {
        self.lab.world().take(&envelope);
        Ok(())
    }

    async fn receive(&mut self) -> Arrival {
        let arrival = self.arrivals.recv().await.unwrap_or(Arrival::Closed);
        let mut world = self.lab.world();
        world.untaken = world.untaken.saturating_sub(1);
        arrival
    }

    async fn refresh(&mut self) {
        self.lab.world().interrupt();
    }
}

impl World {
    fn credentials(&self) -> Credentials {
        Credentials {
            jwt: "a.b.c".into(),
            expires: self.jwt_expires.0,
            space: SPACE.to_string(),
            device: ROUTE.to_string(),
            bus: vec!["nats://node.test:4222".into()],
            network: BASE64.encode(&signed(&self.network)),
        }
    }

    /// The connection breaks and stands again; sessions at the node are gone.
    pub(super) fn interrupt(&mut self) {
        self.sessions.clear();
        self.tell(Arrival::Interrupted);
        self.tell(Arrival::Resumed);
    }

    /// The vault's process ends.
    pub(super) fn crash(&mut self) {
        self.sessions.clear();
        self.vault.crash();
    }

    /// The vault announces something in its feed.
    pub(super) fn announce(&mut self, sequence: u64) {
        self.vault.feed = sequence;
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.say(id, &FromVault::Feed(sequence));
        }
    }

    /// A request for a chunk reaches the node, and is signed by the device.
    fn chunk_asked(
        &mut self,
        method: &str,
        address: &str,
        request: &ChunkRequest,
    ) -> Result<(), Error> {
        if self.http_down {
            return Err(Unreachable::Http(address.into()).into());
        }
        self.chunk_requests += 1;
        assert_eq!(self.used_by.as_ref(), Some(&request.user));
        let ChunkRequest {
            id,
            index,
            user,
            time,
            signature,
        } = request;
        let signed = attachment_text(method, *id, *index, user, *time);
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes());
        let key = nkeys::KeyPair::from_public_key(user).expect("a key");
        key.verify(&signed, &signature.expect("base64url"))
            .expect("signed by the device");
        Ok(())
    }

    fn tell(&mut self, arrival: Arrival) {
        let device = self.device.as_ref();
        if device.is_some_and(|device| device.send(arrival).is_ok()) {
            self.untaken = self.untaken.saturating_add(1);
        }
    }

    fn mishap(&mut self, wanted: Mishap) -> bool {
        let comes = self.mishaps.front() == Some(&wanted);
        if comes {
            self.mishaps.pop_front();
        }
        comes
    }

    fn take(&mut self, bytes: &[u8]) {
        let envelope = Envelope::parse(bytes).expect("an envelope");
        assert_eq!(envelope.device, ROUTE);
        if let Some(left) = self.absent.checked_sub(1) {
            self.absent = left;
            self.sessions.clear();
            return self.tell(Arrival::Nobody);
        }
        if let Some(left) = self.resets.checked_sub(1) {
            self.resets = left;
            return self.reset(envelope.session);
        }
        match envelope.kind {
            Kind::Handshake => self.handshake(envelope),
            Kind::Transport => self.frame(envelope),
            Kind::Reset => panic!("a device never resets"),
        }
    }

    fn handshake(&mut self, envelope: Envelope<'_>) {
        if self.mishap(Mishap::LoseHandshake) {
            return;
        }
        let side = self.sessions.entry(envelope.session).or_default();
        let (network, epoch) = (self.network.id(), self.enclave_epoch);
        let frames = self
            .enclave
            .handshake(side, envelope.body, network, epoch, self.now);
        if matches!(side, Some(Side::Open(_))) {
            self.sessions_opened += 1;
        }
        let Some(frames) = frames else {
            return self.reset(envelope.session);
        };
        for frame in frames {
            self.send(Kind::Handshake, envelope.session, &frame);
        }
    }

    fn frame(&mut self, envelope: Envelope<'_>) {
        self.frames += 1;
        let id = envelope.session;
        let Some(Some(Side::Open(session))) = self.sessions.get_mut(&id) else {
            return self.reset(id);
        };
        let messages = session
            .open_all(self.now, envelope.body)
            .expect("an honest device");
        for message in messages {
            self.message(id, &message);
        }
    }

    fn message(&mut self, id: SessionId, message: &[u8]) {
        if self.mishap(Mishap::ResetBefore) {
            return self.reset(id);
        }
        let passes = self.mishap(Mishap::Passes);
        let request = cbor::decode(message).expect("a request");
        let reply = self.vault.serve(&request, self.now);
        if passes {
            let later = std::mem::take(&mut self.mishaps);
            self.say(id, &FromVault::Reply(reply));
            self.mishaps = later;
            return;
        }
        if self.mishap(Mishap::ResetAfter) {
            return self.reset(id);
        }
        if self.mishap(Mishap::DieAfter) {
            self.vault.crash();
            return self.reset(id);
        }
        self.say(id, &FromVault::Reply(reply));
        if self.mishap(Mishap::Closing) {
            self.say(id, &FromVault::Closing);
            self.sessions.remove(&id);
        }
    }

    fn say(&mut self, id: SessionId, message: &FromVault) {
        let Some(Some(Side::Open(session))) = self.sessions.get_mut(&id) else {
            return;
        };
        let mut frames = session
            .seal(self.now, &cbor::encode(message))
            .expect("sealed");
        if self.mishap(Mishap::LoseReply) {
            return;
        }
        if self.mishap(Mishap::AlterReply) {
            *frames[0].last_mut().expect("a byte") ^= 1;
        }
        if self.mishap(Mishap::SwapReplies) {
            self.held_back = Some(frames.remove(0));
            return;
        }
        for frame in frames {
            self.send(Kind::Transport, id, &frame);
        }
        if let Some(frame) = self.held_back.take() {
            self.send(Kind::Transport, id, &frame);
        }
    }

    fn reset(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        self.tell(Arrival::Envelope(Bytes::from(
            Envelope::reset(ROUTE, id).to_bytes(),
        )));
    }

    fn send(&mut self, kind: Kind, session: SessionId, body: &[u8]) {
        let envelope = Envelope {
            kind,
            device: ROUTE,
            session,
            body,
        };
        self.tell(Arrival::Envelope(Bytes::from(envelope.to_bytes())));
    }
}

/// What survives the program, and when its disk fails.
#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Disk>>);

#[derive(Default)]
pub(super) struct Disk {
    pub(super) kept: Option<Kept>,
    pub(super) saves: usize,
    /// This save fails, as if the program ended there; `true` if the disk has it nevertheless.
    pub(super) fails_at: Option<(usize, bool)>,
}

impl Shelf {
    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().expect("not poisoned")
    }

    pub(super) fn state(&self) -> State {
        self.disk().kept.clone().expect("something").state
    }

    pub(super) fn head(&self) -> Option<u64> {
        self.disk()
            .kept
            .as_ref()
            .and_then(|kept| kept.head)
            .map(|head| head.number)
    }
}

impl Keystore for Shelf {
    fn load(&mut self) -> Result<Option<Kept>, KeystoreError> {
        Ok(self.disk().kept.clone())
    }

    fn save(&mut self, state: &State) -> Result<(), KeystoreError> {
        let mut disk = self.disk();
        disk.saves += 1;
        let failed = disk.fails_at.filter(|(at, _)| disk.saves >= *at);
        // After the failing save nothing is written any more: the program is gone.
        if failed.is_none_or(|(at, written)| written && disk.saves == at) {
            let head = disk.kept.as_ref().and_then(|kept| kept.head);
            disk.kept = Some(Kept {
                state: state.clone(),
                head,
            });
        }
        match failed {
            Some(_) => Err(KeystoreError::Io {
                path: "disk".into(),
                reason: "full".into(),
            }),
            None => Ok(()),
        }
    }

    fn save_head(&mut self, head: Head) -> Result<(), KeystoreError> {
        let mut disk = self.disk();
        if let Some(kept) = &mut disk.kept {
            kept.head = Some(head);
        }
        Ok(())
    }
}
