//! A real enclave process with scripted vaults, a host in the test's hands, and devices.
#![allow(dead_code, reason = "each test file uses another part")]

pub(crate) mod net;

use std::collections::{HashMap, VecDeque};
use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use vettid_attestation::Policy;
use vettid_crypto::Entropy;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_runtime::platform::KernelEntropy;
use vettid_runtime::platform::emulated::wall_clock;
use vettid_session::{
    Established, Initiator, InitiatorProgress, InitiatorTerms, KnownEnclave, Verifier,
};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, NetworkId, NodeId, SessionId, SpaceId};
use vettid_wire::link::handover::Others;
use vettid_wire::link::sealing::{FromEnclave as Say, ToEnclave};
use vettid_wire::link::{
    self, AppendRefusal, Closed, Entry, FromEnclave, FromHost, Hello, LogPage, Ready, RecordBytes,
    federation,
};
use vettid_wire::network::{Network, SignedNetwork};
use vettid_wire::version;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// A read that has waited this long lets the test look at something else.
const LULL: Duration = Duration::from_millis(5);

pub(crate) fn space(number: u8) -> SpaceId {
    SpaceId([number; 16])
}

pub(crate) fn fresh() -> Entry {
    Entry::Fresh {
        token_hash: [0; 32],
    }
}

/// An entry that asks the scripted vault process for a lie.
pub(crate) fn lie(kind: u8) -> Entry {
    Entry::Fresh {
        token_hash: [kind; 32],
    }
}

pub(crate) fn echo_enclave() -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let target = test.parent().and_then(Path::parent).expect("target folder");
    target.join("examples").join("echo-enclave")
}

/// Newest record that an envelope depends on, and the envelope.
pub(crate) type Mail = (u64, Vec<u8>);

/// An enclave process and its host.
pub(crate) struct Rig {
    pub(crate) enclave: Child,
    pub(crate) link: UnixStream,
    pub(crate) ready: Option<Ready>,
    pub(crate) network: NetworkId,
    pub(crate) verifier: Verifier,
    /// Whether appends are made durable at once.
    pub(crate) durable: bool,
    pub(crate) logs: HashMap<SpaceId, Vec<Vec<u8>>>,
    pub(crate) chunks: HashMap<(SpaceId, u64, u32), Vec<u8>>,
    buffer: Vec<u8>,
    mail: HashMap<(SpaceId, DeviceRoute), VecDeque<Mail>>,
    heard: VecDeque<FromEnclave>,
    pub(crate) hello: Hello,
    /// The network, and the key that signs it.
    pub(crate) signed: (Network, SigningKey),
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    /// Starts an enclave and greets it.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// The same with another greeting.
    pub(crate) fn with(change: impl FnOnce(&mut Hello)) -> Self {
        let mut rig = Self::unconnected(change);
        rig.greet();
        rig
    }

    /// Starts an enclave and connects, without a word.
    pub(crate) fn unconnected(change: impl FnOnce(&mut Hello)) -> Self {
        let program = echo_enclave();
        let mut made = Command::new(&program);
        made.arg("--create");
        Self::of(made, Command::new(program), change)
    }

