//! An owner at the command line: what a person would type, with the secrets on standard input.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::programs::program;

/// A home folder that `vettid` keeps a device in.
pub struct CommandLine {
    home: PathBuf,
}

/// What `vettid` answered.
#[derive(Debug)]
pub struct Answered {
    /// Exit code.
    pub code: i32,
    /// What it printed, as JSON; null if it was none.
    pub json: Value,
    /// Everything it printed, errors included.
    pub text: String,
}

impl Answered {
    /// Code of the error, if it was one.
    #[must_use]
    pub fn error(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
}

impl CommandLine {
    /// A device in `home`.
    #[must_use]
    pub fn at(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
        }
    }

    /// The same device copied to another folder, as a thief would.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copied(&self, to: &Path) -> Self {
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&self.home)
            .arg(to)
            .status()
            .expect("cp");
        assert!(copied.success(), "copy of a home folder");
        Self::at(to)
    }

    /// Folder of the device.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Runs one command; each secret goes in as a line.
    ///
    /// # Panics
    /// When there is no such program.
    #[must_use]
    pub fn run(&self, arguments: &[&str], secrets: &[&str]) -> Answered {
        let mut command = Command::new(program("vettid"));
        command
            .arg("--home")
            .arg(&self.home)
            .arg("--json")
            .arg("--secrets-stdin")
            .args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("vettid");
        let mut input = child.stdin.take().expect("its input");
        for secret in secrets {
            // A command that needs fewer has ended already.
            let _ = writeln!(input, "{secret}");
        }
        drop(input);
        let output = child.wait_with_output().expect("its end");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        Answered {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_str(&out).unwrap_or(Value::Null),
            text: out + &String::from_utf8_lossy(&output.stderr),
        }
    }

    /// Runs one command that must be done; its answer.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect(&self, arguments: &[&str], secrets: &[&str]) -> Value {
        let answered = self.run(arguments, secrets);
        assert_eq!(answered.code, 0, "vettid {arguments:?}: {}", answered.text);
        answered.json
    }
}
