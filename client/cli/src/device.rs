//! `device`: what may speak for the owner.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::device::{Device, List, Role};

use crate::failure::Failure;
use crate::output::{Output, table};
use crate::time;

/// Every device.
pub(crate) async fn list(owner: &Owner) -> Result<Output, Failure> {
    let devices = owner.call(&List {}).await?.devices;
    let rows: Vec<_> = devices.iter().map(row).collect();
    let json: Vec<_> = devices.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "devices": json })))
}

fn row(device: &Device) -> Vec<String> {
    let state = match (device.revoked, device.this) {
        (Some(at), _) => format!("revoked {}", time::text(at)),
        (None, true) => "this device".into(),
        (None, false) => String::new(),
    };
    vec![
        device.id.to_string().chars().take(16).collect(),
        role(device.role).into(),
        time::text(device.added),
        device.name.clone(),
        state,
    ]
}

fn to_json(device: &Device) -> serde_json::Value {
    json!({
        "id": device.id.to_string(),
        "name": device.name,
        "role": role(device.role),
        "added": device.added.0,
        "revoked": device.revoked.map(|at| at.0),
        "this": device.this,
    })
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Agent => "agent",
        Role::App => "app",
        Role::Desktop => "desktop",
    }
}
