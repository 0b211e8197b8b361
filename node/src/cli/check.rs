//! `vettid-node check`: everything that can be known to be wrong before a start.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::json;
use vettid_crypto::digest::sha384;
use vettid_federation::listen::NotFree;

use super::output::{Failure, say};
use crate::addresses::{self, Taken};
use crate::audit;
use crate::bus::credentials::Credentials;
use crate::bus::{ServerVersion, server};
use crate::config::Config;
use crate::database::Database;
use crate::federation::is_wanted;
use crate::folder::{FolderError, NodeFolder};
use crate::http;
use crate::network::NetworkFile;
use crate::object_store::S3Store;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    outcome: Result<String, String>,
}

pub(super) async fn check(path: &Path, json: bool) -> Result<(), Failure> {
    let folder = NodeFolder::open(path)?;
    let config = Config::read(&folder)?;
    // There are no secrets in it: keys are files, S3 credentials come from the environment.
    let effective = toml::to_string(&config)?;
    let findings = look(&folder, &config).await;
    let failed = findings
        .iter()
        .filter(|finding| finding.outcome.is_err())
        .count();
    if json {
        let findings: Vec<_> = findings.iter().map(Finding::to_json).collect();
        say(json!({ "ok": failed == 0, "config": config, "findings": findings }));
    } else {
        say(effective);
        findings.iter().for_each(|finding| say(finding.to_line()));
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("{failed} of the checks failed")))
    }
}

async fn look(folder: &NodeFolder, config: &Config) -> Vec<Finding> {
    let network = NetworkFile::read(&folder.network());
    let mut findings = vec![
        finding(
            "permissions",
            folder.check_permissions().map(|()| "private".to_owned()),
        ),
        finding(
            "bus keys",
            Credentials::load(&folder.bus()).map(|_| "there".to_owned()),
        ),
        finding(
            "nats-server",
            ServerVersion::check(&config.bus_program())
                .await
                .map(|version| version.to_string()),
        ),
        finding(
            "network file",
            network.as_ref().map(|network| network.id.to_string()),
        ),
        Finding {
            what: "database",
            outcome: look_at_database(folder),
        },
    ];
    if config.starts_enclave() {
        findings.push(Finding {
            what: "enclave folder",
            outcome: look_at_enclave_folder(&folder.enclave()),
        });
        let outcome = look_at_enclave(&config.enclave_program(), network.as_ref().ok());
        findings.push(Finding {
            what: "enclave program",
            outcome,
        });
    }
    if let Ok(_lock) = folder.lock() {
        // While the node runs, they are its own.
        findings.extend(look_at_addresses(folder, config, network.as_ref().ok()));
    }
    let certificates = [("http TLS", &config.http.tls), ("bus TLS", &config.bus.tls)];
    for (what, tls) in certificates {
        if let Some(tls) = tls {
            let usable = http::acceptor(&tls.certificate, &tls.key);
            findings.push(finding(what, usable.map(|_| "usable".to_owned())));
        }
    }
    if let Some(bucket) = &config.objects.s3 {
        let probed = S3Store::connect(&bucket.options()).await.probe().await;
        findings.push(finding("bucket", probed.map(|()| "answers".to_owned())));
    }
    findings
}

fn look_at_database(folder: &NodeFolder) -> Result<String, String> {
    // A running node holds the lock and keeps the schema current.
    let _lock = match folder.lock() {
        Ok(lock) => lock,
        Err(FolderError::Locked) => return Ok("in use by the running node".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let inspected = Database::inspect(&folder.database()).map_err(|e| e.to_string())?;
    let Some(inspected) = inspected else {
        return Ok("none yet; the first start makes it".to_owned());
    };
    let rows = audit::verify_inspected(&inspected).map_err(|e| e.to_string())?;
    let usable = format!("usable, {rows} audit rows verified");
    let (schema, known) = (inspected.schema, inspected.known);
    if schema == known {
        return Ok(usable);
    }
    Ok(format!(
        "{usable}; its schema {schema} will be migrated to {known} by `run`, and the release before \
         does not open it then"
    ))
}

/// Whether what the node listens at is free; each address that is not is a finding.
fn look_at_addresses(
    folder: &NodeFolder,
    config: &Config,
    network: Option<&NetworkFile>,
) -> Vec<Finding> {
    let left_behind = server::left_behind(folder, config.bus_program());
    let free = if left_behind.is_empty() {
        "free"
    } else {
        "free, but for the bus: `run` ends the nats-server that a killed node left behind"
    };
    let meets_others = network.is_some_and(|network| is_wanted(&config.federation, network));
    let is_left =
        |taken: &Taken| matches!(taken.why, NotFree::Taken) && left_behind.contains(&taken.address);
    let taken = addresses::taken(config, meets_others).into_iter();
    let taken = taken
        .filter(|taken| !is_left(taken))
        .map(|taken| taken.to_string());
    let twins = addresses::check_apart(config, meets_others).err();
    let wrong = taken.chain(twins.map(|twins| twins.to_string()));
    let mut outcomes: Vec<_> = wrong.map(Err).collect();
    if outcomes.is_empty() {
        outcomes.push(Ok(free.to_owned()));
    }
    let found = |outcome| Finding {
        what: "addresses",
        outcome,
    };
    outcomes.into_iter().map(found).collect()
}

/// What the emulated enclave keeps there. None of it can be made again: another sealing root opens
/// no vault, another development root no session.
fn look_at_enclave_folder(folder: &Path) -> Result<String, String> {
    for name in [
        "development-root.key",
        "development-root.der",
        "sealing-root.key",
        "network.toml",
    ] {
        let file = folder.join(name);
        if let Err(error) = std::fs::metadata(&file) {
            let shown = file.display();
            return Err(format!("{shown}: {error}; restore it from a backup"));
        }
    }
    Ok("complete".to_owned())
}

/// An emulated image is measured by its file.
fn look_at_enclave(program: &Path, network: Option<&NetworkFile>) -> Result<String, String> {
    let shown = program.display();
    let bytes = std::fs::read(program).map_err(|error| {
        format!("{shown}: {error}; build it or set enclave.program in node.toml")
    })?;
    let image = sha384(&bytes);
    if network.is_some_and(|network| !network.images.contains(&image)) {
        return Err(format!(
            "the network file does not accept this program, which was rebuilt: \
             run `{shown} create-network --update --folder <node folder>/enclave`"
        ));
    }
    let digest = HEXLOWER.encode(image.first_chunk::<8>().unwrap_or(&[0; 8]));
    Ok(format!("{shown}, image {digest}…"))
}

fn finding<T: Into<String>>(
    what: &'static str,
    outcome: Result<T, impl std::error::Error>,
) -> Finding {
    Finding {
        what,
        outcome: outcome.map(Into::into).map_err(|error| error.to_string()),
    }
}

impl Finding {
    fn to_line(&self) -> String {
        match &self.outcome {
            Ok(text) => format!("ok     {:<16} {text}", self.what),
            Err(text) => format!("WRONG  {:<16} {text}", self.what),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let detail = self.outcome.as_ref().unwrap_or_else(|text| text);
        json!({ "what": self.what, "ok": self.outcome.is_ok(), "detail": detail })
    }
}