    /// An enclave of two other commands: one that makes the network, one that runs.
    pub(crate) fn of(mut create: Command, run: Command, change: impl FnOnce(&mut Hello)) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let made = create
            .arg("--folder")
            .arg(folder.path().join("enclave"))
            .status()
            .expect("program is built");
        assert!(made.success());
        Self::in_folder(folder, run, change)
    }

    /// Another enclave of the network of this one: the same roots, a sealing root of its own.
    pub(crate) fn neighbor(&self, run: Command, change: impl FnOnce(&mut Hello)) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let (from, to) = (
            self.folder.path().join("enclave"),
            folder.path().join("enclave"),
        );
        std::fs::create_dir(&to).expect("folder");
        std::fs::set_permissions(&to, Permissions::from_mode(0o700)).expect("private");
        for file in std::fs::read_dir(&from).expect("folder") {
            let name = file.expect("file").file_name();
            std::fs::copy(from.join(&name), to.join(&name)).expect("copies");
        }
        std::fs::write(to.join("sealing-root.key"), KernelEntropy.bytes::<32>()).expect("own root");
        Self::in_folder(folder, run, change)
    }

    fn in_folder(
        folder: tempfile::TempDir,
        mut run: Command,
        change: impl FnOnce(&mut Hello),
    ) -> Self {
        let (state, socket) = (
            folder.path().join("enclave"),
            folder.path().join("link.sock"),
        );
        let text = std::fs::read_to_string(state.join("network.toml")).expect("network file");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("signed = \""))
            .expect("signed");
        let bytes = BASE64
            .decode(line.trim_end_matches('"').as_bytes())
            .expect("base64");
        let network = SignedNetwork::verify(&bytes).expect("network");
        let seed = std::fs::read(state.join("governance.key")).expect("governance");
        let governance = SigningKey::from_seed(&seed.try_into().expect("32 bytes"));
        let signed = (network.clone(), governance);
        let enclave = run
            .arg("--socket")
            .arg(&socket)
            .arg("--folder")
            .arg(&state)
            .stderr(Stdio::piped())
            .spawn()
            .expect("enclave");
        let link = connect(&socket);
        link.set_read_timeout(Some(LULL)).expect("timeout");
        link.set_write_timeout(Some(DEADLINE)).expect("timeout");
        let mut hello = Hello {
            version: version::LINK,
            network: bytes,
            max_open: 64,
            idle: 600_000,
            memory: 4 << 20,
            peers: Vec::new(),
        };
        change(&mut hello);
        Self {
            enclave,
            link,
            ready: None,
            network: network.id(),
            verifier: Verifier::new(Policy::of_network(&network).expect("policy")),
            durable: true,
            logs: HashMap::new(),
            chunks: HashMap::new(),
            buffer: Vec::new(),
            mail: HashMap::new(),
            heard: VecDeque::new(),
            hello,
            signed,
            folder,
        }
    }

    pub(crate) fn greet(&mut self) {
        self.send(&FromHost::Hello(self.hello.clone()));
        self.ready = Some(self.expect(|frame| match frame {
            FromEnclave::Ready(ready) => Some(ready),
            _ => None,
        }));
    }

    pub(crate) fn send(&mut self, frame: &FromHost) {
        let mut bytes = Vec::new();
        assert!(link::write(frame, &mut bytes));
        self.link.write_all(&bytes).expect("send");
    }

    pub(crate) fn open(&mut self, space: SpaceId, entry: Entry) {
        self.send(&FromHost::Open { space, entry });
        self.expect(|frame| {
            matches!(frame, FromEnclave::Opened { space: opened } if opened == space).then_some(())
        });
    }

    pub(crate) fn closed(&mut self, space: SpaceId) -> Closed {
        self.expect(|frame| match frame {
            FromEnclave::Closed { space: closed, why } if closed == space => Some(why),
            _ => None,
        })
    }

    /// Waits for a frame that `pick` takes; others wait for their turn.
    pub(crate) fn expect<T>(&mut self, mut pick: impl FnMut(FromEnclave) -> Option<T>) -> T {
        let since = Instant::now();
        let mut passed = VecDeque::new();
        loop {
            while let Some(frame) = self.heard.pop_front() {
                if let Some(picked) = pick(frame.clone()) {
                    passed.append(&mut self.heard);
                    self.heard = passed;
                    return picked;
                }
                passed.push_back(frame);
            }
            assert!(
                since.elapsed() < DEADLINE,
                "no such frame; heard {passed:?}"
            );
            self.pump();
        }
    }

    /// Reads once and serves what a host serves.
    pub(crate) fn pump(&mut self) {
        let mut chunk = [0; 65_536];
        let count = match self.link.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            read => read.expect("link"),
        };
        assert!(
            count > 0,
            "enclave has closed the link: {}",
            self.last_words()
        );
        self.buffer.extend_from_slice(&chunk[..count]);
        let mut used = 0;
        while let Some((frame, length)) =
            link::read::<FromEnclave>(&self.buffer[used..]).expect("well-formed")
        {
            used += length;
            self.take(frame);
        }
        self.buffer.drain(..used);
    }

    fn take(&mut self, frame: FromEnclave) {
        match frame {
            FromEnclave::Frame {
                space,
                after,
                envelope,
            } => {
                let device = Envelope::parse(&envelope).expect("envelope").device;
                self.mail
                    .entry((space, device))
                    .or_default()
                    .push_back((after, envelope));
            }
            FromEnclave::Append {
                space,
                number,
                ref record,
                ..
            } if self.durable => {
                let log = self.logs.entry(space).or_default();
                if usize::try_from(number) == Ok(log.len() + 1) {
                    log.push(record.clone());
                    self.send(&FromHost::Appended {
                        space,
                        through: number,
                    });
                } else {
                    let why = AppendRefusal::Lost;
                    self.send(&FromHost::AppendRefused { space, number, why });
                }
            }
            FromEnclave::ReadLog { request, space, .. } => {
                let records = self.logs.get(&space).cloned().unwrap_or_default();
                let newest = u64::try_from(records.len()).unwrap();
                let records = records.into_iter().map(RecordBytes).collect();
                let page = Some(LogPage {
                    newest,
                    first: 1,
                    records,
                });
                self.send(&FromHost::LogPage { request, page });
            }
            FromEnclave::PutChunk {
                request,
                space,
                snapshot,
                index,
                bytes,
            } => {
                self.chunks.insert((space, snapshot, index), bytes);
                self.send(&FromHost::Stored {
                    request,
                    durable: true,
                });
            }
            FromEnclave::GetChunk {
                request,
                space,
                snapshot,
                index,
            } => {
                let bytes = self.chunks.get(&(space, snapshot, index)).cloned();
                self.send(&FromHost::Chunk { request, bytes });
            }
            // The first release of its node.
            FromEnclave::Sealing(Say::Others(_)) => {
                let others = ToEnclave::Others(Some(Others::default()));
                self.send(&FromHost::Sealing(others));
            }
            other => self.heard.push_back(other),
        }
    }

    /// What the enclave has said about other nodes, in order.
    pub(crate) fn federation(&mut self) -> Vec<federation::FromEnclave> {
        let (about, rest) = std::mem::take(&mut self.heard)
            .into_iter()
            .partition::<VecDeque<_>, _>(|frame| matches!(frame, FromEnclave::Federation(_)));
        self.heard = rest;
        about
            .into_iter()
            .filter_map(|frame| match frame {
                FromEnclave::Federation(frame) => Some(frame),
                _ => None,
            })
            .collect()
    }

    /// What the enclave has said to its operator, in order.
    pub(crate) fn logged(&mut self) -> Vec<String> {
        self.heard
            .iter()
            .filter_map(|frame| match frame {
                FromEnclave::Log(line) => Some(line.event.clone()),
                _ => None,
            })
            .collect()
    }

    /// The next envelope for a device, and what it depends on.
    pub(crate) fn mail(&mut self, space: SpaceId, device: DeviceRoute) -> Mail {
        let since = Instant::now();
        loop {
            if let Some(mail) = self
                .mail
                .get_mut(&(space, device))
                .and_then(VecDeque::pop_front)
            {
                return mail;
            }
            assert!(
                since.elapsed() < DEADLINE,
                "no mail; heard {:?}",
                self.heard
            );
            self.pump();
        }
    }

    /// Process ids of the vault processes: children of the zygote, the enclave's only child.
    pub(crate) fn vault_pids(&self) -> Vec<i32> {
        children(self.zygote_pid())
    }

    pub(crate) fn zygote_pid(&self) -> i32 {
        let enclave = i32::try_from(self.enclave.id()).unwrap();
        let zygotes = children(enclave);
        assert_eq!(zygotes.len(), 1, "{zygotes:?}");
        zygotes[0]
    }

    /// Waits for the enclave's end; its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.enclave.try_wait().expect("wait") {
                return status.code();
            }
            assert!(since.elapsed() < DEADLINE, "enclave still runs");
            std::thread::yield_now();
        }
    }

    pub(crate) fn last_words(&mut self) -> String {
        let mut words = String::new();
        if let Some(stderr) = &mut self.enclave.stderr {
            let _ = stderr.read_to_string(&mut words);
        }
        words
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.enclave.kill();
        let _ = self.enclave.wait();
    }
}

