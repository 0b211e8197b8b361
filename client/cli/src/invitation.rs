//! `invitation`: to be connected with another owner.

use std::io::{IsTerminal, stdout};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::connect::Class;
use vettid_sdk::wire::id::InvitationId;
use vettid_sdk::wire::operation::invitation as wire;
use vettid_sdk::wire::{Secret, limits};

use crate::failure::Failure;
use crate::link;
use crate::output::{Output, table};
use crate::secrets::Secrets;
use crate::time;

/// What to do with invitations to connect.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Invitation {
    /// Make a link that one other owner can use once
    Create {
        /// To be shown from screen to camera: lives ten minutes at most
        #[arg(long)]
        in_person: bool,
        /// Seconds that it can be used
        #[arg(long, value_name = "SECONDS")]
        life: Option<u64>,
        /// What the other owner is to see of you, once for each
        #[arg(long = "field", value_name = "NAME=VALUE")]
        fields: Vec<String>,
        /// Whom it is for, as a reminder for you
        #[arg(long)]
        label: Option<String>,
    },
    /// Use the link of another owner
    Accept {
        /// What the other owner is to see of you, once for each
        #[arg(long = "field", value_name = "NAME=VALUE")]
        fields: Vec<String>,
        /// Name that you give to the other owner
        #[arg(long)]
        alias: Option<String>,
    },
    /// Say what a link leads to, without using it
    Inspect,
    /// Every invitation that was made
    List,
    /// Take an invitation back
    Cancel {
        /// Its id
        id: InvitationId,
    },
}

/// Runs one of them. Links are secrets: whoever has one can use it.
pub(crate) async fn run(
    owner: &Owner,
    command: Invitation,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    match command {
        Invitation::Create {
            in_person,
            life,
            fields,
            label,
        } => {
            let class = match in_person {
                true => Class::InPerson,
                false => Class::Remote,
            };
            let card = card(&fields)?;
            let request = wire::Create {
                class,
                life: life.map(|seconds| seconds.saturating_mul(1_000)),
                card,
                label,
            };
            created(&owner.call(&request).await?, stdout().is_terminal())
        }
        Invitation::Accept { fields, alias } => {
            let card = card(&fields)?;
            let link = link(secrets)?;
            let request = wire::Accept { link, card, alias };
            let id = owner.call(&request).await?.connection.to_string();
            Ok(Output::new(
                format!(
                    "connection {id}\nwhen both vaults have met, `vettid connection get {id}` \
                     shows six digits to compare; if the link was used before, it says so there"
                ),
                json!({ "connection": id }),
            ))
        }
        Invitation::Inspect => inspect(owner, secrets).await,
        Invitation::List => list(owner).await,
        Invitation::Cancel { id } => {
            owner.call(&wire::Cancel { id }).await?;
            Ok(Output::done(""))
        }
    }
}

/// The link of another owner, mistyped ones found before anything is sent.
fn link(secrets: &mut Secrets) -> Result<Secret, Failure> {
    let link = secrets.current("invitation link")?;
    link::to_connect(&text(&link).unwrap_or_default())?;
    Ok(link)
}

fn created(created: &wire::Created, with_code: bool) -> Result<Output, Failure> {
    let link = text(&created.link)?;
    let code = if with_code {
        code(&link)
    } else {
        String::new()
    };
    Ok(Output::new(
        format!(
            "{link}\n{code}\ngood for one owner until {}; anybody who sees the link can use it",
            time::text(created.expires)
        ),
        json!({
            "id": created.id.to_string(),
            "link": link,
            "expires": created.expires.0,
        }),
    ))
}

/// The link as a QR code, for the camera of the other owner; nothing if it is too long for one.
fn code(link: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) else {
        return String::new();
    };
    // Most terminals show light on dark, which scanners want the other way round.
    let shown = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    format!("\n{shown}\n")
}

