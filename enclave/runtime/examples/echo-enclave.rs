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
use vettid_crypto::sign::VerifyingKey;
use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::template;
use vettid_runtime::platform::emulated::EmulatedPlatform;
use vettid_runtime::platform::emulated::command::create_network;
use vettid_runtime::vault_exit::VaultExit;
use vettid_runtime::vault_process::{Answer, Broker, Caller, Home, Resident, live};
use vettid_wire::link::Entry;
use vettid_wire::request::Head;
use vettid_wire::time::UnixMillis;

type Template = <Scripted as Resident>::Template;

/// Does what requests say.
struct Scripted {
    newest: u64,
    hoard: Vec<Vec<u8>>,
}

impl Resident for Scripted {
    type Template = vettid_store::Database;

    fn open(_: Template, home: Home, broker: &mut Broker<'_>) -> Result<Self, VaultExit> {
        let newest = match home.entry {
            Entry::Fresh { .. } => 0,
            Entry::Existing => broker.read_log(0)?.ok_or(VaultExit::Damaged)?.newest,
        };
        if home.head.is_some_and(|head| head.number > newest) {
            return Err(VaultExit::Damaged);
        }
        Ok(Self {
            newest,
            hoard: Vec::new(),
        })
    }

    fn admits(&self, _: &VerifyingKey) -> bool {
        true
    }

    fn call(
        &mut self,
        _: Caller,
        request: &[u8],
        _: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        let (word, rest) = request.split_at(request.len().min(6));
        let mut answer = Answer {
            after: self.newest,
            ..Answer::default()
        };
        match word {
            b"append" => {
                self.newest += 1;
                let head = Head {
                    number: self.newest,
                    hash: [1; 32],
                };
                broker.append(head, self.newest == 1, rest)?;
                answer.after = self.newest;
            }
            b"settle" => broker.settle()?,
            b"hash.." => {
                broker.take_turn()?;
                broker.give_turn()?;
            }
            b"chunk." => assert!(broker.put_chunk(1, 0, rest, Duration::from_secs(10))?),
            b"fetch." => answer.reply = broker.fetch_chunk(1, 0, 1)?,
            b"enroll" => broker.enrolled()?,
            b"hoard." => {
                let mib = usize::from(rest[0]);
                self.hoard.push(vec![1; mib << 20]);
            }
            b"lock.." => answer.exit = Some(VaultExit::Locked),
            b"event." => answer.events.push((None, rest.to_vec())),
            b"panic." => panic!("as told"),
            b"abort." => std::process::abort(),
            b"open.." => drop(std::fs::File::open("/etc/hostname")),
            b"spin.." => loop {
                std::hint::spin_loop();
            },
            _ => {}
        }
        answer.reply.get_or_insert_with(|| request.to_vec());
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
        create_network(&folder, false).expect("network");
        return ExitCode::SUCCESS;
    }
    let socket = value("--socket").expect("--socket");
    launch(template, life, || EmulatedPlatform::open(&folder, &socket))
}
