//! The outbox: what goes to other vaults, until it is known what became of it.

use vettid_store::View;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::outbox::{Entry, Outgoing};
use vettid_wire::content::Parcel;
use vettid_wire::id::{ConnectionId, DeliveryId, MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::refusal::Refusal;
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor, limits};

use super::Known;
use crate::Outbound;
use crate::effect::Changing;
use crate::stop::Stop;

/// What is known of something that goes out, beside its body.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    /// For which vault.
    pub(crate) to: VaultId,
    /// Where that vault was.
    pub(crate) home: &'a Known,
    /// Connection that it is said in; none for a member of a group.
    pub(crate) connection: Option<ConnectionId>,
    /// Its sequence there.
    pub(crate) sequence: Option<u64>,
    /// Useless after this, unless it has the time that every delivery has.
    pub(crate) expires: Option<UnixMillis>,
    /// Message whose receipt follows from it.
    pub(crate) message: Option<MessageId>,
    /// What it says, to seal it anew when the keys were lost.
    pub(crate) said: Option<Secret>,
}

impl<'a> Address<'a> {
    /// For the vault of a connection, before or beside its keys.
    pub(crate) fn of(connection: &Connection, home: &'a Known) -> Self {
        Self {
            to: connection.vault,
            home,
            connection: Some(connection.id),
            sequence: None,
            expires: None,
            message: None,
            said: None,
        }
    }
}

impl Changing<'_> {
    /// Puts something into the outbox and hands it on when this is committed.
    pub(crate) fn post(&mut self, address: Address<'_>, parcel: &Parcel) -> Result<(), Stop> {
        let bytes = cbor::encode(parcel);
        let body = self.change.insert_body(&bytes)?;
        self.post_body(address, body, bytes)
    }

    /// The same, with a body that others share.
    pub(crate) fn post_body(
        &mut self,
        address: Address<'_>,
        body: u64,
        bytes: Vec<u8>,
    ) -> Result<(), Stop> {
        if bytes.len() > limits::DELIVERY {
            // Nobody would carry it.
            let refusal = Refusal::limit("delivery", limits::DELIVERY, bytes.len());
            return Err(refusal.into());
        }
        let delivery = DeliveryId::random(self.entropy);
        let usual = self.now.plus(limits::DELIVERY_TIME);
        let expires = address.expires.unwrap_or(usual);
        self.change.insert_outgoing(&Outgoing {
            delivery,
            vault: address.to,
            connection: address.connection,
            sequence: address.sequence,
            message: address.message,
            expires,
            said: address.said,
            body,
        })?;
        self.traces.news.outbound.push(Outbound {
            delivery,
            to: address.to,
            home: address.home.clone().handed_on(),
            expires,
            body: bytes,
        });
        Ok(())
    }

    /// Hands an entry on once more that the other node has kept: it may have lost it.
    pub(crate) fn hand_on_again(&mut self, entry: &Entry) -> Result<(), Stop> {
        self.change.mark_stored(entry.number, self.now)?;
        let again = handed_on(**self.change, entry.clone())?;
        self.traces.news.outbound.extend(again);
        Ok(())
    }

    /// Takes everything out of the outbox that a connection has there beside its sequence.
    pub(crate) fn withdraw_unsequenced(&mut self, id: &ConnectionId) -> Result<(), Stop> {
        for entry in self.change.outgoing_on(id)? {
            if entry.outgoing.sequence.is_none() && !entry.again {
                self.change.remove_outgoing(&entry)?;
            }
        }
        Ok(())
    }
}

/// Everything that is still to be delivered, oldest first.
pub(crate) fn waiting(view: View<'_>) -> Result<Vec<Outbound>, Stop> {
    let (mut all, mut behind) = (Vec::new(), 0);
    loop {
        let page = view.outbox(behind, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        behind = last.number;
        for entry in page {
            all.extend(handed_on(view, entry)?);
        }
    }
}

/// One entry, as it is handed on; none if nobody knows any more where it goes.
fn handed_on(view: View<'_>, entry: Entry) -> Result<Option<Outbound>, Stop> {
    let outgoing = entry.outgoing;
    let home = match outgoing.connection {
        Some(id) => match view.connection(&id)? {
            Some(found) => Some(Known::decode(&found.home)?),
            None => None,
        },
        None => home_of(view, &outgoing.vault)?,
    };
    let Some(home) = home else {
        return Ok(None);
    };
    Ok(Some(Outbound {
        delivery: outgoing.delivery,
        to: outgoing.vault,
        home: home.handed_on(),
        expires: outgoing.expires,
        body: view.body(outgoing.body)?,
    }))
}

/// Where a member of a group was: as a connection with it says, or the newest record that a creator has
/// told, if any has.
pub(crate) fn home_of(view: View<'_>, member: &VaultId) -> Result<Option<Known>, Stop> {
    let with = view.connections_with(member)?;
    let active = with.iter().find(|(_, state)| *state == State::Active);
    if let Some((id, _)) = active
        && let Some(found) = view.connection(id)?
    {
        return Known::decode(&found.home).map(Some);
    }
    let told = view.homes_of_member(member)?;
    let told = told.iter().map(|home| {
        let home = home.as_deref();
        home.map_or_else(|| Ok(Known::nowhere()), Known::decode)
    });
    let told: Vec<_> = told.collect::<Result<_, _>>()?;
    Ok(told.into_iter().max_by_key(Known::standing))
}

/// Entries that are read at once.
const PAGE: u32 = 256;
