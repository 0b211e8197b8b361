//! The side that was invited.

use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_crypto::{Label, ReplyKey, SecretBytes, digest, seal, sealed_box};
use vettid_store::rows::connection::Connection;
use vettid_wire::connect::ConnectInvitation;
use vettid_wire::content::{Answer, Hello, Offer, Parcel, Sealed, Signed, Welcome};
use vettid_wire::home::Home;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{Settings, State};
use vettid_wire::operation::invitation::Card;
use vettid_wire::refusal::Code;
use vettid_wire::{Secret, cbor};

use super::statement::{self, Side, Stated};
use super::{Agreed, agree};
use crate::connect::post::Address;
use crate::connect::receive::Verdict;
use crate::connect::{Known, Progress, card, known, place};
use crate::effect::Changing;
use crate::mls::{Keys, Member, Mls, Suite};
use crate::stop::Stop;

/// Begins a connection with whoever made the invitation.
pub(crate) fn hello(
    on: &mut Changing<'_>,
    invitation: &ConnectInvitation,
    card: Card,
    alias: Option<String>,
) -> Result<ConnectionId, Stop> {
    let (_, record) = place::here(on)?;
    let id = ConnectionId::random(on.entropy);
    let hello = Hello {
        connection: id,
        token: invitation.token.expose(digest::sha256),
        home: record,
    };
    let home = Known::Node(invitation.home.clone());
    let connection = Connection {
        id,
        state: State::Agreeing,
        vault: invitation.vault,
        inviter: false,
        created: on.now,
        active: on.now,
        card: Card::default(),
        safety_code: None,
        verified: None,
        settings: Settings {
            alias,
            ..Settings::default()
        },
        home: cbor::encode(&home),
        progress: Progress::ExpectOffer {
            hello: cbor::encode(&hello),
            commitment: invitation.commitment,
            card,
        }
        .keep(),
        token: Some(hello.token),
        ended: None,
    };
    on.change.put_connection(&connection)?;
    on.post(Address::of(&connection, &home), &Parcel::Hello(hello))?;
    Ok(id)
}

/// The inviting vault has shown its key.
pub(crate) fn offered(
    on: &mut Changing<'_>,
    connection: Connection,
    offer: &Offer,
) -> Result<Verdict, Stop> {
    let bytes = cbor::encode(offer);
    match Progress::of(connection.progress.as_ref())? {
        Some(Progress::ExpectOffer {
            hello,
            commitment,
            card,
        }) if !connection.inviter => {
            let shown = digest::labeled(Label::ConnectCommitment, &[&offer.key]);
            if !digest::same(&shown, &commitment) || offer.key.len() != sealed_box::PUBLIC_KEY {
                return Ok(Verdict::Never);
            }
            answer(on, connection, (&hello, &bytes, offer), card)
        }
        Some(Progress::ExpectWelcome {
            offer: answered,
            answer,
            ..
        }) if answered == bytes => {
            let home = Known::decode(&connection.home)?;
            let parcel = Parcel::Answer(Sealed {
                connection: connection.id,
                bytes: answer,
            });
            on.withdraw_unsequenced(&connection.id)?;
            on.post(Address::of(&connection, &home), &parcel)?;
            Ok(Verdict::Taken)
        }
        _ => Ok(Verdict::Never),
    }
}

fn answer(
    on: &mut Changing<'_>,
    mut connection: Connection,
    (hello, bytes, offer): (&[u8], &[u8], &Offer),
    card: Card,
) -> Result<Verdict, Stop> {
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    let key_package = Mls::of(on, connection.id).key_package(&keys, Suite::Hybrid)?;
    let (reply_key, mut nonce) = (ReplyKey::generate(on.entropy), [0; 32]);
    on.entropy.fill(&mut nonce);
    let reply_key = Secret::new(reply_key.expose(|key| key.to_vec()));
    let core = cbor::encode(&Answer {
        identity: cbor::encode(&crate::identity::chain(**on.change)?),
        key_package,
        nonce,
        card,
        reply_key: reply_key.clone(),
    });
    let transcript = statement::transcript(hello, bytes, &connection.vault, &on.vault, &core);
    let identity = on.change.identity_key()?.ok_or(Code::Internal)?;
    let signed = Stated {
        side: Side::Invited,
        transcript: &transcript,
        core: &core,
        key: &keys.signer.verifying_key().0,
    }
    .sign(&identity);
    let context: &[&[u8]] = &[&connection.id.0, hello, bytes];
    let sealed = sealed_box::BoxPublic(offer.key.clone())
        .seal(
            Label::ConnectSealed,
            context,
            &cbor::encode(&signed),
            on.entropy,
        )
        .map_err(|_| Code::InvalidValue)?;
    connection.progress = Progress::ExpectWelcome {
        offer: bytes.to_vec(),
        answer: sealed.clone(),
        transcript,
        nonce,
        committed: offer.nonce,
        reply_key,
        signer: Secret::new(keys.signer.expose_seed(|seed| seed.to_vec())),
    }
    .keep();
    on.change.put_connection(&connection)?;
    let home = Known::decode(&connection.home)?;
    on.withdraw_unsequenced(&connection.id)?;
    let parcel = Parcel::Answer(Sealed {
        connection: connection.id,
        bytes: sealed,
    });
    on.post(Address::of(&connection, &home), &parcel)?;
    Ok(Verdict::Taken)
}

