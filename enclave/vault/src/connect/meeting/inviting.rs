//! The side that has invited.

use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Label, ReplyKey, SecretBytes, digest, seal};
use vettid_store::rows::connection::Connection;
use vettid_store::rows::invitation::Offered;
use vettid_wire::content::{Answer, Hello, Offer, Parcel, Sealed, Signed, Welcome};
use vettid_wire::home::Home;
use vettid_wire::id::{ConnectionId, GroupId};
use vettid_wire::operation::connection::{Settings, State};
use vettid_wire::operation::invitation::{self, Card};
use vettid_wire::refusal::Code;
use vettid_wire::{Secret, cbor, limits};

use super::invited::RESUME;
use super::statement::{self, Side, Stated};
use super::{Agreed, agree};
use crate::connect::post::Address;
use crate::connect::progress::Welcomed;
use crate::connect::receive::Verdict;
use crate::connect::{Known, Progress, card, known, place};
use crate::effect::Changing;
use crate::mls::{Keys, Mls, Suite};
use crate::stop::Stop;

/// Somebody uses an invitation.
pub(crate) fn greeted(on: &mut Changing<'_>, hello: &Hello) -> Result<Verdict, Stop> {
    let before = on.change.connection(&hello.connection)?;
    let offered = on.change.invitation_of(&hello.token)?;
    let offered = offered.filter(|offered| is_open(offered, on));
    // Signatures cost the most, and anybody may say this.
    if before.is_none() && offered.is_none() {
        return Ok(Verdict::Never);
    }
    let Some(home) = known::open_any_home(&hello.home, on.now) else {
        return Ok(Verdict::Never);
    };
    let with = on.change.connections_with(&home.vault)?;
    if with.iter().any(|(_, state)| *state == State::Blocked) {
        return Ok(Verdict::Ignored);
    }
    if let Some(connection) = before {
        return repeat_offer(on, connection, hello, &home);
    }
    let Some(offered) = offered else {
        return Ok(Verdict::Never);
    };
    // Nothing that is kept by its id may be taken for something of another kind.
    let of_group = on.change.group(&GroupId(hello.connection.0))?.is_some();
    if of_group || home.vault == on.vault {
        return Ok(Verdict::Never);
    }
    if usize::try_from(on.change.count_connections()?).unwrap_or(usize::MAX) >= limits::CONNECTIONS
    {
        return Ok(Verdict::Full);
    }
    offer(on, offered, hello, &home)
}

fn is_open(offered: &Offered, on: &Changing<'_>) -> bool {
    let invitation = &offered.invitation;
    invitation.state == invitation::State::Open && invitation.expires > on.now
}

/// The same greeting again gets the same offer.
fn repeat_offer(
    on: &mut Changing<'_>,
    connection: Connection,
    hello: &Hello,
    home: &Home,
) -> Result<Verdict, Stop> {
    let Some(Progress::ExpectAnswer {
        hello: answered,
        offer,
        ..
    }) = Progress::of(connection.progress.as_ref())?
    else {
        return Ok(Verdict::Never);
    };
    let before: Hello = cbor::decode(&answered).map_err(|_| Code::Internal)?;
    if before.token != hello.token || connection.vault != home.vault {
        return Ok(Verdict::Never);
    }
    let offer = cbor::decode(&offer).map_err(|_| Code::Internal)?;
    on.withdraw_unsequenced(&connection.id)?;
    let home = Known::decode(&connection.home)?;
    on.post(Address::of(&connection, &home), &Parcel::Offer(offer))?;
    Ok(Verdict::Taken)
}

/// Spends the invitation and shows its key.
fn offer(
    on: &mut Changing<'_>,
    offered: Offered,
    hello: &Hello,
    home: &Home,
) -> Result<Verdict, Stop> {
    let secret = offered.secret.ok_or(Code::Internal)?;
    let mut nonce = [0; 32];
    on.entropy.fill(&mut nonce);
    let offer = Offer {
        connection: hello.connection,
        key: secret.public().0,
        nonce: statement::commitment(&nonce),
    };
    let id = hello.connection;
    let state = invitation::State::Used;
    on.change
        .end_invitation(&offered.invitation.id, state, Some(&id))?;
    let at = Known::record(home, &hello.home);
    let connection = Connection {
        id,
        state: State::Agreeing,
        vault: home.vault,
        inviter: true,
        created: on.now,
        active: on.now,
        card: Card::default(),
        safety_code: None,
        verified: None,
        settings: Settings {
            alias: offered.invitation.label,
            ..Settings::default()
        },
        home: cbor::encode(&at),
        progress: Progress::ExpectAnswer {
            hello: cbor::encode(hello),
            offer: cbor::encode(&offer),
            secret: Secret::new(secret.expose(|seed| seed.to_vec())),
            nonce,
            card: offered.card,
        }
        .keep(),
        token: None,
        ended: None,
    };
    on.change.put_connection(&connection)?;
    on.post(Address::of(&connection, &at), &Parcel::Offer(offer))?;
    Ok(Verdict::Taken)
}

