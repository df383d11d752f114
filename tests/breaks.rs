//! `selvedge breaks`, byte by byte: what it says, what it sends, and what it does when a store misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex, PoisonError},
};

use insta::assert_snapshot;
use support::said;

const OLD: &str = r#"{"version": 1, "channel": "news", "fill": {"pod": [{"creative": "acme-30", "duration_ms": 30000}]},
 "schedule": [{"name": "noon", "at": "2096-11-21T12:00:00Z", "duration_ms": 60000}]}
"#;
const NEW: &str = r#"{"version": 1, "channel": "news", "fill": {"pod": [{"creative": "fish-15", "duration_ms": 15000}]},
 "schedule": [{"name": "noon", "at": "2096-11-21T12:05:00Z", "duration_ms": 60000}]}
"#;
const OTHER: &str = r#"{"version": 1, "channel": "news"}"#;
const BAD: &str = "{\n  \"version\": 1,\n  \"channel\": \"news\",\n  \"fill\": {\n    \"pod\": [\n      { \"creative\": \"acme 30\", \"duration_ms\": 30000 },\n      { \"creative\": \"fish-15\" }\n    ],\n    \"rest\": \"slaet\"\n  },\n  \"shedule\": []\n}\n";

/// A server that answers what a test says, and keeps every request as it came.
struct Loopback {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a server answers: a status line with header fields, and a body; or that it closes without a word.
type Reply = Option<(String, String)>;

impl Loopback {
    /// `answer` gets the number of the request, counted from nought, and its first line.
    fn start(mut answer: impl FnMut(usize, &str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let reply = answer(number, request.lines().next().unwrap());
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                let Some((head, body)) = reply else { continue };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
            }
        });
        Self { address, requests }
    }

    /// A store whose value for any key is `held` until something is put.
    fn keeping(held: Option<&'static str>, put: impl Fn() -> Reply + Send + 'static) -> Self {
        let mut is_new = false;
        Self::start(move |_, line| {
            if line.starts_with("PUT") {
                is_new = true;
                return put();
            }
            match (is_new, held) {
                (true, _) => ok(NEW),
                (false, Some(held)) => ok(held),
                (false, None) => missing(),
            }
        })
    }

    /// The requests so far, with the address taken out.
    fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.address.to_string();
        let version = concat!("selvedge/", env!("CARGO_PKG_VERSION"));
        requests
            .iter()
            .map(|one| {
                one.replace(&address, "[here]")
                    .replace(version, "selvedge/[version]")
            })
            .collect()
    }

    fn methods(&self) -> Vec<String> {
        let method = |one: &String| one.split(' ').next().unwrap().to_owned();
        self.requests().iter().map(method).collect()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text.replace("\r\n", "\n");
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "cut off");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn ok(body: &str) -> Reply {
    Some(("200 OK".into(), body.into()))
}

fn status(head: &str, body: &str) -> Reply {
    Some((head.into(), body.into()))
}

fn missing() -> Reply {
    status(
        "404 Not Found",
        r#"{"success":false,"errors":[{"code":10009,"message":"get: 'key not found'"}],"messages":[],"result":null}"#,
    )
}

