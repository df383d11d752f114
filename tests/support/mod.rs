//! Real processes on loopback, ended with the test that started them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// Runs `selvedge` to its end.
pub(crate) fn selvedge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(arguments)
        .output()
        .unwrap()
}

/// What a command said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Lets this process hold as many sockets as the system allows.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
}

/// A folder that goes with the test.
pub(crate) fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Makes a key in `folder`. Returns the paths of the private key and of the set for edges.
pub(crate) fn make_key(folder: &Path) -> (String, String) {
    let [key, set] = ["private.json", "keys.json"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    let made = selvedge(&["token", "keygen", "--kid", "k1", "--out", &key, "--set", &set]);
    assert!(made.status.success(), "{}", said(&made));
    (key, set)
}

/// A `selvedge origin` or `selvedge edge` that listens.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a command with JSON logs and waits for the address that it says it listens on.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_selvedge"))
            .args(["--log-format", "json"])
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                line["listening"].as_str()?.parse().ok()
            })
            .unwrap();
        // The pipe is read on, or the server would stop at a full one.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// An origin as a configuration file says.
    pub(crate) fn configured(command: &str, folder: &Path, toml: &str, more: &[&str]) -> Self {
        let file = folder.join(format!("{command}.toml"));
        std::fs::write(&file, toml).unwrap();
        Self::start(&[&[command, "--config", file.to_str().unwrap()], more].concat())
    }

    /// An origin with its store in `folder`.
    pub(crate) fn origin(folder: &Path) -> Self {
        Self::start(&["origin", "--data", folder.to_str().unwrap()])
    }

    /// An edge before `origin` that trusts the keys in the file `set`.
    pub(crate) fn edge(origin: &Self, set: &str) -> Self {
        Self::start(&[
            "edge",
            "--origin",
            &format!("http://{}", origin.address),
            "--keys",
            set,
        ])
    }

    /// Sends SIGTERM and waits for the end. Returns the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends a raw request and reads all that comes back until the server closes.
    ///
    /// Fails when the server has not closed after `patience`.
    pub(crate) fn exchange(&self, request: &[u8], patience: Duration) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        // A server may answer and close before everything is written.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("not closed within {patience:?}"),
            _ => String::from_utf8_lossy(&answer).into_owned(),
        }
    }

    /// A GET, answered with status line, headers and body as text.
    pub(crate) fn get(&self, path: &str) -> String {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        self.exchange(request.as_bytes(), Duration::from_secs(10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