/// Whoever was invited has answered.
pub(crate) fn answered(
    on: &mut Changing<'_>,
    connection: Connection,
    sealed: &[u8],
) -> Result<Verdict, Stop> {
    match Progress::of(connection.progress.as_ref())? {
        Some(Progress::ExpectAnswer {
            hello,
            offer,
            secret,
            nonce,
            card,
        }) => {
            let Some((answer, signed)) = open(&secret, &connection.id, (&hello, &offer), sealed)
            else {
                return Ok(Verdict::Never);
            };
            let said = Words {
                hello: &hello,
                offer: &offer,
                sealed,
                nonce,
            };
            welcome(on, connection, &said, (&answer, &signed), card)
        }
        Some(Progress::Agreed {
            welcomed: Some(welcomed),
            ..
        }) if welcomed.answer == digest::sha256(sealed) => {
            let home = Known::decode(&connection.home)?;
            let parcel = Parcel::Welcome(Sealed {
                connection: connection.id,
                bytes: welcomed.welcome,
            });
            on.withdraw_unsequenced(&connection.id)?;
            on.post(Address::of(&connection, &home), &parcel)?;
            Ok(Verdict::Taken)
        }
        _ => Ok(Verdict::Never),
    }
}

/// What was said so far.
struct Words<'a> {
    hello: &'a [u8],
    offer: &'a [u8],
    sealed: &'a [u8],
    nonce: [u8; 32],
}

fn open(
    secret: &Secret,
    id: &ConnectionId,
    (hello, offer): (&[u8], &[u8]),
    sealed: &[u8],
) -> Option<(Answer, Signed)> {
    let secret = secret.expose(|seed| seed.try_into().ok().map(BoxSecret::from_bytes))?;
    let context: &[&[u8]] = &[&id.0, hello, offer];
    let plain = secret.open(Label::ConnectSealed, context, sealed).ok()?;
    let signed: Signed = cbor::decode(&plain).ok()?;
    let answer: Answer = cbor::decode(&signed.core).ok()?;
    (card::is_bounded(&answer.card) && answer.reply_key.len() == 32).then_some((answer, signed))
}

/// Makes the group of two and welcomes the other vault into it.
fn welcome(
    on: &mut Changing<'_>,
    connection: Connection,
    said: &Words<'_>,
    (answer, signed): (&Answer, &Signed),
    card: Card,
) -> Result<Verdict, Stop> {
    let mls = Mls::of(on, connection.id);
    let Ok(peer) = mls.owner_of(&answer.key_package, Suite::Hybrid) else {
        return Ok(Verdict::Never);
    };
    let core = &signed.core;
    let transcript =
        statement::transcript(said.hello, said.offer, &on.vault, &connection.vault, core);
    let stated = Stated {
        side: Side::Invited,
        transcript: &transcript,
        core,
        key: &peer.key,
    };
    let identity = known::speaks_for(&answer.identity, &connection.vault);
    let signed = identity.is_some_and(|key| stated.is_signed(&key, &signed.signature));
    if !signed || peer.vault != connection.vault {
        return Ok(Verdict::Never);
    }
    let group = Group::found(on, &connection, &answer.key_package)?;
    let sealed = state(on, &connection, (said, answer), (&group, card, &transcript))?;
    let connection = Connection {
        card: answer.card.clone(),
        active: on.now,
        ..connection
    };
    let home = Known::decode(&connection.home)?;
    on.withdraw_unsequenced(&connection.id)?;
    let parcel = Parcel::Welcome(Sealed {
        connection: connection.id,
        bytes: sealed.clone(),
    });
    on.post(Address::of(&connection, &home), &parcel)?;
    let agreed = Agreed {
        mls: group.id,
        signer: Secret::new(group.keys.signer.expose_seed(|seed| seed.to_vec())),
        peer: peer.key,
        rotations: known::rotations(&answer.identity),
        resume: group.resume,
        code: statement::code(&transcript, &said.nonce, &answer.nonce),
        welcomed: Some(Welcomed {
            answer: digest::sha256(said.sealed),
            welcome: sealed,
        }),
    };
    agree(on, connection, agreed)?;
    Ok(Verdict::Taken)
}

/// The group of two.
struct Group {
    id: [u8; 16],
    keys: Keys,
    welcome: Vec<u8>,
    resume: Secret,
}

impl Group {
    fn found(on: &mut Changing<'_>, connection: &Connection, package: &[u8]) -> Result<Self, Stop> {
        let keys = Keys {
            vault: on.vault,
            signer: SigningKey::generate(on.entropy),
        };
        let mut id = [0; 16];
        on.entropy.fill(&mut id);
        let mls = Mls::of(on, connection.id);
        mls.found(&keys, &id, Suite::Hybrid)?;
        let welcome = mls.add(&keys, &id, &[package])?.welcome;
        let resume = Secret::new(mls.export(&id, RESUME)?);
        Ok(Self {
            id,
            keys,
            welcome,
            resume,
        })
    }
}

/// What this side states, sealed.
fn state(
    on: &mut Changing<'_>,
    connection: &Connection,
    (said, answer): (&Words<'_>, &Answer),
    (group, card, transcript): (&Group, Card, &[u8; 32]),
) -> Result<Vec<u8>, Stop> {
    let (_, home) = place::here(on)?;
    let core = cbor::encode(&Welcome {
        identity: cbor::encode(&crate::identity::chain(**on.change)?),
        home,
        welcome: group.welcome.clone(),
        nonce: said.nonce,
        card,
    });
    let identity = on.change.identity_key()?.ok_or(Code::Internal)?;
    let signed = Stated {
        side: Side::Inviting,
        transcript,
        core: &core,
        key: &group.keys.signer.verifying_key().0,
    }
    .sign(&identity);
    let key = answer
        .reply_key
        .expose(|key| key.try_into().ok().map(ReplyKey::from_bytes))
        .ok_or(Code::InvalidValue)?;
    Ok(seal::seal(
        &key,
        Label::ConnectSealed,
        &[&connection.id.0],
        &cbor::encode(&signed),
        on.entropy,
    ))
}
