//! `item get`, `list`, `search`, `reveal`, `history`, `otp`.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::Secret;
use vettid_sdk::wire::id::ItemId;
use vettid_sdk::wire::operation::item::{
    Cursor, Get, History, List, Otp, Reveal, RevealCritical, Search, Sensitivity, Summary,
};

use super::arguments::Filter;
use super::show;
use crate::failure::Failure;
use crate::output::{Output, table};
use crate::secrets::Secrets;
use crate::time;

/// One item, with the values of a data item.
pub(crate) async fn get(owner: &Owner, id: ItemId) -> Result<Output, Failure> {
    Ok(show::item(&owner.call(&Get { id }).await?))
}

/// Items by name, all pages.
pub(crate) async fn list(owner: &Owner, filter: Filter) -> Result<Output, Failure> {
    let most = filter.limit.unwrap_or(usize::MAX);
    let mut items: Vec<Summary> = Vec::new();
    loop {
        let request = List {
            category: filter.category.map(Into::into),
            tag: filter.tag.clone(),
            favorite: filter.favorite,
            removed: filter.removed,
            after: items.last().map(|last| Cursor {
                name: last.name.clone(),
                id: last.id,
            }),
            limit: None,
        };
        let page = owner.call(&request).await?;
        let is_last = !page.more || page.items.is_empty();
        items.extend(page.items);
        if is_last || items.len() >= most {
            break;
        }
    }
    items.truncate(most);
    Ok(show::summaries(&items))
}

/// Items by words.
pub(crate) async fn search(
    owner: &Owner,
    text: &str,
    limit: Option<u32>,
) -> Result<Output, Failure> {
    let found = owner
        .call(&Search {
            text: Secret::from(text),
            limit,
        })
        .await?;
    Ok(show::summaries(&found.items))
}

/// One item with its values. Secrets: password, if the item is critical.
pub(crate) async fn reveal(
    owner: &Owner,
    id: ItemId,
    version: Option<u64>,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    let item = owner.call(&Get { id }).await?;
    let revealed = match item.draft.sensitivity {
        Sensitivity::Data if version.is_none() => item,
        Sensitivity::Data | Sensitivity::Secret => owner.call(&Reveal { id, version }).await?,
        Sensitivity::Critical => {
            let password = secrets.current("Password")?;
            owner
                .call_with_owner(&password, &RevealCritical { id, version }, None)
                .await?
        }
    };
    Ok(show::item(&revealed))
}

/// Versions of an item.
pub(crate) async fn history(owner: &Owner, id: ItemId) -> Result<Output, Failure> {
    let versions = owner.call(&History { id }).await?.versions;
    let rows: Vec<Vec<String>> = versions
        .iter()
        .map(|version| {
            vec![
                version.version.to_string(),
                time::text(version.written),
                version.name.clone(),
            ]
        })
        .collect();
    let json: Vec<_> = versions
        .iter()
        .map(|version| {
            json!({
                "version": version.version,
                "name": version.name,
                "written": version.written.0,
                "device": version.device.to_string(),
            })
        })
        .collect();
    Ok(Output::new(table(&rows), json!({ "versions": json })))
}

/// The one-time code of now.
pub(crate) async fn otp(owner: &Owner, id: ItemId, field: Option<u32>) -> Result<Output, Failure> {
    let code = owner.call(&Otp { id, field }).await?;
    let digits = show::text(&code.code);
    Ok(Output::new(
        format!("{digits}  ({} s left)", code.seconds_left),
        json!({ "code": digits, "seconds_left": code.seconds_left }),
    ))
}
