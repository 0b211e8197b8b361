//! The only way in for secrets: a prompt without echo, standard input, or a file descriptor.
//!
//! Never an argument and never the environment: both are shown to other programs.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write, stderr, stdin};

use tokio::sync::oneshot;
use vettid_sdk::Unacceptable;
use vettid_sdk::wire::Secret;

use crate::failure::Failure;

/// Where secrets come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::Args)]
pub(crate) struct SecretOptions {
    /// Read secrets from standard input, one per line: PIN, current password, new ones, values
    #[arg(long, global = true, conflicts_with = "secrets_fd")]
    pub(crate) secrets_stdin: bool,
    /// Read secrets from this open file descriptor, one per line, in the same order
    #[arg(long, global = true, value_name = "N")]
    pub(crate) secrets_fd: Option<u32>,
}

/// Secrets as they are entered.
pub(crate) struct Secrets(Source);

enum Source {
    Lines(Box<dyn Read + Send>),
    Prompt,
}

impl Secrets {
    /// Opens what the options name.
    pub(crate) fn open(options: SecretOptions) -> Result<Self, Failure> {
        Ok(Self(match options {
            SecretOptions {
                secrets_fd: Some(number),
                ..
            } => {
                let file = File::open(format!("/dev/fd/{number}")).map_err(|error| {
                    Failure::usage(format!("file descriptor {number} cannot be read: {error}"))
                })?;
                Source::Lines(Box::new(file))
            }
            SecretOptions {
                secrets_stdin: true,
                ..
            } => Source::Lines(Box::new(stdin())),
            SecretOptions { .. } => Source::Prompt,
        }))
    }

    /// Secrets of a test, one a line.
    #[cfg(test)]
    pub(crate) fn of(lines: &str) -> Self {
        Self(Source::Lines(Box::new(std::io::Cursor::new(
            lines.as_bytes().to_vec(),
        ))))
    }

    /// A secret that exists.
    pub(crate) fn current(&mut self, what: &str) -> Result<Secret, Failure> {
        match &mut self.0 {
            Source::Lines(lines) => line(lines, what),
            Source::Prompt => prompt(&format!("{what}: ")),
        }
    }

    /// A secret that is set now, looked at before anything else is asked: a person enters it twice.
    pub(crate) fn fresh(
        &mut self,
        what: &str,
        check: impl FnOnce(&Secret) -> Result<(), Unacceptable>,
    ) -> Result<Secret, Failure> {
        let secret = self.current(what)?;
        check(&secret)?;
        if matches!(self.0, Source::Prompt) && prompt(&format!("{what}, again: "))? != secret {
            return Err(Failure::Usage(
                "not-the-same",
                format!("{what}: the two differ"),
            ));
        }
        Ok(secret)
    }

    /// Words that are no secret to whoever looks at the screen: a line that is shown while it is
    /// entered, or all of standard input.
    pub(crate) async fn words(&mut self, what: &str) -> Result<Secret, Failure> {
        if let Source::Lines(lines) = &mut self.0 {
            return line(lines, what);
        }
        let (what, (tell, told)) = (what.to_owned(), oneshot::channel());
        // A thread of its own: this one must hear an interruption.
        std::thread::spawn(move || {
            let read = if stdin().is_terminal() {
                let _ = write!(stderr().lock(), "{what}: ");
                line(&mut stdin().lock(), &what)
            } else {
                whole_stdin(&what).map(without_end)
            };
            let _ = tell.send(read);
        });
        told.await.unwrap_or(Err(Failure::Interrupted))
    }

    /// Whether standard input carries secrets, so that it can carry nothing else.
    pub(crate) const fn takes_stdin(options: SecretOptions) -> bool {
        options.secrets_stdin
    }
}

/// All of standard input, as one value.
pub(crate) fn whole_stdin(what: &str) -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(LONGEST);
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let read = stdin()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes);
    let length = bytes.len();
    let secret = Secret::new(bytes);
    read.map_err(|error| Failure::usage(format!("{what}: {error}")))?;
    if length > LONGEST {
        Err(too_long(what))
    } else {
        Ok(secret)
    }
}

/// Text without the end of its last line, which programs add.
fn without_end(text: Secret) -> Secret {
    text.expose(|bytes| {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Secret::new(bytes.strip_suffix(b"\r").unwrap_or(bytes).to_vec())
    })
}

/// One byte at a time, so that what follows the line stays for the next secret.
fn line(from: &mut impl Read, what: &str) -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(LONGEST);
    let mut byte = [0];
    loop {
        match from.read(&mut byte) {
            Ok(0) if bytes.is_empty() => {
                let message = format!("{what} is missing where secrets are read from");
                return Err(Failure::Usage("secret-missing", message));
            }
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) => bytes.extend_from_slice(&byte),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::usage(format!("{what}: {error}"))),
        }
        if bytes.len() > LONGEST {
            drop(Secret::new(bytes));
            return Err(too_long(what));
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}

fn prompt(text: &str) -> Result<Secret, Failure> {
    match rpassword::prompt_password(text) {
        Ok(entered) => Ok(Secret::new(entered.into_bytes())),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Failure::Interrupted),
        Err(_) => Err(Failure::Usage(
            "no-terminal",
            "there is no terminal to ask at: use --secrets-stdin or --secrets-fd".into(),
        )),
    }
}

fn too_long(what: &str) -> Failure {
    Failure::usage(format!("{what} is longer than {LONGEST} bytes"))
}

/// Longest secret, bytes: a whole item.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::check;

    #[test]
    fn lines_are_taken_in_order_and_without_their_ends() {
        let mut secrets = Secrets::of("123456\r\nseven brass otters\n\nlast");

        assert_eq!(secrets.current("PIN").unwrap(), "123456".into());
        assert_eq!(
            secrets.fresh("password", check::password).unwrap(),
            "seven brass otters".into()
        );
        assert_eq!(secrets.current("value").unwrap(), "".into());
        assert_eq!(secrets.current("value").unwrap(), "last".into());
    }

    #[test]
    fn what_cannot_be_used_is_said_before_anything_else_is_asked() {
        let mut secrets = Secrets::of("12345\nseven brass otters\n");

        let refused = secrets.fresh("PIN", check::pin).unwrap_err();

        assert_eq!(refused, Failure::from(Unacceptable::Pin));
        assert_eq!(
            secrets.current("password").unwrap(),
            "seven brass otters".into()
        );
    }

    #[test]
    fn missing_secret_is_named() {
        let missing = Secrets::of("").current("PIN").unwrap_err();

        assert_eq!(missing.exit_code(), 2);
        assert_eq!(
            missing.message(),
            "PIN is missing where secrets are read from"
        );
    }

    #[test]
    fn end_that_a_program_adds_is_no_part_of_a_text() {
        assert_eq!(without_end("one\ntwo\n".into()), "one\ntwo".into());
        assert_eq!(without_end("one\n\n".into()), "one\n".into());
        assert_eq!(without_end("one\r\n".into()), "one".into());
    }

    #[test]
    fn endless_line_is_refused() {
        let endless = Secrets::of(&"x".repeat(LONGEST + 1))
            .current("PIN")
            .unwrap_err();

        assert_eq!(endless.message(), "PIN is longer than 65536 bytes");
    }
}