/// The inviting vault has welcomed this one.
pub(crate) fn welcomed(
    on: &mut Changing<'_>,
    connection: Connection,
    sealed: &[u8],
) -> Result<Verdict, Stop> {
    let Some(Progress::ExpectWelcome {
        transcript,
        nonce,
        committed,
        reply_key,
        signer,
        ..
    }) = Progress::of(connection.progress.as_ref())?
    else {
        // Agreed already: the same welcome again, whose delivery has another id.
        let agreed = on.change.channel(&connection.id)?.is_some() && !connection.inviter;
        return Ok(if agreed {
            Verdict::Taken
        } else {
            Verdict::Never
        });
    };
    let opened = open(&reply_key, &connection.id, sealed);
    let checked = opened.and_then(|signed| check(on, &connection, &committed, signed));
    let Some(checked) = checked else {
        return Ok(Verdict::Never);
    };
    conclude(on, connection, checked, (signer, &transcript, &nonce))
}

/// Joins the group that this vault was welcomed into.
fn conclude(
    on: &mut Changing<'_>,
    connection: Connection,
    checked: Checked,
    (signer, transcript, nonce): (Secret, &[u8; 32], &[u8; 32]),
) -> Result<Verdict, Stop> {
    let welcome = checked.welcome;
    let joined = join(on, &connection, &signer, &welcome.welcome)?;
    let Some((mls, peer)) = joined else {
        return Ok(Verdict::Never);
    };
    let stated = Stated {
        side: Side::Inviting,
        transcript,
        core: &checked.signed.core,
        key: &peer,
    };
    if !stated.is_signed(&checked.identity, &checked.signed.signature) {
        return Err(Code::InvalidValue.into());
    }
    let resume = Mls::of(on, connection.id).export(&mls, RESUME)?;
    let connection = Connection {
        card: welcome.card,
        home: cbor::encode(&Known::record(&checked.home, &welcome.home)),
        active: on.now,
        ..connection
    };
    on.withdraw_unsequenced(&connection.id)?;
    let agreed = Agreed {
        mls,
        signer,
        peer,
        rotations: known::rotations(&welcome.identity),
        resume: Secret::new(resume),
        code: statement::code(transcript, &welcome.nonce, nonce),
        welcomed: None,
    };
    agree(on, connection, agreed)?;
    Ok(Verdict::Taken)
}

/// A welcome that fits what was said before; its signature is still to be checked.
struct Checked {
    signed: Signed,
    welcome: Welcome,
    identity: VerifyingKey,
    home: Home,
}

fn check(
    on: &Changing<'_>,
    connection: &Connection,
    committed: &[u8; 32],
    signed: Signed,
) -> Option<Checked> {
    let welcome: Welcome = cbor::decode(&signed.core).ok()?;
    let fits = statement::commitment(&welcome.nonce) == *committed;
    if !fits || !card::is_bounded(&welcome.card) {
        return None;
    }
    Some(Checked {
        identity: known::speaks_for(&welcome.identity, &connection.vault)?,
        home: known::open_home(&welcome.home, &connection.vault, on.now)?,
        signed,
        welcome,
    })
}

fn open(reply_key: &Secret, id: &ConnectionId, sealed: &[u8]) -> Option<Signed> {
    let key = reply_key.expose(|key| key.try_into().ok().map(ReplyKey::from_bytes))?;
    let plain = seal::open(&key, Label::ConnectSealed, &[&id.0], sealed).ok()?;
    cbor::decode(&plain).ok()
}

/// Id of the group of two, and the key of the other one in it.
pub(crate) type GroupAndKey = ([u8; 16], [u8; 32]);

/// Joins the group of two.
pub(crate) fn join(
    on: &mut Changing<'_>,
    connection: &Connection,
    signer: &Secret,
    welcome: &[u8],
) -> Result<Option<GroupAndKey>, Stop> {
    let mls = Mls::of(on, connection.id);
    let Ok(joined) = mls.join(welcome, Suite::Hybrid) else {
        return Ok(None);
    };
    let own = signer
        .expose(|seed| seed.try_into().ok().map(SigningKey::from_seed))
        .ok_or(Code::Internal)?;
    let own = Member {
        vault: on.vault,
        key: own.verifying_key().0,
    };
    let Ok(id) = <[u8; 16]>::try_from(joined.id.as_slice()) else {
        return Err(Code::InvalidValue.into());
    };
    let &[first, second] = joined.members.as_slice() else {
        return Err(Code::InvalidValue.into());
    };
    let other = if first == own { second } else { first };
    if ![first, second].contains(&own) || other.vault != connection.vault || other == own {
        return Err(Code::InvalidValue.into());
    }
    Ok(Some((id, other.key)))
}

/// What the key for a new group is exported as.
pub(crate) const RESUME: &str = "vettid resume";
