//! From start to service.
//!
//! | state | holds | has happened | next |
//! |---|---|---|---|
//! | [`Measured`] | binding key | entropy checked; binding key committed to, registers locked | [`Measured::hear`] |
//! | [`Heard`] | host connection, network | host connected and named the network | [`Heard::unseal`] |
//! | [`Serving`] | sealing root, node identity, evidence | the platform gave its secret to this image, and earlier releases theirs | the supervisor |
//!
//! Each state is a type that only the one before it makes, and each step fails closed. No socket
//! exists before [`Measured::hear`]. The host is heard first, since whoever keeps the secret may be
//! reached through it alone; what it says cannot reach the secret.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use vettid_attestation::{Bundle, Measurement, Policy, PolicyError};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Label, MailboxKey, SealingRoot, SecretBytes, digest};
use vettid_wire::cbor;
use vettid_wire::id::NodeId;
use vettid_wire::link::{FromHost, Hello, Ready};
use vettid_wire::network::{Network, NetworkError, SignedNetwork};
use vettid_wire::{limits, version};

use crate::evidence::Evidence;
use crate::flow::{self, FlowError, Inflow};
use crate::handover::{HandoverError, Settling, Shared};
use crate::host_line::HostLine;
use crate::platform::{KernelEntropy, Platform, PlatformError};

/// Number of the release that this program is.
pub const RELEASE: u32 = 1;

/// A host says its first word within this time.
const HELLO_TIME: Duration = Duration::from_secs(10);

