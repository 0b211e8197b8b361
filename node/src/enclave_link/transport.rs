//! How the enclave is reached: a Unix socket here, vsock on Nitro.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_vsock::{VsockAddr, VsockStream};

/// Reading half of a connection.
pub(super) type Reading = Box<dyn AsyncRead + Send + Unpin>;
/// Writing half of a connection.
pub(super) type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// Where the enclave listens: `unix:PATH` or `vsock:CID:PORT`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// Socket of an emulated enclave.
    Unix(PathBuf),
    /// Context id and port of a Nitro enclave.
    Vsock(u32, u32),
}

/// Text is no address of an enclave.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an enclave's address is unix:PATH or vsock:CID:PORT")]
pub struct BadAddress;

impl Address {
    pub(super) async fn connect(&self) -> io::Result<(Reading, Writing)> {
        match self {
            Self::Unix(path) => {
                let (reading, writing) = UnixStream::connect(path).await?.into_split();
                Ok((Box::new(reading), Box::new(writing)))
            }
            Self::Vsock(context, port) => {
                let stream = VsockStream::connect(VsockAddr::new(*context, *port)).await?;
                let (reading, writing) = stream.into_split();
                Ok((Box::new(reading), Box::new(writing)))
            }
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("vsock:").ok_or(BadAddress)?;
        let (context, port) = rest.split_once(':').ok_or(BadAddress)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| BadAddress);
        Ok(Self::Vsock(number(context)?, number(port)?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Vsock(context, port) => write!(f, "vsock:{context}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_shown() {
        for text in ["unix:/run/enclave.sock", "vsock:16:5005"] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(text.into())
            );
        }
    }

    #[test]
    fn other_text_is_no_address() {
        for text in [
            "",
            "unix:",
            "vsock:16",
            "vsock:x:1",
            "vsock:1:4294967296",
            "tcp:1.2.3.4:5",
        ] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text:?}");
        }
    }
}
