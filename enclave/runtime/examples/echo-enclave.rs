//! An emulated enclave whose vaults do what tests tell them, honest or not. Never part of an image.
//!
//! `echo-enclave --folder F --socket S`; the folder is made by `vettid-enclave-emulated` or, with
//! `--create`, by this program, which then is what the network accepts.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv, send};
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_runtime::boot::RELEASE;
use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::template;
use vettid_runtime::platform::emulated::EmulatedPlatform;
use vettid_runtime::platform::emulated::command::{Image, create_network};
use vettid_runtime::vault_exit::VaultExit;
use vettid_runtime::vault_process::{
    Answer, Broker, Caller, Home as ProcessHome, Received, Resident, live,
};
use vettid_vault::{Inbound, KnownHome, Outbound, Place};
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::bytes::ByteVec;
use vettid_wire::home::{self, Home, HomeNode};
use vettid_wire::id::{DeliveryId, SpaceId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::limits;
use vettid_wire::link::Entry;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::request::Head;
use vettid_wire::time::UnixMillis;

type Template = <Scripted as Resident>::Template;

/// What begins with 180 to 254 is not taken before this delivery.
const AWAITED: DeliveryId = DeliveryId([255; 16]);

/// Does what requests say.
struct Scripted {
    space: SpaceId,
    newest: u64,
    hoard: Vec<Vec<u8>>,
    place: Option<Place>,
    identity: Option<SigningKey>,
    /// Deliveries that were applied, in order.
    taken: Vec<DeliveryId>,
    /// What every later delivery is answered with.
    refuses: Option<NotTaken>,
    /// What it has sent last.
    sent: Option<Outbound>,
}

/// What `send..` is followed by: delivery, recipient, its node, body.
type Sending = (DeliveryId, VaultId, HomeNode, ByteVec);

impl Scripted {
    /// What a vault process must not do.
    fn misbehave(&mut self, word: &[u8], rest: &[u8]) {
        match word {
            b"hoard." => {
                let mib = usize::from(rest[0]);
                self.hoard.push(vec![1; mib << 20]);
            }
            b"panic." => panic!("as told"),
            b"abort." => std::process::abort(),
            b"open.." => drop(std::fs::File::open("/etc/hostname")),
            b"spin.." => loop {
                std::hint::spin_loop();
            },
            _ => {}
        }
    }

    fn record(&mut self, broker: &mut Broker<'_>, body: &[u8]) -> Result<u64, VaultExit> {
        self.newest += 1;
        let head = Head {
            number: self.newest,
            hash: [1; 32],
        };
        broker.append(head, self.newest == 1, body)?;
        Ok(self.newest)
    }

    /// A home record of the vault whose identity is made from the first byte.
    fn home(&self, seed: u8, now: UnixMillis) -> Vec<u8> {
        let key = SigningKey::from_seed(&[seed; 32]);
        let place = self.place.as_ref().expect("told where it is");
        let node = HomeNode {
            node: place.node,
            peers: place.peers.iter().cloned().map(Into::into).collect(),
            addresses: place.addresses.clone(),
        };
        Home {
            vault: VaultId::of(&key.verifying_key()),
            identity: cbor::encode(&IdentityChain::of(&key.verifying_key())),
            nodes: vec![node],
            sequence: now.0,
            expires: now.plus(3_600_000),
        }
        .sign(&key)
    }
}

/// What is to be sent.
fn sending(named: &[u8], now: UnixMillis) -> Outbound {
    let (delivery, to, home, body): Sending = cbor::decode(named).expect("sending");
    Outbound {
        delivery,
        to,
        home: KnownHome::Node(home),
        expires: now.plus(3_600_000),
        body: body.to_vec(),
    }
}

/// A message to the sessions that says what happened with a delivery.
fn news(word: &[u8], delivery: DeliveryId, rest: &[u8]) -> (Option<VerifyingKey>, Vec<u8>) {
    (None, [word, &delivery.0, rest].concat())
}

impl Resident for Scripted {
    type Template = vettid_store::Database;

    fn open(_: Template, home: ProcessHome, broker: &mut Broker<'_>) -> Result<Self, VaultExit> {
        let newest = match home.entry {
            Entry::Fresh { .. } => 0,
            Entry::Existing => broker.read_log(0)?.ok_or(VaultExit::Damaged)?.newest,
        };
        if home.head.is_some_and(|head| head.number > newest) {
            return Err(VaultExit::Damaged);
        }
        Ok(Self {
            space: home.space,
            newest,
            hoard: Vec::new(),
            place: None,
            identity: None,
            taken: Vec::new(),
            refuses: None,
            sent: None,
        })
    }

    fn admits(&self, _: &VerifyingKey) -> bool {
        true
    }

    fn call(
        &mut self,
        _: Caller,
        request: &[u8],
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        let (word, rest) = request.split_at(request.len().min(6));
        let mut answer = Answer {
            after: self.newest,
            ..Answer::default()
        };
        match word {
            b"append" => answer.after = self.record(broker, rest)?,
            // What no honest one says: more than a record holds, and a record that is not there.
            b"large." => answer.after = self.record(broker, &vec![1; limits::RECORD + 1])?,
            b"beyond" => answer.after = self.newest + 1,
            // Is unlocked: claims the vault of this identity, with the home of that one.
            b"home.." => {
                self.identity = Some(SigningKey::from_seed(&[rest[0]; 32]));
                answer.home = Some(self.home(*rest.last().unwrap(), now));
            }
            b"send.." => {
                let sent = sending(rest, now);
                answer.after = self.record(broker, &sent.delivery.0)?;
                answer.outbound.push(sent.clone());
                self.sent = Some(sent);
            }
            b"taken." => {
                answer.reply = Some(self.taken.iter().flat_map(|id| id.0).collect());
            }
            b"where." => {
                let place = self.place.as_ref().expect("told where it is");
                answer.reply = Some(place.addresses.join(" ").into_bytes());
            }
            b"refuse" => {
                self.refuses = match rest {
                    b"never" => Some(NotTaken::Never),
                    b"busy" => Some(NotTaken::Busy),
                    _ => None,
                };
            }
            b"settle" => broker.settle()?,
            b"hash.." => {
                broker.take_turn()?;
                broker.give_turn()?;
            }
            b"chunk." => assert!(broker.put_chunk(1, 0, rest, Duration::from_secs(10))?),
            b"fetch." => answer.reply = broker.fetch_chunk(1, 0, 1)?,
            b"enroll" => broker.enrolled()?,
            b"lock.." => answer.exit = Some(VaultExit::Locked),
            b"event." => answer.events.push((None, rest.to_vec())),
            _ => self.misbehave(word, rest),
        }
        answer.reply.get_or_insert_with(|| request.to_vec());
        Ok(answer)
    }

    fn claim(&self, challenge: &[u8; 32]) -> Option<[u8; 64]> {
        let identity = self.identity.as_ref()?;
        Some(home::claim(&self.space, challenge, identity).0)
    }

    fn place(
        &mut self,
        place: &Place,
        _: UnixMillis,
        _: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        self.place = Some(place.clone());
        Ok(Answer::default())
    }

    fn hand_on(&mut self, _: UnixMillis, _: &mut Broker<'_>) -> Result<Answer, VaultExit> {
        Ok(Answer {
            after: self.newest,
            outbound: self.sent.clone().into_iter().collect(),
            ..Answer::default()
        })
    }

    fn receive(
        &mut self,
        inbound: &Inbound<'_>,
        _: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Received, VaultExit> {
        let mut answer = Answer::default();
        let waits = |number: &u8| (180..255).contains(number) && !self.taken.contains(&AWAITED);
        let held = inbound.body.first().is_some_and(waits);
        if let Some(why) = self.refuses.or_else(|| held.then_some(NotTaken::Busy)) {
            let outcome = Delivered::Refused(why);
            return Ok(Received { outcome, answer });
        }
        if !self.taken.contains(&inbound.delivery) {
            self.taken.push(inbound.delivery);
            self.record(broker, inbound.body)?;
            answer
                .events
                .push(news(b"got...", inbound.delivery, inbound.body));
        }
        answer.after = self.newest;
        Ok(Received {
            outcome: Delivered::Applied,
            answer,
        })
    }

    fn settled(
        &mut self,
        delivery: DeliveryId,
        outcome: Delivered,
        _: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        let mut answer = Answer {
            after: self.record(broker, &delivery.0)?,
            ..Answer::default()
        };
        answer
            .events
            .push(news(b"done..", delivery, &cbor::encode(&outcome)));
        Ok(answer)
    }

    fn tick(&mut self, _: UnixMillis, _: &mut Broker<'_>) -> Result<Answer, VaultExit> {
        Ok(Answer::default())
    }
}

/// Lives honestly, unless the first frame holds a token hash that asks for a lie.
fn life(template: Template, socket: OwnedFd) -> u8 {
    let mut first = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut first, MsgFlags::MSG_PEEK).unwrap_or(0);
    let asks = |lie: u8| {
        first[..length]
            .windows(32)
            .any(|window| window == [lie; 32])
    };
    let say = |bytes: &[u8]| {
        let _ = send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL);
    };
    if asks(b'g') {
        say(b"\0\0\0\x04noise and more noise");
    } else if asks(b'o') {
        say(&[0xff; 64]);
    } else if asks(b'd') {
        return 66;
    } else if asks(b'a') {
        // An append that does not follow the one before: [2, [[5, hash], false, record]] twice.
        let mut append = vec![0x82, 0x02, 0x83, 0x82, 0x05, 0x58, 0x20];
        append.extend([7; 32]);
        append.extend([0xf4, 0x41, 0x00]);
        let framed = [
            &u32::try_from(append.len()).unwrap().to_be_bytes()[..],
            &append,
        ]
        .concat();
        // In one piece: the host must not have answered the first before the second is read.
        say(&framed.repeat(2));
    } else if !asks(b'n') {
        return live::<Scripted>(template, socket);
    }
    // Neither reads nor ends by itself.
    loop {
        std::hint::spin_loop();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(PathBuf::from)
    };
    let folder = value("--folder").expect("--folder");
    if arguments.iter().any(|argument| argument == "--create") {
        let (registers, release) = (None, RELEASE);
        create_network(&folder, &Image { registers, release }, false).expect("network");
        return ExitCode::SUCCESS;
    }
    let socket = value("--socket").expect("--socket");
    launch(template, life, || {
        EmulatedPlatform::open(&folder, &socket, RELEASE)
    })
}