/// Why the enclave does not serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BootError {
    /// The platform does not give what it must.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// What is shared with other releases is not as it must be.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The host's connection broke off or its first frame was too long.
    #[error("host: {0}")]
    Flow(#[from] FlowError),
    /// The host's first frame is something else than a greeting, or came too late.
    #[error("host did not greet")]
    NoHello,
    /// The host names more PeerIds, or longer ones, than are attested.
    #[error("host names too many or too long PeerIds")]
    HostPeers,
    /// The host speaks another version of the link.
    #[error("host speaks link version {0}")]
    Version(u16),
    /// The network file that the host handed over is not accepted.
    #[error("network file: {0}")]
    Network(#[from] NetworkError),
    /// The network file makes no policy.
    #[error("network file: {0}")]
    Policy(#[from] PolicyError),
    /// The network stands on another trust root than this platform's documents chain to.
    #[error("network file is of another trust root than this enclave's")]
    ForeignRoot,
}

/// An enclave whose boot is bound to its binding key.
#[derive(Debug)]
pub struct Measured<P> {
    platform: P,
    binding: SigningKey,
}

/// An enclave whose host has greeted it, and which has no secret yet.
#[derive(Debug)]
pub struct Heard<P> {
    measured: Measured<P>,
    link: OwnedFd,
    inflow: Inflow,
    hello: Hello,
    network: Network,
    policy: Policy,
}

/// An enclave with a host and its lasting secret.
#[derive(Debug)]
pub struct Serving<P> {
    pub(crate) platform: P,
    pub(crate) sealing_root: SealingRoot,
    pub(crate) mailbox: MailboxKey,
    pub(crate) shared: Shared,
    pub(crate) link: OwnedFd,
    pub(crate) inflow: Inflow,
    pub(crate) hello: Hello,
    pub(crate) network: Network,
    pub(crate) policy: Policy,
    pub(crate) node: NodeId,
    pub(crate) evidence: Evidence,
    pub(crate) ready: Ready,
}

impl<P: Platform> Measured<P> {
    /// Checks entropy, draws the binding key and commits the boot to it.
    ///
    /// # Errors
    /// When the platform does not give one of them.
    pub fn new(mut platform: P) -> Result<Self, BootError> {
        platform.check_entropy()?;
        let binding = SigningKey::generate(&mut KernelEntropy);
        let release = platform.release().to_be_bytes();
        let parts: [&[u8]; 2] = [&binding.verifying_key().0, &release];
        platform.commit(&digest::labeled384(Label::EnclaveConfig, &parts))?;
        Ok(Self { platform, binding })
    }

    /// Opens the socket, waits for the host and hears what network this is.
    ///
    /// # Errors
    /// When nobody connects or what the host says is not acceptable.
    pub fn hear(mut self) -> Result<Heard<P>, BootError> {
        self.platform.listen()?;
        let link = self.platform.accept()?;
        let mut inflow = Inflow::new(limits::LINK_FRAME);
        let hello = read_hello(&link, &mut inflow)?;
        let network = SignedNetwork::verify(&hello.network)?;
        let policy = Policy::of_network(&network)?;
        if network.trust_root != self.platform.trust_root() {
            return Err(BootError::ForeignRoot);
        }
        Ok(Heard {
            measured: self,
            link,
            inflow,
            hello,
            network,
            policy,
        })
    }
}

impl<P: Platform> Heard<P> {
    /// Asks the platform for its secret, settles with the host what is shared with other releases, and
    /// says who this node is; nothing where the host only wanted to know what earlier releases seal to.
    ///
    /// # Errors
    /// When the platform does not give its secret to this image, what other releases left is not as it
    /// must be, or the host names too many PeerIds.
    pub fn unseal(self) -> Result<Option<Serving<P>>, BootError> {
        let Measured {
            mut platform,
            binding,
        } = self.measured;
        let mut inflow = self.inflow;
        let mut host = HostLine::new(&self.link, &mut inflow);
        let settled = platform
            .sealing_root(&mut host)
            .map_err(BootError::from)
            .and_then(|root| {
                let mut settling = Settling {
                    platform: &mut platform,
                    root: &root,
                    network: &self.network,
                    policy: &self.policy,
                };
                let settled = settling.settle(&mut host, &mut KernelEntropy)?;
                Ok((root, settled))
            });
        let (sealing_root, settled) = match settled {
            Ok(settled) => settled,
            Err(error) => {
                // Hardware shows its console to nobody, so the host's operator is told.
                host.fail(&error.to_string());
                return Err(error);
            }
        };
        let Some((secrets, shared)) = settled else {
            return Ok(None);
        };
        let identity = secrets.identity.expose(SigningKey::from_seed);
        let release = platform.release();
        let node = NodeId(identity.verifying_key().0);
        let config = digest::labeled(Label::EnclaveConfig, &[&cbor::encode(&self.hello)]);
        let peers: Vec<Vec<u8>> = self.hello.peers.iter().map(|peer| peer.to_vec()).collect();
        let bundle = Bundle::new(binding.verifying_key(), node, &peers, None, release, config)
            .map_err(|_| BootError::HostPeers)?;
        let evidence = Evidence::new(binding, &bundle, self.network.id(), self.network.epoch);
        let ready = ready(&platform, node);
        Ok(Some(Serving {
            platform,
            sealing_root,
            mailbox: secrets.mailbox,
            shared,
            link: self.link,
            inflow,
            hello: self.hello,
            network: self.network,
            policy: self.policy,
            node,
            evidence,
            ready,
        }))
    }
}

fn ready(platform: &impl Platform, node: NodeId) -> Ready {
    Ready {
        version: version::LINK,
        node,
        release: platform.release(),
        measurement: registers(&platform.measurement()),
    }
}

/// PCR0, PCR1 and PCR2 behind each other, as the host gets them.
pub(crate) fn registers(measurement: &Measurement) -> [u8; 144] {
    let mut registers = [0; 144];
    let all = measurement
        .pcr0()
        .iter()
        .chain(measurement.pcr1())
        .chain(measurement.pcr2());
    for (to, from) in registers.iter_mut().zip(all) {
        *to = *from;
    }
    registers
}

/// The first frame, which must be a greeting in a version that is spoken here.
fn read_hello(link: &OwnedFd, inflow: &mut Inflow) -> Result<Hello, BootError> {
    let until = Instant::now() + HELLO_TIME;
    loop {
        if let Some(frame) = inflow.next_frame()? {
            return match cbor::decode_exact(frame) {
                Ok(FromHost::Hello(hello)) if hello.version == version::LINK => Ok(hello),
                Ok(FromHost::Hello(hello)) => Err(BootError::Version(hello.version)),
                _ => Err(BootError::NoHello),
            };
        }
        if !flow::wait(link, PollFlags::POLLIN, until)? {
            return Err(BootError::NoHello);
        }
        inflow.fill(link)?;
    }
}
