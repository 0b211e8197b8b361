//! One Prosody server of Debian's package, unpacked anywhere.

use std::env;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// Names the folder that Debian's package is unpacked in; `/` where it is installed.
const PROSODY: &str = "VETTID_PROSODY";
/// Password of every user.
pub(crate) const PASSWORD: &str = "secret";
/// Port for clients.
pub(crate) const CLIENTS: u16 = 5222;
/// Longest start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What Debian's `prosody.cfg.lua` enables, but for encryption, rate limits, the administrator's
/// console and the daemon.
const MODULES: [&str; 22] = [
    "disco",
    "roster",
    "saslauth",
    "blocklist",
    "bookmarks",
    "carbons",
    "dialback",
    "pep",
    "private",
    "smacks",
    "vcard4",
    "vcard_legacy",
    "csi_simple",
    "invites",
    "invites_adhoc",
    "invites_register",
    "ping",
    "register",
    "time",
    "uptime",
    "version",
    "admin_adhoc",
];

/// A running server, ended when it is dropped.
pub(crate) struct Server {
    name: String,
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a server whose name is its address, with so many users.
    pub(crate) fn start(name: &str, users: usize) -> Result<Self> {
        let root = root()?;
        let place = tempfile::Builder::new().prefix("prosody-").tempdir()?;
        let folder = place.path();
        let accounts = folder.join("data").join(escaped(name)).join("accounts");
        fs::create_dir_all(&accounts)?;
        for number in 0..users {
            let account = format!("return {{ [\"password\"] = \"{PASSWORD}\" }};\n");
            fs::write(accounts.join(format!("{}.dat", user(number))), account)?;
        }
        let config = folder.join("prosody.cfg.lua");
        fs::write(&config, configuration(name, folder))?;
        let main = folder.join("prosody");
        fs::write(&main, main_script(&root, folder)?)?;
        let mut command = lua(&root);
        command.arg(&main).arg("-F").arg("--config").arg(&config);
        let output = File::create(folder.join("output"))?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?);
        let process = command.stdout(output).spawn().context("prosody")?;
        let mut server = Self {
            name: name.to_owned(),
            process,
            folder: place,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Its address and its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((self.name.as_str(), CLIENTS)).is_err() {
            let ended = self.process.try_wait()?;
            ensure!(ended.is_none(), "prosody has ended: {}", self.said());
            ensure!(Instant::now() < deadline, "prosody does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What it has printed.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Name of a user.
pub(crate) fn user(number: usize) -> String {
    format!("u{number}")
}

fn configuration(name: &str, folder: &Path) -> String {
    let folder = folder.display();
    let modules: String = MODULES.iter().map(|name| format!("{name:?}; ")).collect();
    format!(
        "run_as_root = true
pidfile = \"{folder}/prosody.pid\"
data_path = \"{folder}/data\"
interfaces = {{ \"{name}\" }}
modules_enabled = {{ {modules} }}
c2s_require_encryption = false
s2s_require_encryption = false
s2s_secure_auth = false
allow_unencrypted_plain_auth = true
authentication = \"internal_hashed\"
archive_expires_after = \"1w\"
log = {{ info = \"{folder}/log\" }}
VirtualHost \"{name}\"
"
    )
}

/// The program, with the folders that it has built in replaced by where they are.
fn main_script(root: &Path, folder: &Path) -> Result<String> {
    let path = root.join("usr/bin/prosody");
    let script = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let source = root.join("usr/lib/prosody").display().to_string();
    let (data, folder) = (folder.join("data"), folder.display());
    Ok(script
        .replace("'/usr/lib/prosody", &format!("'{source}"))
        .replace("'/etc/prosody'", &format!("'{folder}'"))
        .replace("'/var/lib/prosody'", &format!("'{}'", data.display())))
}

/// Lua of the same folder, with its libraries.
fn lua(root: &Path) -> Command {
    let mut command = Command::new(root.join("usr/bin/lua5.4"));
    if root != Path::new("/") {
        let (share, libraries) = (
            root.join("usr/share/lua/5.4"),
            root.join("usr/lib/x86_64-linux-gnu"),
        );
        command
            .env("LUA_PATH", format!("{}/?.lua;;", share.display()))
            .env(
                "LUA_CPATH",
                format!("{}/lua/5.4/?.so;;", libraries.display()),
            )
            .env("LD_LIBRARY_PATH", libraries);
    }
    command
}

/// Where the package is: named, fetched by xtask, or installed.
fn root() -> Result<PathBuf> {
    if let Some(named) = env::var_os(PROSODY) {
        return Ok(named.into());
    }
    if let Some(fetched) = fetched() {
        return Ok(fetched);
    }
    if Path::new("/usr/lib/prosody").is_dir() {
        return Ok("/".into());
    }
    bail!("no Prosody: run `cargo xtask bench`, or name the unpacked package in {PROSODY}")
}

fn fetched() -> Option<PathBuf> {
    let tools = env::home_dir()?.join(".cache/vettid/tools");
    let folders = fs::read_dir(tools).ok()?.flatten();
    folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with("prosody-"))
        .map(|folder| folder.path())
        .filter(|folder| folder.join("usr/bin/prosody").is_file())
        .max()
}

/// A name as Prosody writes it in its data folder.
fn escaped(name: &str) -> String {
    name.replace('.', "%2e")
}
