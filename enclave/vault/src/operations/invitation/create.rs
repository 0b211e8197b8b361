//! `invitation.create`: a link that one other owner can use once.

use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::{ConnectToken, Label, SecretBytes, digest};
use vettid_store::rows::invitation::Offered;
use vettid_wire::connect::{ADDRESS_BYTES, ADDRESSES, Class, ConnectInvitation};
use vettid_wire::home::HomeNode;
use vettid_wire::id::InvitationId;
use vettid_wire::operation::invitation::{self, Created, Invitation, State};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::MINUTE;
use vettid_wire::{Secret, limits};

use super::CARD;
use crate::audit::Audit;
use crate::connect::{card, place};
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Makes a link that one other owner can use once.
pub(crate) enum Create {}

impl Operation for Create {
    type Request = invitation::Create;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const LIMIT: usize = CARD + SMALL;

    fn run(on: &mut Changing<'_>, _: App, request: invitation::Create) -> Result<Created, Stop> {
        card::check(&request.card)?;
        if let Some(label) = &request.label {
            text::line("label", limits::ALIAS, label)?;
        }
        let expires = on.now.plus(life(request.class, request.life)?);
        let (here, _) = place::here(on)?;
        let open = usize::try_from(on.change.count_open_invitations(on.now)?);
        let open = open.unwrap_or(usize::MAX);
        if open >= limits::CONNECT_INVITATIONS {
            let (max, size) = (limits::CONNECT_INVITATIONS, open.saturating_add(1));
            return Err(Refusal::limit("invitations", max, size).into());
        }
        let token = ConnectToken::generate(on.entropy);
        let secret = BoxSecret::generate(on.entropy);
        let id = InvitationId::random(on.entropy);
        let link = ConnectInvitation {
            network: here.network,
            vault: on.vault,
            home: nearest(here.node),
            token: Secret::new(token.expose(|token| token.to_vec())),
            commitment: digest::labeled(Label::ConnectCommitment, &[&secret.public().0]),
            expires,
            class: request.class,
        };
        on.about(&id.0);
        on.change.insert_invitation(&Offered {
            invitation: Invitation {
                id,
                class: request.class,
                label: request.label,
                created: on.now,
                expires,
                state: State::Open,
                connection: None,
            },
            token: token.expose(|token| digest::sha256(token)),
            secret: Some(secret),
            card: request.card,
        })?;
        Ok(Created {
            id,
            link: Secret::from(link.link().as_str()),
            expires,
        })
    }
}

/// How long an invitation may live.
fn life(class: Class, asked: Option<u64>) -> Result<u64, Stop> {
    let most = match class {
        Class::InPerson => limits::CONNECT_IN_PERSON,
        Class::Remote => limits::CONNECT_REMOTE,
    };
    match asked {
        None => Ok(most),
        Some(life) if (MINUTE..=most).contains(&life) => Ok(life),
        Some(_) => Err(Code::InvalidValue.into()),
    }
}

/// The node with as many addresses as a link has room for.
fn nearest(node: HomeNode) -> HomeNode {
    let mut room = ADDRESS_BYTES;
    let mut addresses = node.addresses;
    addresses.retain(|address| {
        let fits = address.len() <= room;
        room = room.saturating_sub(if fits { address.len() } else { 0 });
        fits
    });
    addresses.truncate(ADDRESSES);
    HomeNode {
        addresses,
        peers: node.peers.into_iter().take(1).collect(),
        ..node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::operation::invitation::Card;
    use vettid_wire::time::DAY;

    fn create(class: Class, life: Option<u64>) -> invitation::Create {
        invitation::Create {
            class,
            life,
            card: Card::default(),
            label: None,
        }
    }

    #[test]
    fn link_says_where_the_vault_is_and_how_long_it_can_be_used() {
        let mut owner = fixture::placed();

        let created = owner.call(&create(Class::InPerson, None)).expect("created");

        let text = created.link.expose(|link| String::from_utf8(link.to_vec()));
        let link = ConnectInvitation::parse(&text.expect("text")).expect("link");
        assert_eq!(link.vault, owner.vault_id);
        assert_eq!(link.expires, fixture::NOON.plus(10 * MINUTE));
        assert!(owner.audited("invitation.create", true));
    }

    #[test]
    fn life_beyond_its_class_and_a_vault_without_a_node_are_refused() {
        let mut owner = fixture::placed();
        let long = create(Class::InPerson, Some(11 * MINUTE));
        assert_eq!(owner.call(&long), refused(Code::InvalidValue));
        let long = create(Class::Remote, Some(8 * DAY));
        assert_eq!(owner.call(&long), refused(Code::InvalidValue));

        let mut alone = fixture::owner();

        let refusal = alone.call(&create(Class::Remote, None));
        assert_eq!(refusal, refused(Code::ForeignNetwork));
    }

    #[test]
    fn sixty_fifth_open_invitation_is_refused_until_one_ends() {
        let mut owner = fixture::placed();
        for _ in 0..limits::CONNECT_INVITATIONS {
            owner.call(&create(Class::InPerson, None)).expect("created");
        }

        let more = create(Class::InPerson, None);
        assert_eq!(
            owner.call(&more),
            Err(Refusal::limit("invitations", 64, 65))
        );
        owner.clock.advance(11 * MINUTE);
        assert!(owner.call(&more).is_ok());
    }
}
