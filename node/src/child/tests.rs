use std::ffi::OsString;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};

use super::*;
use crate::shutdown::Stopper;

const SOON: Duration = Duration::from_secs(10);

/// Sleeps for these seconds, and for a moment that marks it as this folder's.
fn sleeper(folder: &Path, seconds: &str) -> Program {
    let name = folder.file_name().expect("a name").to_string_lossy();
    let digits: String = name.bytes().map(|byte| byte.to_string()).collect();
    let mark = OsString::from(format!("0.000{digits}"));
    Program {
        name: "sleeper",
        path: PathBuf::from("/bin/sleep"),
        arguments: vec![OsString::from(seconds), mark.clone()],
        mark,
        pid_file: folder.join("sleeper.pid"),
        line: |_| {},
    }
}

struct Supervised {
    stopper: Stopper,
    restart: watch::Sender<u64>,
    life: watch::Receiver<Life>,
    task: tokio::task::JoinHandle<()>,
}

impl Supervised {
    fn start(program: Program) -> Self {
        let (stopper, stop) = Stopper::new();
        let (restart, restarts) = watch::channel(0);
        let (life_sender, life) = watch::channel(Life::default());
        let task = tokio::spawn(supervise(program, life_sender, restarts, stop));
        Self {
            stopper,
            restart,
            life,
            task,
        }
    }

    async fn reaches(&mut self, reached: impl FnMut(&Life) -> bool) {
        timeout(SOON, self.life.wait_for(reached))
            .await
            .expect("in time")
            .expect("supervised");
    }

    async fn stop(self) {
        self.stopper.stop();
        timeout(SOON, self.task)
            .await
            .expect("in time")
            .expect("no panic");
    }
}

#[tokio::test]
async fn child_that_ends_is_started_again() {
    let folder = tempfile::tempdir().expect("folder");
    let mut supervised = Supervised::start(sleeper(folder.path(), "0"));

    supervised.reaches(|life| life.starts >= 3).await;

    supervised.stop().await;
}

#[tokio::test]
async fn child_is_started_anew_on_request() {
    let folder = tempfile::tempdir().expect("folder");
    let mut supervised = Supervised::start(sleeper(folder.path(), "600"));
    supervised
        .reaches(|life| life.running && life.starts == 1)
        .await;

    supervised.restart.send_modify(|count| *count += 1);

    supervised
        .reaches(|life| life.running && life.starts == 2)
        .await;
    supervised.stop().await;
}

#[tokio::test]
async fn child_ends_with_its_supervisor_and_leaves_no_record() {
    let folder = tempfile::tempdir().expect("folder");
    let program = sleeper(folder.path(), "601");
    let pid_file = program.pid_file.clone();
    let mut supervised = Supervised::start(program);
    supervised.reaches(|life| life.running).await;
    let id = std::fs::read_to_string(&pid_file).expect("recorded");

    supervised.stop().await;

    assert!(!Path::new(&format!("/proc/{id}")).exists());
    assert!(!pid_file.exists());
}

/// A process with these arguments that somebody else started.
async fn orphan(arguments: &[OsString]) -> std::process::Child {
    let orphan = StdCommand::new("/bin/sleep")
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .expect("spawned");
    // `exec` has happened once the command line is the program's own.
    let line = format!("/proc/{}/cmdline", orphan.id());
    while !std::fs::read(&line).is_ok_and(|line| line.starts_with(b"/bin/sleep")) {
        tokio::task::yield_now().await;
    }
    orphan
}

#[tokio::test]
async fn child_left_behind_is_ended_before_the_new_one_starts() {
    let folder = tempfile::tempdir().expect("folder");
    let program = sleeper(folder.path(), "602");
    let mut orphan = orphan(&program.arguments).await;

    let mut supervised = Supervised::start(program);
    supervised.reaches(|life| life.running).await;

    assert!(!orphan.wait().expect("ended").success());
    supervised.stop().await;
}

#[tokio::test]
async fn same_program_without_the_mark_is_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let program = sleeper(folder.path(), "603");
    let mut stranger = orphan(&["604".into()]).await;

    let mut supervised = Supervised::start(program);
    supervised.reaches(|life| life.running).await;

    assert_eq!(stranger.try_wait().expect("watched"), None);
    stranger.kill().expect("ended");
    stranger.wait().expect("ended");
    supervised.stop().await;
}
