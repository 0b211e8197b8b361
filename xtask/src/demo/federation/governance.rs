//! A network whose file two people sign, each with a key of his own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{output, quiet};
use crate::demo::owner::text_of;
use crate::local_node::Binaries;

const HOLDERS: [&str; 2] = ["first.key", "second.key"];

/// A network in the making.
pub(crate) struct Governance {
    program: PathBuf,
    folder: PathBuf,
    /// File that counts now.
    current: PathBuf,
}

impl Governance {
    /// Makes keys, and a file that names nobody yet; both holders sign it.
    pub(crate) fn found(binaries: &Binaries, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut governance = Self {
            program: binaries.path("vettid-bootstrap"),
            folder: folder.to_path_buf(),
            current: folder.join("network-1.toml"),
        };
        // The root of the emulated enclaves' documents, and what the program here measures.
        let mut enclave = Command::new(binaries.path("vettid-enclave-emulated"));
        quiet(
            enclave
                .args(["create-network", "--folder"])
                .arg(governance.root()),
        )?;
        let image = governance.image()?;
        let mut create = vec!["create".to_owned()];
        for holder in HOLDERS {
            let key = governance.ask(&["key", "--out", &governance.path(holder)?])?;
            create.extend(["--governance".to_owned(), text_of(&key, "governance")?]);
        }
        let root = governance.path("root/development-root.der")?;
        create.extend(["--threshold", "2", "--trust-root", &root].map(str::to_owned));
        create.extend(["--image".to_owned(), image]);
        let current = governance.current.clone();
        governance.make(create, current)?;
        Ok(governance)
    }

    /// Makes the next file, which names a bootstrap node and a relay; both holders sign it.
    pub(crate) fn introduce(&mut self, bootstrap: &str, relay: &str) -> Result<()> {
        let from = self.current.to_str().context("a path that is no text")?;
        let create = ["create", "--from", from, "--bootstrap", bootstrap];
        let mut create: Vec<String> = create.map(str::to_owned).into();
        create.extend(["--relay".to_owned(), relay.to_owned()]);
        self.make(create, self.folder.join("network-2.toml"))
    }

    /// Folder of the emulated enclaves' common root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The signed network file.
    pub(crate) fn file(&self) -> &Path {
        &self.current
    }

    /// What the signed network file says.
    pub(crate) fn shown(&self) -> Result<Value> {
        let file = self.current.to_str().context("a path that is no text")?;
        self.ask(&["show", file])
    }

    /// Makes a file and has it signed, which one signature does not complete.
    fn make(&mut self, mut create: Vec<String>, file: PathBuf) -> Result<()> {
        let name = file.to_str().context("a path that is no text")?.to_owned();
        create.extend(["--out".to_owned(), name.clone()]);
        self.ask(&create.iter().map(String::as_str).collect::<Vec<_>>())?;
        for (number, holder) in HOLDERS.iter().enumerate() {
            let key = self.path(holder)?;
            let shown = self.ask(&["sign", &name, "--key-file", &key])?;
            let complete = shown.get("complete").and_then(Value::as_bool);
            let last = number.saturating_add(1) == HOLDERS.len();
            ensure!(complete == Some(last), "signed by {holder}: {shown}");
        }
        self.current = file;
        Ok(())
    }

    /// The image that the emulated enclave here is, as `--image` takes it.
    fn image(&self) -> Result<String> {
        let shown = self.ask(&["show", &self.path("root/network.toml")?])?;
        let image = shown.pointer("/images/0").context("no image")?;
        let release = image.get("release").context("no release")?.to_string();
        let mut parts = vec![release];
        for register in ["pcr0", "pcr1", "pcr2"] {
            parts.push(text_of(image, register)?);
        }
        Ok(parts.join(":"))
    }

    fn path(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        path.to_str()
            .map(str::to_owned)
            .context("a path that is no text")
    }

    fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        let text = output(command.args(["--json", "network"]).args(arguments))?;
        serde_json::from_str(&text).with_context(|| format!("answer of vettid-bootstrap: {text}"))
    }
}