async fn inspect(owner: &Owner, secrets: &mut Secrets) -> Result<Output, Failure> {
    let link = link(secrets)?;
    let found = owner.call(&wire::Inspect { link }).await?;
    let class = class(found.class);
    let mut rows = vec![
        vec!["vault".to_owned(), found.vault.to_string()],
        vec!["node".into(), found.node.to_string()],
        vec!["class".into(), class.into()],
        vec!["expires".into(), time::text(found.expires)],
    ];
    if found.foreign {
        rows.push(vec!["foreign".into(), "it is of another network".into()]);
    }
    if found.own {
        rows.push(vec!["own".into(), "it is your own".into()]);
    }
    if let Some(known) = &found.known {
        rows.push(vec!["known".into(), format!("connected as {known}")]);
    }
    Ok(Output::new(
        table(&rows),
        json!({
            "vault": found.vault.to_string(),
            "node": found.node.to_string(),
            "class": class,
            "expires": found.expires.0,
            "foreign": found.foreign,
            "own": found.own,
            "known": found.known.map(|id| id.to_string()),
        }),
    ))
}

async fn list(owner: &Owner) -> Result<Output, Failure> {
    let invitations = owner.call(&wire::List {}).await?.invitations;
    let rows: Vec<_> = invitations.iter().map(row).collect();
    let json: Vec<_> = invitations.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "invitations": json })))
}

fn row(invitation: &wire::Invitation) -> Vec<String> {
    vec![
        invitation.id.to_string(),
        state(invitation.state).into(),
        class(invitation.class).into(),
        time::text(invitation.expires),
        invitation.label.clone().unwrap_or_default(),
    ]
}

fn to_json(invitation: &wire::Invitation) -> Value {
    json!({
        "id": invitation.id.to_string(),
        "class": class(invitation.class),
        "label": invitation.label,
        "created": invitation.created.0,
        "expires": invitation.expires.0,
        "state": state(invitation.state),
        "connection": invitation.connection.map(|id| id.to_string()),
    })
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::InPerson => "in-person",
        Class::Remote => "remote",
    }
}

const fn state(state: wire::State) -> &'static str {
    match state {
        wire::State::Open => "open",
        wire::State::Used => "used",
        wire::State::Canceled => "canceled",
        wire::State::Expired => "expired",
    }
}

/// Fields of a card, each `NAME=VALUE`.
fn card(fields: &[String]) -> Result<wire::Card, Failure> {
    let field = |field: &String| {
        let (name, value) = field
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--field {field}: write it as NAME=VALUE")))?;
        Ok::<_, Failure>(wire::CardField {
            name: name.to_owned(),
            value: Secret::from(value),
        })
    };
    let fields = fields.iter().map(field).collect::<Result<_, _>>()?;
    Ok(wire::Card { fields })
}

/// Text that came as a secret.
pub(crate) fn text(secret: &Secret) -> Result<String, Failure> {
    let text = secret.expose(|bytes| String::from_utf8(bytes.to_vec()));
    text.map_err(|_| Failure::System("answer", "the vault sent what is no text".into()))
}

/// What one owner shows to another, in both forms.
pub(crate) fn shown(card: &wire::Card) -> Result<Vec<(String, String)>, Failure> {
    let most = card.fields.iter().take(limits::PAGE);
    most.map(|field| Ok((field.name.clone(), text(&field.value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::time::UnixMillis;

    #[test]
    fn code_is_shown_to_people_and_the_link_alone_to_pipes() {
        let made = wire::Created {
            id: InvitationId([1; 16]),
            link: "vettid:connect?d=connect1xyz".into(),
            expires: UnixMillis(0),
        };

        let (shown, piped) = (
            created(&made, true).unwrap(),
            created(&made, false).unwrap(),
        );

        assert!(shown.text.contains('\u{2588}') && !piped.text.contains('\u{2588}'));
        assert!(piped.text.starts_with("vettid:connect?d=connect1xyz\n"));
        assert_eq!(shown.json, piped.json);
    }

    #[test]
    fn mistyped_link_is_found_before_anything_is_sent() {
        let refused = link(&mut Secrets::of("vettid:connect?d=connect1xyz\n")).unwrap_err();

        assert_eq!(refused.exit_code(), 2);
        assert_eq!(refused.to_json()["error"]["code"], "not-an-invitation");
    }

    #[test]
    fn fields_of_a_card_are_names_and_values() {
        let card = card(&["name=Ada".into(), "note=a=b".into()]).unwrap();

        let shown = shown(&card).unwrap();
        assert_eq!(shown[0], ("name".into(), "Ada".into()));
        assert_eq!(shown[1], ("note".into(), "a=b".into()));
        let error = super::card(&["name".into()]).unwrap_err();
        assert_eq!(error.message(), "--field name: write it as NAME=VALUE");
    }
}
