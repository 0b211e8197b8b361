//! The node's configuration file, as far as `up` and `demo` set it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

/// `node.toml` of one node folder.
pub(crate) struct NodeToml {
    path: PathBuf,
    table: Table,
}

impl NodeToml {
    /// Reads the file.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("node.toml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let table = text.parse().with_context(|| path.display().to_string())?;
        Ok(Self { path, table })
    }

    /// Address of the bus's listener.
    pub(crate) fn bus(&self) -> Result<SocketAddr> {
        self.address("bus", "tcp")
    }

    /// Address of the HTTP API.
    pub(crate) fn http(&self) -> Result<SocketAddr> {
        self.address("http", "listen")
    }

    /// Has owners told another address of the bus.
    pub(crate) fn tell_bus(&mut self, address: SocketAddr) -> Result<()> {
        let url = Value::String(format!("nats://{address}"));
        self.set("bus", "public", Value::Array(vec![url]))
    }

    /// Has the node listen for no other, as one that nobody can reach from outside.
    pub(crate) fn hide(&mut self) -> Result<()> {
        self.set("federation", "hidden", Value::Boolean(true))
    }

    /// Has the node run another program as its emulated enclave.
    pub(crate) fn run_enclave(&mut self, program: &Path) -> Result<()> {
        let program = program.to_str().context("a path that is no text")?;
        self.set("enclave", "program", Value::String(program.to_owned()))
    }

    fn set(&mut self, section: &str, key: &str, value: Value) -> Result<()> {
        let table = self.table.get_mut(section).and_then(Value::as_table_mut);
        let table = table.with_context(|| format!("no {section}"))?;
        table.insert(key.to_owned(), value);
        fs::write(&self.path, self.table.to_string())
            .with_context(|| self.path.display().to_string())
    }

    fn address(&self, section: &str, key: &str) -> Result<SocketAddr> {
        let value = self.table.get(section).and_then(|table| table.get(key));
        let text = value
            .and_then(Value::as_str)
            .with_context(|| format!("no {section}.{key}"))?;
        text.parse()
            .with_context(|| format!("{section}.{key} in node.toml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> (tempfile::TempDir, NodeToml) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node.toml"), text).unwrap();
        let read = NodeToml::read(folder.path()).unwrap();
        (folder, read)
    }

    #[test]
    fn owners_are_told_another_address_than_the_bus_listens_on() {
        let (folder, mut config) = node("[bus]\ntcp = \"127.0.0.1:4222\"\n");

        config.tell_bus("127.0.0.1:9".parse().unwrap()).unwrap();

        let read = NodeToml::read(folder.path()).unwrap();
        assert_eq!(read.bus().unwrap(), "127.0.0.1:4222".parse().unwrap());
        assert_eq!(
            read.table["bus"]["public"][0].as_str(),
            Some("nats://127.0.0.1:9")
        );
    }

    #[test]
    fn node_is_hidden_and_given_another_enclave() {
        let text = "[enclave]\nprogram = \"\"\n[federation]\nhidden = false\n";
        let (folder, mut config) = node(text);

        config.hide().unwrap();
        config.run_enclave(Path::new("/changed")).unwrap();

        let read = NodeToml::read(folder.path()).unwrap().table;
        assert_eq!(read["federation"]["hidden"].as_bool(), Some(true));
        assert_eq!(read["enclave"]["program"].as_str(), Some("/changed"));
    }

    #[test]
    fn missing_address_is_named() {
        let (_folder, config) = node("public_url = \"http://a\"\n");

        assert_eq!(config.bus().unwrap_err().to_string(), "no bus.tcp");
    }
}