fn stored() -> Reply {
    ok(r#"{"success":true,"errors":[],"messages":[],"result":null}"#)
}

/// Runs `selvedge breaks` with nothing in its environment but what is given.
fn breaks(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(folder)
        .arg("breaks")
        .args(arguments)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A folder with the documents.
fn documents() -> tempfile::TempDir {
    let folder = support::temporary_folder();
    for (name, json) in [("old.json", OLD), ("new.json", NEW), ("bad.json", BAD)] {
        fs::write(folder.path().join(name), json).unwrap();
    }
    folder
}

/// What is told without how long it is until then, which the clock changes.
fn timeless(text: &str) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (in ") {
        said += before;
        rest = after.split_once(')').unwrap().1;
    }
    said + rest
}

#[test]
fn every_fault_is_told_with_its_line_and_its_pointer() {
    let folder = documents();
    let output = breaks(folder.path(), &[], &["validate", "bad.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!(out(&output), @r#"
    bad.json:6:9: /fill/pod/0/creative: is "acme 30": expected letters, digits and . _ : - alone, at most 64 of them
    bad.json:7:7: /fill/pod/1/duration_ms: is missing
    bad.json:9:5: /fill/rest: is "slaet": expected resume, slate or wait
    bad.json:11:3: /shedule: is not known here: expected one of version, channel, openers, lengths, returns, fill, restrictions, exempt, schedule, positions
    bad.json: 4 faults
    "#);
    let output = breaks(
        folder.path(),
        &[],
        &["validate", "--json", "bad.json", "new.json"],
    );
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["faults"][2]["at"], "/fill/rest");
    assert_eq!(lines[0]["faults"][2]["line"], 9);
    assert_eq!(
        (&lines[1]["valid"], &lines[1]["channel"]),
        (&true.into(), &"news".into())
    );

    let output = breaks(folder.path(), &[], &["validate", "new.json"]);
    assert!(output.status.success());
    assert_eq!(
        out(&output),
        "new.json: good: rules of news, with 1 scheduled break\n"
    );
    let schedule = r#"{ "version": 1, "channel": "classics", "ladder": "film",
  "assets": { "film": { "segments": 2, "segment_us": 1920000, "last_us": 1920000 } },
  "runs": [{ "from": "2026-12-01T00:00:00Z", "items": [{ "asset": "FILM" }] }] }"#;
    for (asset, expected) in [
        (
            "film",
            "fast.json: good: schedule of classics, with 1 run of 1 asset\n",
        ),
        (
            "other",
            "fast.json:3:58: /runs/0/items/0/asset: is other, which is none of the assets\nfast.json: 1 fault\n",
        ),
    ] {
        fs::write(folder.path().join("fast.json"), schedule.replace("FILM", asset)).unwrap();
        let output = breaks(folder.path(), &[], &["validate", "fast.json"]);
        assert_eq!(
            (out(&output).as_str(), output.status.success()),
            (expected, asset == "film")
        );
    }
    fs::write(folder.path().join("cut.json"), "{\n  \"version\": 1,\n").unwrap();
    let output = breaks(folder.path(), &[], &["validate", "cut.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).starts_with("cut.json:3:1: document: EOF while parsing"),
        "{}",
        out(&output)
    );
}

#[test]
fn a_schema_is_the_published_one() {
    let folder = support::temporary_folder();
    let output = breaks(folder.path(), &[], &["schema"]);
    assert_eq!(out(&output), include_str!("../docs/schema/break-rules-1.json"));
    let output = breaks(folder.path(), &[], &["schema", "decision"]);
    assert_eq!(out(&output), include_str!("../docs/schema/decision-1.json"));
}

#[test]
fn a_difference_is_told_in_words_of_breaks() {
    let folder = documents();
    let output = breaks(folder.path(), &[], &["diff", "new.json", "--against", "old.json"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_snapshot!(timeless(&out(&output)), @r"
    news: 2 changes against old.json
      > noon  moves from 12:00:00 to 2096-11-21 12:05:00 UTC, 5 min later
      ~ fill  pod: acme-30 (30 s) → fish-15 (15 s)
    ");
    let code = |file: &str| {
        let arguments = ["diff", file, "--against", "old.json", "--exit-code", "--json"];
        let output = breaks(folder.path(), &[], &arguments);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), said["changes"].as_array().unwrap().len())
    };
    assert_eq!((code("old.json"), code("new.json")), ((Some(0), 0), (Some(1), 2)));
}

#[test]
fn a_push_to_cloudflare_is_a_read_a_write_and_a_read() {
    let folder = documents();
    let kv = Loopback::keeping(Some(OLD), stored);
    let url = kv.url();
    let environment = [
        ("CLOUDFLARE_API_BASE_URL", url.as_str()),
        ("CLOUDFLARE_ACCOUNT_ID", "acc"),
        ("CLOUDFLARE_API_TOKEN", "secret"),
    ];
    let arguments = ["push", "new.json", "--to", "cloudflare", "--namespace", "ns"];
    let output = breaks(folder.path(), &environment, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert_snapshot!(timeless(&out(&output)), @r"
    news: 2 changes against Cloudflare KV ns
      > noon  moves from 12:00:00 to 2096-11-21 12:05:00 UTC, 5 min later
      ~ fill  pod: acme-30 (30 s) → fish-15 (15 s)
    news: in force at Cloudflare KV ns, and everywhere in 1 min
    ");
    assert_snapshot!(kv.requests().join("---\n"), @r#"
    GET /accounts/acc/storage/kv/namespaces/ns/values/breaks%2Fnews HTTP/1.1
    authorization: Bearer secret
    accept: */*
    user-agent: selvedge/[version]
    host: [here]

    ---
    PUT /accounts/acc/storage/kv/namespaces/ns/values/breaks%2Fnews HTTP/1.1
    authorization: Bearer secret
    content-type: application/json
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    content-length: 185

    {"version": 1, "channel": "news", "fill": {"pod": [{"creative": "fish-15", "duration_ms": 15000}]},
     "schedule": [{"name": "noon", "at": "2096-11-21T12:05:00Z", "duration_ms": 60000}]}
    ---
    GET /accounts/acc/storage/kv/namespaces/ns/values/breaks%2Fnews HTTP/1.1
    authorization: Bearer secret
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    "#);
}

#[test]
fn a_push_to_fastly_replaces_the_generation_that_was_read_and_no_other() {
    let folder = documents();
    let kv = Loopback::start(|number, _| match number {
        0 => status("200 OK\r\ngeneration: 1763", OLD),
        1 => status("200 OK", ""),
        _ => status("200 OK\r\ngeneration: 1764", NEW),
    });
    let url = kv.url();
    let environment = [
        ("FASTLY_API_ENDPOINT", url.as_str()),
        ("FASTLY_API_TOKEN", "secret"),
    ];
    let arguments = ["push", "new.json", "--to", "fastly", "--store", "st", "--json"];
    let output = breaks(folder.path(), &environment, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["outcome"], &answer["in_force"]),
        (&"pushed".into(), &"new".into())
    );
    assert_snapshot!(kv.requests()[1], @r#"
    PUT /resources/stores/kv/st/keys/breaks%2Fnews HTTP/1.1
    fastly-key: secret
    content-type: application/json
    if-generation-match: 1763
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    content-length: 185

    {"version": 1, "channel": "news", "fill": {"pod": [{"creative": "fish-15", "duration_ms": 15000}]},
     "schedule": [{"name": "noon", "at": "2096-11-21T12:05:00Z", "duration_ms": 60000}]}
    "#);

    // Somebody else was faster.
    let kv = Loopback::start(|number, _| match number {
        0 => status("200 OK\r\ngeneration: 1763", OLD),
        1 => status("412 Precondition Failed", ""),
        _ => status("200 OK\r\ngeneration: 1764", OTHER),
    });
    let url = kv.url();
    let environment = [
        ("FASTLY_API_ENDPOINT", url.as_str()),
        ("FASTLY_API_TOKEN", "secret"),
    ];
    let output = breaks(folder.path(), &environment, &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!(said(&output), @"selvedge: Fastly KV st: somebody else has changed the rules meanwhile (412): look at `selvedge breaks diff`; in force are now other rules than these and those from before: look at `selvedge breaks diff`");
}

#[test]
fn a_first_push_to_fastly_makes_sure_of_the_store_and_adds_the_key() {
    let folder = documents();
    let run = |store: &'static str| {
        let kv = Loopback::start(move |_, line| match line {
            _ if line.starts_with("PUT") => status("200 OK", ""),
            _ if line.contains("/keys/") => status("404 Not Found", ""),
            _ => status(store, "{}"),
        });
        let url = kv.url();
        let environment = [
            ("FASTLY_API_ENDPOINT", url.as_str()),
            ("FASTLY_API_TOKEN", "secret"),
        ];
        let arguments = ["push", "new.json", "--to", "fastly", "--store", "st"];
        let output = breaks(folder.path(), &environment, &arguments);
        let lines = kv
            .requests()
            .iter()
            .map(|one| one.lines().next().unwrap().to_owned())
            .collect();
        let lines: Vec<String> = lines;
        (said(&output), lines)
    };
    let (_, lines) = run("200 OK");
    assert_eq!(
        lines[..3],
        [
            "GET /resources/stores/kv/st/keys/breaks%2Fnews HTTP/1.1",
            "GET /resources/stores/kv/st HTTP/1.1",
            "PUT /resources/stores/kv/st/keys/breaks%2Fnews?add=true HTTP/1.1",
        ]
    );
    let (error, lines) = run("404 Not Found");
    assert_eq!(lines.len(), 2, "nothing is put into a store that is not there");
    assert!(error.contains("404 Not Found: nothing was sent"), "{error}");
}

/// The environment of a push to a Cloudflare that is at `url`.
fn cloudflare(url: &str) -> [(&str, &str); 4] {
    [
        ("CLOUDFLARE_API_BASE_URL", url),
        ("CLOUDFLARE_ACCOUNT_ID", "acc"),
        ("CLOUDFLARE_API_TOKEN", "secret"),
        ("CLOUDFLARE_KV_NAMESPACE_ID", "ns"),
    ]
}

#[test]
fn rules_with_faults_are_not_sent_anywhere() {
    let folder = documents();
    let kv = Loopback::keeping(Some(OLD), stored);
    let output = breaks(
        folder.path(),
        &cloudflare(&kv.url()),
        &["push", "bad.json", "--to", "cloudflare", "--force"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("bad.json:9:5: /fill/rest"));
    assert_eq!(
        said(&output),
        "selvedge: bad.json: has faults: nothing was sent, and what is in force stays\n"
    );
    assert_eq!(kv.methods().len(), 0);
}

#[test]
fn a_namespace_that_is_not_there_does_not_pass_for_one_without_rules() {
    let folder = documents();
    let kv = Loopback::start(|_, _| {
        let body = r#"{"success":false,"errors":[{"code":10013,"message":"namespace not found"}]}"#;
        status("404 Not Found", body)
    });
    let output = breaks(
        folder.path(),
        &cloudflare(&kv.url()),
        &["push", "new.json", "--to", "cloudflare"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        "selvedge: Cloudflare KV ns: 404 Not Found: namespace not found (10013): nothing was sent, as what is in \
         force could not be read\n"
    );
    assert_eq!(kv.methods(), ["GET"]);
}

#[test]
fn a_push_that_failed_half_way_says_what_is_in_force() {
    let folder = documents();
    let push = |kv: &Loopback| {
        let output = breaks(
            folder.path(),
            &cloudflare(&kv.url()),
            &["push", "new.json", "--to", "cloudflare"],
        );
        (output.status.code(), said(&output))
    };

    // The write arrives and its answer does not.
    let kv = Loopback::keeping(Some(OLD), || None);
    assert_eq!(push(&kv), (Some(0), String::new()));

    // Neither does.
    let kv = Loopback::start(|_, line| if line.starts_with("PUT") { None } else { ok(OLD) });
    let (code, line) = push(&kv);
    assert_eq!(code, Some(1));
    assert!(
        line.ends_with("; the rules from before are still in force\n"),
        "{line}"
    );

    // It is refused, where there were none.
    let refused = || {
        status(
            "403 Forbidden",
            r#"{"success":false,"errors":[{"code":10000,"message":"no"}]}"#,
        )
    };
    let kv = Loopback::start(move |_, line| {
        if line.starts_with("PUT") {
            refused()
        } else {
            missing()
        }
    });
    assert_eq!(
        push(&kv),
        (
            Some(1),
            "selvedge: Cloudflare KV ns: 403 Forbidden: no (10000); there are still no rules in force\n"
                .into()
        )
    );

    // It is taken, and something else is there.
    let kv = Loopback::start(|number, line| match (number, line.starts_with("PUT")) {
        (_, true) => stored(),
        (0, false) => ok(OLD),
        _ => ok(OTHER),
    });
    let (code, line) = push(&kv);
    assert_eq!(code, Some(1));
    assert!(
        line.contains("took them and does not have them; in force are now other rules"),
        "{line}"
    );

    // It fails, and then nobody can say.
    let kv = Loopback::start(|number, _| (number == 0).then(|| ok(OLD)).flatten());
    let (code, line) = push(&kv);
    assert_eq!(code, Some(1));
    assert!(line.contains("which rules are in force is not known"), "{line}");
}

#[test]
fn a_change_too_close_to_air_is_not_sent_without_force() {
    let folder = documents();
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let soon = selvedge_breaks::UnixMicros((i64::try_from(seconds).unwrap() + 40) * 1_000_000);
    let json = format!(
        "{{\"version\": 1, \"channel\": \"news\", \"schedule\": [{{\"name\": \"now\", \"at\": \"{soon}\", \
         \"duration_ms\": 30000}}]}}"
    );
    fs::write(folder.path().join("soon.json"), &json).unwrap();

    // Forty seconds are nothing to Workers KV, and enough for a folder.
    let kv = Loopback::keeping(None, stored);
    let output = breaks(
        folder.path(),
        &cloudflare(&kv.url()),
        &["push", "soon.json", "--to", "cloudflare"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("  ! now is at "), "{}", out(&output));
    assert!(out(&output).contains("and this store takes 1 min to be heard everywhere"));
    assert_eq!(
        said(&output),
        "selvedge: news: nothing was sent: 1 break too close to air; --force sends it all the same\n"
    );
    assert_eq!(kv.methods(), ["GET"]);
    let forced = breaks(
        folder.path(),
        &cloudflare(&kv.url()),
        &["push", "soon.json", "--to", "cloudflare", "--force", "--dry-run"],
    );
    assert!(forced.status.success());
    assert_eq!(kv.methods(), ["GET", "GET"]);
    let output = breaks(folder.path(), &[], &["push", "soon.json", "--to", "./store"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        fs::read_to_string(folder.path().join("store/breaks/news.json")).unwrap(),
        json
    );
    let again = breaks(folder.path(), &[], &["push", "soon.json", "--to", "./store"]);
    assert_eq!(
        out(&again),
        "news: ./store has the same rules\nnews: nothing to send\n"
    );
}

#[test]
fn what_is_not_set_is_named_and_a_token_is_never_sent_in_the_clear() {
    let folder = documents();
    let push = |to: &str, environment: &[(&str, &str)]| {
        let output = breaks(folder.path(), environment, &["push", "new.json", "--to", to]);
        assert_eq!(output.status.code(), Some(2));
        said(&output)
    };
    assert_snapshot!(push("cloudflare", &[]), @"selvedge: --namespace: name the KV namespace by its id, or set CLOUDFLARE_KV_NAMESPACE_ID");
    assert_snapshot!(push("fastly", &[("FASTLY_KV_STORE_ID", "st")]), @"selvedge: FASTLY_API_TOKEN: set it to a token that may write to the KV store");
    assert_snapshot!(push("cloudflare", &cloudflare("http://kv.example")), @r#"selvedge: CLOUDFLARE_API_BASE_URL: "http://kv.example" would carry a token in the clear: give an https URL"#);
}

#[test]
fn breaks_are_scheduled_moved_and_cancelled_at_the_origin() {
    let folder = support::temporary_folder();
    let one = r#"{"id": "news-4004424000000-name:noon", "event": "name:noon", "source": "api", "state": "announced", "out_us": 4004424000000000, "planned_us": 60000000, "in_us": null, "slots": [], "decisions": [], "reason": null}"#;
    let origin = Loopback::start(move |_, line| match line.split(' ').next().unwrap() {
        "POST" => status("201 Created", one),
        "DELETE" => status("204 No Content", ""),
        _ => ok(one),
    });
    let url = origin.url();
    let environment = [
        ("SELVEDGE_ORIGIN", url.as_str()),
        ("SELVEDGE_ADMIN_TOKEN", "secret"),
    ];
    let run = |arguments: &[&str]| {
        let output = breaks(folder.path(), &environment, arguments);
        assert!(output.status.success(), "{}", said(&output));
        timeless(&out(&output))
    };
    let id = "news-4004424000000-name:noon";
    let said = [
        run(&[
            "schedule",
            "--channel",
            "news",
            "--at",
            "2096-11-22T14:00:00+02:00",
            "--duration",
            "1m",
            "--name",
            "noon",
        ]),
        run(&["move", id, "--channel", "news", "--duration", "45s"]),
        run(&["cancel", id, "--channel", "news"]),
    ];
    assert_snapshot!(said.concat(), @r"
    asked for: news-4004424000000-name:noon: announced, at 2096-11-22 12:00:00 UTC, for 1 min
    moved: news-4004424000000-name:noon: announced, at 2096-11-22 12:00:00 UTC, for 1 min
    cancelled
    ");
    assert_snapshot!(origin.requests().join("---\n"), @r#"
    POST /channels/news/breaks HTTP/1.1
    authorization: Bearer secret
    content-type: application/json
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    content-length: 67

    {"at":"2096-11-22T12:00:00.000Z","duration_ms":60000,"name":"noon"}---
    PATCH /channels/news/breaks/news-4004424000000-name%3Anoon HTTP/1.1
    authorization: Bearer secret
    content-type: application/json
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    content-length: 21

    {"duration_ms":45000}---
    DELETE /channels/news/breaks/news-4004424000000-name%3Anoon HTTP/1.1
    authorization: Bearer secret
    accept: */*
    user-agent: selvedge/[version]
    host: [here]
    "#);
}

#[test]
fn what_the_origin_refuses_is_told_with_what_to_do() {
    let folder = support::temporary_folder();
    let origin = Loopback::start(|_, line| {
        if line.starts_with("POST") {
            status(
                "409 Conflict",
                r#"{"title": "Too late", "detail": "noon is before the edge"}"#,
            )
        } else {
            status("401 Unauthorized", r#"{"detail": "a token is needed"}"#)
        }
    });
    let url = origin.url();
    let environment = [("SELVEDGE_ORIGIN", url.as_str())];
    let arguments = [
        "schedule",
        "--channel",
        "news",
        "--at",
        "now",
        "--duration",
        "30s",
    ];
    let refused = breaks(folder.path(), &environment, &arguments);
    assert_eq!(refused.status.code(), Some(1));
    let line = said(&refused).replace(&origin.address.to_string(), "[here]");
    assert_snapshot!(line, @"selvedge: the origin http://[here]: 409 Conflict: noon is before the edge; nothing has changed");
    let refused = breaks(folder.path(), &environment, &["list", "--channel", "news"]);
    let line = said(&refused).replace(&origin.address.to_string(), "[here]");
    assert_snapshot!(line, @"selvedge: the origin http://[here]: 401 Unauthorized: a token is needed: set SELVEDGE_ADMIN_TOKEN to the origin's admin_token");
}

#[test]
fn rules_come_into_force_at_an_origin_and_a_stranger_sees_none() {
    let folder = documents();
    let data = folder.path().join("data");
    let toml = format!("[origin]\ndata = {data:?}\nadmin_token = \"secret\"\n");
    let origin = support::Server::configured("origin", folder.path(), &toml, &[]);
    let url = format!("http://{}", origin.address);
    let known = [
        ("SELVEDGE_ORIGIN", url.as_str()),
        ("SELVEDGE_ADMIN_TOKEN", "secret"),
    ];
    let run = |environment: &[(&str, &str)], arguments: &[&str]| {
        let output = breaks(folder.path(), environment, arguments);
        let text = timeless(&out(&output)) + &said(&output);
        (output.status.code(), text.replace(&url, "[origin]"))
    };
    let push = |file: &str| run(&known, &["push", file, "--to", "origin"]);
    let (code, text) = push("old.json");
    assert_eq!(code, Some(0), "{text}");
    assert_snapshot!(text, @r"
    news: the origin [origin] has no rules yet; with these, 2 changes
      + noon  is new: 2096-11-21 12:00:00 UTC, for 1 min
      ~ fill  pod: no ads → acme-30 (30 s)
    news: in force at the origin [origin]
    ");
    let (code, text) = push("new.json");
    assert_eq!(code, Some(0), "{text}");
    assert_snapshot!(push("new.json").1, @r"
    news: the origin [origin] has the same rules
    news: nothing to send
    ");
    assert_snapshot!(run(&known, &["diff", "old.json"]).1, @r"
    news: 2 changes against the origin [origin]
      > noon  moves from 12:05:00 to 2096-11-21 12:00:00 UTC, 5 min earlier
      ~ fill  pod: fish-15 (15 s) → acme-30 (30 s)
    ");
    let stranger = [("SELVEDGE_ORIGIN", url.as_str())];
    assert_snapshot!(run(&stranger, &["push", "old.json", "--to", "origin"]).1, @"selvedge: the origin [origin]: 401 Unauthorized: breaks are for whoever has the token: send it as `Authorization: Bearer`: set SELVEDGE_ADMIN_TOKEN to the origin's admin_token: nothing was sent, as what is in force could not be read");
    let guessing = [
        ("SELVEDGE_ORIGIN", url.as_str()),
        ("SELVEDGE_ADMIN_TOKEN", "guess"),
    ];
    assert_eq!(run(&guessing, &["push", "old.json", "--to", "origin"]).0, Some(1));
    assert_snapshot!(run(&known, &["diff", "new.json", "--exit-code"]).1, @"news: the origin [origin] has the same rules");
    assert_eq!(origin.stop(), 0);
}

#[test]
fn a_follower_carries_good_rules_and_leaves_them_when_bad_ones_come() {
    let folder = documents();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("from/breaks")).unwrap();
    fs::copy(path("old.json"), path("from/breaks/news.json")).unwrap();
    let mut follower = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .env_clear()
        .current_dir(folder.path())
        .args(["--log-format", "json", "breaks", "follow", "--channel", "news"])
        .args(["--from", "./from", "--to", "./to", "--every", "100ms"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follower.stderr.take().unwrap()));
    let mut told = |what: &str| {
        let line = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(what));
        assert!(line.is_some(), "never told: {what}");
    };
    let in_force = || fs::read_to_string(path("to/breaks/news.json")).unwrap();
    told("rules in force");
    assert_eq!(in_force(), OLD);
    // Replaced at once, as `push` does, so that half a document is never read.
    let replace = |name: &str| {
        fs::copy(path(name), path("next")).unwrap();
        fs::rename(path("next"), path("from/breaks/news.json")).unwrap();
    };
    replace("bad.json");
    told("rules with faults: those in force stay");
    assert_eq!(in_force(), OLD);
    fs::remove_file(path("from/breaks/news.json")).unwrap();
    told("no rules: those in force stay");
    replace("new.json");
    told("rules in force");
    assert_eq!(in_force(), NEW);
    let id = rustix::process::Pid::from_raw(i32::try_from(follower.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}
