//! Child processes whose output is waited for line by line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Only a broken program takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `rpc` command. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(&[], args)
    }

    /// With these variables in its environment.
    fn start_with(variables: &[(&str, &str)], args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rpc"))
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// A server of this host's state on a free port, and its address.
    pub(crate) fn serve() -> (Self, String) {
        Self::serve_on("127.0.0.1:0")
    }

    /// A server on this address, which gives a silent viewer up after a second.
    pub(crate) fn serve_on(address: &str) -> (Self, String) {
        let options = ["--every", "200", "--silence", "1000"];
        let arguments = [&["host", "serve", "--listen", address], &options[..]];
        Self::start(&arguments.concat()).listening()
    }

    /// The suite's server on a free port, and its address.
    pub(crate) fn interop_serve(options: &[&str]) -> (Self, String) {
        Self::interop_serve_on("127.0.0.1:0", options)
    }

    /// The suite's server on a free port, with this variable in its environment.
    pub(crate) fn interop_serve_with(variable: &str, value: &str) -> (Self, String) {
        let arguments = ["interop", "serve", "--listen", "127.0.0.1:0"];
        Self::start_with(&[(variable, value)], &arguments).listening()
    }

    /// The suite's server on this address.
    pub(crate) fn interop_serve_on(address: &str, options: &[&str]) -> (Self, String) {
        let arguments = [&["interop", "serve", "--listen", address], options];
        Self::start(&arguments.concat()).listening()
    }

    /// The server, once it listens, and its address.
    fn listening(mut self) -> (Self, String) {
        let line = self.wait_for("listening on ");
        let address = line.trim_start_matches("listening on ").to_owned();
        (self, address)
    }

    /// A viewer of that server, which gives a silent server up after a second.
    pub(crate) fn watch(address: &str) -> Self {
        let options = ["--plain", "--retry", "100", "--silence", "1000"];
        Self::start(&[&["host", "watch", address], &options[..]].concat())
    }

    /// The next line that contains `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line with {text:?} after {:#?}", self.seen),
            }
        }
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn next_line(&mut self) -> String {
        self.wait_for("")
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process's open sockets, as Linux tells.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let target =
            |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
        descriptors
            .filter_map(target)
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
