//! What every end-to-end test leans on: the real binary, one synthetic city made once, real data where it is.

pub mod picture;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The binary that `cargo build` made beside this test; `make test` builds it first.
pub fn strata_binary() -> PathBuf {
    // …/target/debug/deps/all-0123 → …/target/debug/strata
    let here = std::env::current_exe().expect("a test has a path");
    let binary = here.ancestors().nth(2).expect("a target folder").join("strata");
    assert!(binary.exists(), "{} is missing: run `make test`, or `cargo build -p strata` first", binary.display());
    binary
}

pub fn strata(args: &[&str]) -> Output {
    Command::new(strata_binary()).args(args).current_dir(repository()).output().expect("strata starts")
}

/// Runs and wants success; what it printed.
pub fn strata_ok(args: &[&str]) -> String {
    let out = strata(args);
    assert!(out.status.success(), "strata {args:?}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// Real data, when it is there: `STRATA_DATA`, or `../shared/data` beside the repository.
pub fn data() -> Option<PathBuf> {
    let place = std::env::var_os("STRATA_DATA").map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    if place.is_dir() {
        return Some(place);
    }
    println!("skipped: no real data at {}", place.display());
    None
}

/// A folder that lives as long as the test run and is fresh for it.
pub fn scratch(name: &str) -> PathBuf {
    let dir = folder_of_the_run().join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a temporary folder");
    dir
}

/// A shell waits for the run to end, however it ends, and takes the folder away.
fn folder_of_the_run() -> &'static Path {
    static DIR: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (dir, _) = DIR.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("strata-tests-{}", std::process::id()));
        // Servers that stop with the run may write for a moment longer.
        let swept = r#"trap '' INT HUP; read -r _; sleep 2; rm -rf "$1" || { sleep 5; rm -rf "$1"; }"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", swept, "sh"]).arg(&dir).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        (dir, shell.spawn().expect("sh starts"))
    });
    dir
}

/// The synthetic district, made once a run by the real command.
pub fn district() -> &'static Path {
    static CITY: OnceLock<PathBuf> = OnceLock::new();
    CITY.get_or_init(|| {
        let dir = scratch("district").join("city");
        let began = Instant::now();
        strata_ok(&["demo", "--no-serve", "--dir", dir.to_str().expect("UTF-8")]);
        println!("district made in {:.1} s", began.elapsed().as_secs_f64());
        dir
    })
}

/// A copy of the district for a test that writes.
pub fn district_copied(name: &str) -> PathBuf {
    let to = scratch(name).join("city");
    let out = Command::new("cp").args(["-a", "--reflink=auto"]).arg(district()).arg(&to).output().expect("cp starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    to
}

/// A server on loopback that stops with the test run.
pub struct Server {
    child: Mutex<Child>,
    pub url: String,
    pub token: String,
    /// Host and port of the MQTT door, when one was asked for.
    pub mqtt: Option<String>,
}

impl Server {
    pub fn start(city: &Path) -> Self {
        Self::start_with(city, &[])
    }
    pub fn start_with(city: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(strata_binary())
            .args(["serve", city.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0", "--stop-with-parent", "--viewer"])
            .arg(repository().join("viewer/dist"))
            .args(more)
            .current_dir(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("strata serve starts");
        let (mut url, mut token, mut mqtt) = (None, None, None);
        let want_mqtt = more.contains(&"--mqtt");
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line.expect("UTF-8");
            if let Some(v) = line.strip_prefix("url=") {
                url = Some(v.split('#').next().unwrap_or(v).trim_end_matches('/').to_owned());
            }
            if let Some(v) = line.strip_prefix("token=") {
                token = Some(v.to_owned());
            }
            if let Some(v) = line.strip_prefix("mqtt=mqtt://") {
                mqtt = Some(v.to_owned());
            }
            if url.is_some() && token.is_some() && mqtt.is_some() == want_mqtt {
                break;
            }
        }
        Self { child: Mutex::new(child), url: url.expect("url= is printed"), token: token.expect("token= is printed"), mqtt }
    }
    pub fn id(&self) -> u32 {
        self.child.lock().expect("not poisoned").id()
    }
    /// SIGKILL, as a power cut of the process.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("not poisoned");
        let _ = child.kill();
        let _ = child.wait();
    }
    /// Status, headers of interest and body.
    pub fn get(&self, path: &str, with_token: bool) -> Answer {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).build().into();
        let mut request = agent.get(format!("{}{path}", self.url));
        if with_token {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let mut answer = request.call().unwrap_or_else(|e| panic!("GET {path}: {e}"));
        let header = |n: &str| answer.headers().get(n).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        Answer {
            status: answer.status().as_u16(),
            media_type: header("content-type"),
            etag: header("etag"),
            body: answer.body_mut().with_config().limit(256 << 20).read_to_vec().unwrap_or_else(|e| panic!("GET {path}: {e}")),
        }
    }
    /// A write with the token; the answer's JSON, or null where it has none.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).build().into();
        let request = agent.post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", self.token));
        let mut answer = request.send_json(body).unwrap_or_else(|e| panic!("POST {path}: {e}"));
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        assert!((200..300).contains(&status), "POST {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
    pub fn json(&self, path: &str) -> serde_json::Value {
        let a = self.get(path, true);
        assert_eq!(a.status, 200, "GET {path}: {}", String::from_utf8_lossy(&a.body));
        serde_json::from_slice(&a.body).unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }
}

pub struct Answer {
    pub status: u16,
    pub media_type: String,
    pub etag: String,
    pub body: Vec<u8>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().expect("not poisoned");
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// One server over the district for every test that only reads.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    // On a copy: what pages write there is in no picture and in no copy of another test.
    SERVER.get_or_init(|| Server::start(&district_copied("served")))
}

/// Runs a script of `tests/web` with node and reads the JSON line that it prints last.
pub fn judge(script: &str, args: &[&str]) -> serde_json::Value {
    let web = repository().join("tests/web");
    assert!(web.join("node_modules").is_dir(), "tests/web/node_modules is missing: run `make test`, which installs it");
    let out = Command::new("node").arg(script).args(args).current_dir(&web).output().expect("node starts");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{script} {args:?}: {}\n{text}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("{script}: {e}: {text}"))
}
