//! Process ids on disk, for who looks on, and ending what a killed node left behind.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::Program;
use crate::folder::write_private;

/// Time a killed process has to leave the process table.
const GONE: Duration = Duration::from_secs(5);

/// Pause between looks at the process table.
const LOOK: Duration = Duration::from_millis(10);

pub(super) fn record(program: &Program, id: Option<u32>) {
    let Some(id) = id else { return };
    if let Err(error) = write_private(&program.pid_file, id.to_string().as_bytes()) {
        tracing::error!(child = program.name, %error, "process id cannot be recorded");
    }
}

pub(super) fn forget(program: &Program) {
    // Nothing to remove if it never started.
    let _ = fs::remove_file(&program.pid_file);
}

/// Kills what still runs as the program that was started for this folder, by its mark. A node that
/// dies right after it started a child has recorded no id.
pub(crate) async fn end_left_behind(program: &Program) {
    for id in left_behind(program) {
        tracing::warn!(
            child = program.name,
            "ending the one that a killed node left behind"
        );
        if kill(Pid::from_raw(id), Signal::SIGKILL).is_err() {
            continue;
        }
        let deadline = Instant::now() + GONE;
        while is_ours(program, id) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }
}

/// Whether a killed node left one behind for this folder.
pub(crate) fn is_left_behind(program: &Program) -> bool {
    !left_behind(program).is_empty()
}

fn left_behind(program: &Program) -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| *id > 1 && is_ours(program, *id))
        .collect()
}

/// Whether process `id` runs the program's executable with the argument that marks this folder.
fn is_ours(program: &Program, id: i32) -> bool {
    let Ok(running) = fs::read_link(format!("/proc/{id}/exe")) else {
        return false;
    };
    let Ok(line) = fs::read(format!("/proc/{id}/cmdline")) else {
        return false;
    };
    let marked = line
        .split(|byte| *byte == 0)
        .any(|part| OsStr::from_bytes(part) == program.mark);
    // An executable replaced by an update is shown with a suffix.
    let name = running
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name
        .as_deref()
        .map(|name| name.trim_end_matches(" (deleted)"));
    marked && name == program.path.file_name().and_then(OsStr::to_str)
}
