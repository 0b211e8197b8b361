//! `tag`: words that items are found by.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::tag as wire;

use crate::failure::Failure;
use crate::output::{Output, table};

/// What to do with tags.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Tag {
    /// Every tag with the number of its items
    List,
    /// Create a tag, or replace its color and description
    Put {
        /// Its name
        name: String,
        /// Color for display
        #[arg(long)]
        color: Option<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Give a tag another name
    Rename {
        /// Name now
        name: String,
        /// Name from now on
        replacement: String,
    },
    /// Move the items of one tag to another, and remove the first
    Merge {
        /// Tag that goes
        name: String,
        /// Tag that stays
        into: String,
    },
    /// Remove a tag from every item
    Remove {
        /// Its name
        name: String,
    },
}

/// Runs one of them.
pub(crate) async fn run(owner: &Owner, command: Tag) -> Result<Output, Failure> {
    match command {
        Tag::List => return list(owner).await,
        Tag::Put {
            name,
            color,
            description,
        } => {
            let tag = wire::Tag {
                name,
                color,
                description,
            };
            owner.call(&wire::Put { tag }).await?;
        }
        Tag::Rename { name, replacement } => {
            owner.call(&wire::Rename { name, replacement }).await?;
        }
        Tag::Merge { name, into } => {
            owner.call(&wire::Merge { name, into }).await?;
        }
        Tag::Remove { name } => {
            owner.call(&wire::Remove { name }).await?;
        }
    }
    Ok(Output::done(""))
}

async fn list(owner: &Owner) -> Result<Output, Failure> {
    let tags = owner.call(&wire::List {}).await?.tags;
    let row = |counted: &wire::Counted| {
        let description = counted.tag.description.clone().unwrap_or_default();
        vec![
            counted.tag.name.clone(),
            counted.items.to_string(),
            description,
        ]
    };
    let to_json = |counted: &wire::Counted| {
        json!({
            "name": counted.tag.name,
            "color": counted.tag.color,
            "description": counted.tag.description,
            "items": counted.items,
        })
    };
    let rows: Vec<_> = tags.iter().map(row).collect();
    let json: Vec<_> = tags.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "tags": json })))
}
