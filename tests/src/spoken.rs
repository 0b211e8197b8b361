//! What a started program says, heard by a thread: one that says nothing keeps nobody waiting for ever.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::wait::PATIENCE;

/// Lines that a program has said and nobody has read.
pub(crate) struct Spoken(Receiver<String>);

impl Spoken {
    /// Listens to a program that was started with a pipe for its output.
    pub(crate) fn by(child: &mut Child) -> Self {
        let output = child.stdout.take().expect("its output");
        let (say, spoken) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    break;
                }
            }
        });
        Self(spoken)
    }

    /// The next line; nothing if it has ended or says none.
    pub(crate) fn line(&self) -> String {
        self.0.recv_timeout(PATIENCE).unwrap_or_default()
    }
}