fn connect(socket: &Path) -> UnixStream {
    let since = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return stream,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(since.elapsed() < DEADLINE, "enclave does not listen");
        std::thread::yield_now();
    }
}

pub(crate) fn children(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed
        .split_whitespace()
        .map(|pid| pid.parse().expect("pid"))
        .collect()
}

/// Waits until none of these processes is left.
pub(crate) fn await_gone(pids: &[i32]) {
    let since = Instant::now();
    while let Some(pid) = pids.iter().find(|pid| is_alive(**pid)) {
        assert!(since.elapsed() < DEADLINE, "process {pid} still runs");
        std::thread::yield_now();
    }
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// A device with an open session.
pub(crate) struct Device {
    pub(crate) space: SpaceId,
    pub(crate) route: DeviceRoute,
    pub(crate) id: SessionId,
    pub(crate) session: Established,
    /// Messages that came together with an earlier one.
    heard: VecDeque<(u64, Vec<u8>)>,
}

impl Device {
    pub(crate) fn open(rig: &mut Rig, space: SpaceId, number: u8) -> Self {
        Self::knowing(rig, space, number, None)
    }

    pub(crate) fn knowing(
        rig: &mut Rig,
        space: SpaceId,
        number: u8,
        known: Option<KnownEnclave>,
    ) -> Self {
        let key = SigningKey::generate(&mut KernelEntropy);
        Self::with_key(rig, space, number, known, &key)
    }

    pub(crate) fn with_key(
        rig: &mut Rig,
        space: SpaceId,
        number: u8,
        known: Option<KnownEnclave>,
        key: &SigningKey,
    ) -> Self {
        let (route, id) = (
            DeviceRoute([number; 16]),
            SessionId::random(&mut KernelEntropy),
        );
        let secret = X25519Secret::generate(&mut KernelEntropy);
        let node: NodeId = rig.ready.as_ref().expect("ready").node;
        let mut terms = InitiatorTerms::app(rig.network, space, node, key.verifying_key(), &secret);
        if let Some(known) = known {
            terms = terms.knowing(known);
        }
        let now = wall_clock();
        let (initiator, first) =
            Initiator::start(&terms, &rig.verifier, now, &mut KernelEntropy).expect("starts");
        let second = exchange(rig, space, route, id, &first);
        let Ok(InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        }) = initiator.handle(now, &second, &mut rig.verifier)
        else {
            panic!("no claim");
        };
        say(rig, space, Kind::Handshake, (route, id), &frame);
        let (initiator, fourth) = state
            .supply(now, &claim.prove_with_key(key))
            .expect("evidence");
        let fifth = exchange(rig, space, route, id, &fourth);
        match initiator
            .handle(wall_clock(), &fifth, &mut rig.verifier)
            .expect("accepted")
        {
            InitiatorProgress::Open(session) => Self {
                space,
                route,
                id,
                session,
                heard: VecDeque::new(),
            },
            InitiatorProgress::NeedEvidence { .. } => panic!("not open"),
        }
    }

    /// Sends a request without waiting.
    pub(crate) fn ask(&mut self, rig: &mut Rig, request: &[u8]) {
        for frame in self.session.seal(wall_clock(), request).expect("seals") {
            say(
                rig,
                self.space,
                Kind::Transport,
                (self.route, self.id),
                &frame,
            );
        }
    }

    /// Sends requests in one frame, without waiting.
    pub(crate) fn ask_together(&mut self, rig: &mut Rig, requests: &[&[u8]]) {
        let frames = self.session.seal_all(wall_clock(), requests);
        for frame in frames.expect("seals") {
            let place = (self.route, self.id);
            say(rig, self.space, Kind::Transport, place, &frame);
        }
    }

    /// Messages that came together with those that were heard, and were not heard yet.
    pub(crate) fn waiting(&self) -> usize {
        self.heard.len()
    }

    /// The next message, and the record it depends on.
    pub(crate) fn hear(&mut self, rig: &mut Rig) -> (u64, Vec<u8>) {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return heard;
            }
            let (after, envelope) = rig.mail(self.space, self.route);
            self.take(after, &envelope);
        }
    }

    /// The next message, if one is there.
    pub(crate) fn poll(&mut self, rig: &mut Rig) -> Option<Vec<u8>> {
        if self.heard.is_empty() {
            let waiting = rig.mail.get_mut(&(self.space, self.route))?;
            let (after, envelope) = waiting.pop_front()?;
            self.take(after, &envelope);
        }
        Some(self.heard.pop_front()?.1)
    }

    /// Opens what has come: several messages may have come together.
    fn take(&mut self, after: u64, envelope: &[u8]) {
        let envelope = Envelope::parse(envelope).expect("envelope");
        assert_eq!(envelope.kind, Kind::Transport, "session is gone");
        let messages = self.session.open_all(wall_clock(), envelope.body);
        for message in messages.expect("opens") {
            self.heard.push_back((after, message.to_vec()));
        }
    }

    pub(crate) fn call(&mut self, rig: &mut Rig, request: &[u8]) -> (u64, Vec<u8>) {
        self.ask(rig, request);
        self.hear(rig)
    }

    /// Whether the session works.
    pub(crate) fn echoes(&mut self, rig: &mut Rig) -> bool {
        self.call(rig, b"echo.. hello").1 == b"echo.. hello"
    }

    pub(crate) fn is_reset(&mut self, rig: &mut Rig) -> bool {
        let (after, envelope) = rig.mail(self.space, self.route);
        after == 0 && Envelope::parse(&envelope).expect("envelope").kind == Kind::Reset
    }
}

fn say(
    rig: &mut Rig,
    space: SpaceId,
    kind: Kind,
    (device, session): (DeviceRoute, SessionId),
    body: &[u8],
) {
    let envelope = Envelope {
        kind,
        device,
        session,
        body,
    }
    .to_bytes();
    rig.send(&FromHost::Frame { space, envelope });
}

fn exchange(
    rig: &mut Rig,
    space: SpaceId,
    route: DeviceRoute,
    id: SessionId,
    body: &[u8],
) -> Vec<u8> {
    say(rig, space, Kind::Handshake, (route, id), body);
    loop {
        let (_, envelope) = rig.mail(space, route);
        let envelope = Envelope::parse(&envelope).expect("envelope");
        // What an earlier session of this device was still sent is not for this one.
        if envelope.session == id {
            assert_eq!(envelope.kind, Kind::Handshake, "no session");
            return envelope.body.to_vec();
        }
    }
}
