//! One owner at the command line: what a person would type, with the secrets on standard input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// An owner with a home folder, a PIN and a password.
pub(crate) struct Owner {
    /// Name, for the story.
    pub(crate) name: &'static str,
    /// PIN of the vault.
    pub(crate) pin: &'static str,
    /// Password of the credential.
    pub(crate) password: &'static str,
    program: PathBuf,
    home: PathBuf,
}

/// One field of an item: kind, label and value.
pub(crate) struct Field {
    /// Kind, such as `password`.
    pub(crate) kind: &'static str,
    /// Label shown to the owner.
    pub(crate) label: &'static str,
    /// Value; it travels on standard input.
    pub(crate) value: &'static str,
}

/// One item to keep.
pub(crate) struct Item {
    /// Name.
    pub(crate) name: &'static str,
    /// Category, such as `login`.
    pub(crate) category: &'static str,
    /// `data`, `secret` or `critical`.
    pub(crate) sensitivity: &'static str,
    /// Its one field.
    pub(crate) field: Field,
}

impl Owner {
    /// An owner who has not enrolled anywhere.
    pub(crate) fn new(
        name: &'static str,
        pin: &'static str,
        password: &'static str,
        program: PathBuf,
        home: PathBuf,
    ) -> Self {
        Self {
            name,
            pin,
            password,
            program,
            home,
        }
    }

    /// The same person with a copy of the phone as it is at this moment.
    pub(crate) fn copied(&self, home: PathBuf) -> Result<Self> {
        copy_folder(&self.home, &home)?;
        Ok(Self {
            program: self.program.clone(),
            home,
            ..*self
        })
    }

    /// Redeems an invitation: new vault, new PIN, new password.
    pub(crate) fn enroll(&self, link: &str) -> Result<Value> {
        self.call(
            &["enroll", link, "--json", "--secrets-stdin"],
            &[self.pin, self.password],
        )
    }

    /// Opens the vault with a PIN.
    pub(crate) fn unlock(&self, pin: &str) -> Result<Value> {
        self.call(&["unlock", "--json", "--secrets-stdin"], &[pin])
    }

    /// Keeps an item; answers its id.
    pub(crate) fn put(&self, item: &Item) -> Result<String> {
        let field = format!("{}:{}", item.field.kind, item.field.label);
        let mut arguments = vec!["item", "put", "--json", "--secrets-stdin"];
        arguments.extend(["--name", item.name, "--category", item.category]);
        arguments.extend(["--sensitivity", item.sensitivity, "--secret-field", &field]);
        let mut secrets = Vec::new();
        if item.sensitivity == "critical" {
            secrets.push(self.password);
        }
        secrets.push(item.field.value);
        text_of(&self.call(&arguments, &secrets)?, "id")
    }

    /// Reads an item as far as its sensitivity shows it without more.
    pub(crate) fn get(&self, id: &str) -> Result<Value> {
        self.call(&["item", "get", id, "--json"], &[])
    }

    /// All items.
    pub(crate) fn list(&self) -> Result<Value> {
        self.call(&["item", "list", "--json"], &[])
    }

    /// Finds items by a word in them.
    pub(crate) fn search(&self, word: &str) -> Result<Value> {
        self.call(&["item", "search", word, "--json"], &[])
    }

    /// Shows a secret or, with the password, a critical value.
    pub(crate) fn reveal(&self, id: &str, password: Option<&str>) -> Result<Value> {
        let arguments = ["item", "reveal", id, "--json", "--secrets-stdin"];
        self.call(&arguments, password.as_slice())
    }

    /// Checks the chain of the vault's audit log.
    pub(crate) fn verify_audit(&self) -> Result<Value> {
        self.call(
            &["audit", "verify", "--json", "--secrets-stdin"],
            &[self.pin],
        )
    }

    /// The vault as the app sees it.
    pub(crate) fn status(&self) -> Result<Value> {
        self.call(&["status", "--json"], &[])
    }

    /// Runs one command of the owner's; secrets go in as lines.
    pub(crate) fn call(&self, arguments: &[&str], secrets: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home).args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("starting vettid")?;
        if let Some(mut input) = child.stdin.take() {
            for secret in secrets {
                writeln!(input, "{secret}").context("secrets for vettid")?;
            }
        }
        let output = child.wait_with_output().context("waiting for vettid")?;
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}", refused(self.name, words.trim(), said.trim()));
        }
        serde_json::from_str(&words).with_context(|| format!("answer of vettid: {words}"))
    }
}

/// A refusal in words: its code and message, or all that was said where that is none.
fn refused(name: &str, answer: &str, said: &str) -> String {
    let error: Value = serde_json::from_str(answer).unwrap_or_default();
    let part = |part: &str| error.pointer(part).and_then(Value::as_str);
    match (part("/error/code"), part("/error/message")) {
        (Some(code), Some(message)) => format!("{name} was refused ({code}): {message}"),
        _ => format!("{name} was refused: {answer} {said}"),
    }
}

/// Members of a JSON object in a row, for people.
pub(crate) fn members(object: &Value) -> String {
    let Some(members) = object.as_object() else {
        return object.to_string();
    };
    let shown = members.iter().map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {value}", name.replace('_', " "))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Fails unless the call was refused in words that contain `expected`.
pub(crate) fn refusal<T>(outcome: Result<T>, expected: &str) -> Result<String> {
    match outcome {
        Ok(_) => bail!("it was allowed"),
        Err(error) => {
            let words = format!("{error:#}");
            if !words.to_lowercase().contains(&expected.to_lowercase()) {
                bail!("refused, but not because of \"{expected}\": {words}");
            }
            Ok(words)
        }
    }
}

/// A text member of a JSON object.
pub(crate) fn text_of(value: &Value, name: &str) -> Result<String> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .with_context(|| format!("no {name} in {value}"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_for_another_reason_is_not_as_told() {
        let stale = || -> Result<()> { bail!("credential is stale") };

        assert!(refusal(stale(), "stale").is_ok());
        assert!(refusal(stale(), "wrong PIN").is_err());
        assert!(refusal(Ok(()), "stale").is_err());
    }

    #[test]
    fn refusal_is_told_in_words() {
        let answer = r#"{"error":{"code":"wrong-pin","message":"The PIN is wrong."}}"#;

        let told = refused("Ada", answer, "");
        assert_eq!(told, "Ada was refused (wrong-pin): The PIN is wrong.");
        let other = refused("Ada", "no JSON", "and why");
        assert_eq!(other, "Ada was refused: no JSON and why");
    }

    #[test]
    fn members_of_an_answer_are_told_in_a_row() {
        let answer = serde_json::json!({ "bytes_carried": 7, "state": "open" });

        assert_eq!(members(&answer), "bytes carried 7, state open");
    }

    #[test]
    fn copied_phone_has_every_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/keys")).unwrap();
        fs::write(folder.path().join("a/keys/device"), "k").unwrap();

        copy_folder(&folder.path().join("a"), &folder.path().join("b")).unwrap();

        assert_eq!(fs::read(folder.path().join("b/keys/device")).unwrap(), b"k");
    }
}
