//! Observations through the whole program: the clients of Mosquitto, sensors that speak, and many at a time until a kill.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strata_tests::{Server, district_copied};

fn post(agent: &ureq::Agent, s: &Server, path: &str, body: &Value) -> (u16, String) {
    let mut answer = agent
        .post(format!("{}{path}", s.url))
        .header("authorization", format!("Bearer {}", s.token))
        .header("content-type", "application/json")
        .send(body.to_string())
        .unwrap_or_else(|e| panic!("POST {path}: {e}"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build().into()
}

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mosquitto(s: &Server, program: &str, topic: &str, more: &[&str]) -> Command {
    let (host, port) = s.mqtt.as_deref().and_then(|a| a.rsplit_once(':')).expect("an MQTT door");
    // What it says comes at once, though no terminal listens.
    let mut c = Command::new("stdbuf");
    c.args(["-oL", program, "-h", host, "-p", port, "-u", "sensor", "-P", &s.token, "-V", "311", "-t", topic]).args(more);
    c
}

#[test]
fn mosquitto_publishes_and_subscribes() {
    let s = Server::start_with(&district_copied("mqtt"), &["--mqtt", "127.0.0.1:0"]);
    let root = s.json("/sta/v1.1");
    let endpoint =
        root["serverSettings"]["http://www.opengis.net/spec/iot_sensing/1.1/req/receive-updates-via-mqtt/receive-updates"]["endpoints"][0]
            .as_str();
    assert_eq!(endpoint, s.mqtt.as_deref().map(|m| format!("mqtt://{m}")).as_deref());
    let id = s.json("/sta/v1.1/Datastreams?$top=1&$select=id")["value"][0]["@iot.id"].as_str().expect("a sensor").to_owned();
    let topic = format!("v1.1/Datastreams('{id}')/Observations");
    let mut ear = mosquitto(&s, "mosquitto_sub", &topic, &["-d", "-C", "2", "-W", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("mosquitto_sub starts");
    let mut said = BufReader::new(ear.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    // Nothing is published before it listens.
    assert!(said.any(|l| l.starts_with("Subscribed")), "mosquitto_sub is not subscribed");
    for (qos, result) in [("1", 0.31), ("2", 0.32)] {
        let payload = json!({ "result": result, "phenomenonTime": format!("2026-01-20T06:0{qos}:00Z") }).to_string();
        let out = mosquitto(&s, "mosquitto_pub", &topic, &["-q", qos, "-m", &payload]).output().expect("mosquitto_pub starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let heard: Vec<Value> = said.filter(|l| l.starts_with('{')).map(|l| serde_json::from_str(&l).expect("JSON")).collect();
    ear.wait().expect("it ends after two");
    assert_eq!(heard.iter().map(|o| o["result"].clone()).collect::<Vec<_>>(), [json!(0.31), json!(0.32)]);
    let kept = s.json(&format!("/sta/v1.1/Datastreams('{id}')/Observations?$count=true"));
    assert_eq!((&kept["@iot.count"], &kept["value"][0]["@iot.id"]), (&json!(2), &heard[0]["@iot.id"]));
    let wrong = mosquitto(&s, "mosquitto_pub", &topic, &["-m", "{}"]).args(["-P", "wrong"]).output().expect("mosquitto_pub starts");
    assert!(!wrong.status.success(), "a wrong password does not come in");
}

/// `strata serve --live`: readings come by themselves, and the stream tells of them.
#[test]
fn a_synthetic_city_lives() {
    let city = district_copied("lives");
    let s = Server::start_with(&city, &["--live"]);
    let mut curl = Command::new("curl");
    curl.args([
        "-sN",
        "--max-time",
        "6",
        "-H",
        &format!("authorization: Bearer {}", s.token),
        &format!("{}/api/stream?kinds=observation", s.url),
    ]);
    let out = curl.output().expect("curl starts");
    let heard = String::from_utf8_lossy(&out.stdout).lines().filter(|l| l.starts_with("data: ")).count();
    let sensors = s.json("/sta/v1.1/Datastreams?$count=true&$top=1")["@iot.count"].as_u64().expect("a number");
    assert!(heard > 20 && sensors > 100, "{heard} readings of {sensors} sensors in six seconds");
    let kept = s.json("/sta/v1.1/Observations?$count=true&$top=1")["@iot.count"].as_u64().expect("a number");
    assert!(kept >= heard as u64, "{kept} kept, {heard} heard");
    assert!(city.join("truth-live.jsonl").exists(), "the truth about faults stands beside the city");
}

/// User and system time of a process, seconds.
fn cpu_s(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let fields: Vec<&str> = text.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|i| fields[*i].parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn rss_mib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    text.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Five thousand observations a second, counted where they are sent and where they are kept; then SIGKILL in the middle.
/// `STRATA_LIVE_SECONDS` makes it longer.
#[test]
fn five_thousand_a_second_are_kept_and_survive_a_kill() {
    let seconds: u64 = std::env::var("STRATA_LIVE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    let city = district_copied("many");
    let s = Server::start(&city);
    let ids: Vec<String> = s.json("/sta/v1.1/Datastreams?$top=500&$select=id")["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| d["@iot.id"].as_str().expect("a text").to_owned())
        .collect();
    let _reader = Guard(
        Command::new("curl")
            .args(["-sN", "-o", "/dev/null", "-H", &format!("authorization: Bearer {}", s.token), &format!("{}/api/stream", s.url)])
            .stdout(Stdio::null())
            .spawn()
            .expect("curl starts"),
    );
    let (senders, rows) = (5_u64, 100_u64);
    let (stop, sent, told) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    // Each sender has streams of its own; a batch is one reading for each of a hundred streams. Ten batches a second.
    let (load, late) = std::thread::scope(|scope| {
        let send = |n: u64| {
            let (ids, s, stop, sent, told) = (&ids, &s, &stop, &sent, &told);
            move || {
                let (agent, mut worst, began) = (agent(), 0.0_f64, Instant::now());
                for batch in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let due = Duration::from_millis(batch * 100);
                    if let Some(wait) = due.checked_sub(began.elapsed()) {
                        sleep(wait);
                    }
                    // Now, so that the alarm rules look at all of it too.
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
                    let time = strata_model::Instant(now).to_string();
                    let arrays: Vec<Value> = (0..rows)
                        .map(|i| {
                            let id = &ids[((n * rows + i) as usize) % ids.len()];
                            json!({ "Datastream": { "@iot.id": id }, "components": ["phenomenonTime", "result"], "dataArray": [[time, 0.3 + (batch % 10) as f64 / 1000.0]] })
                        })
                        .collect();
                    sent.fetch_add(rows, Ordering::Relaxed);
                    let asked = Instant::now();
                    let answer = agent
                        .post(format!("{}/sta/v1.1/CreateObservations", s.url))
                        .header("authorization", format!("Bearer {}", s.token))
                        .header("content-type", "application/json")
                        .send(Value::from(arrays).to_string());
                    match answer {
                        Ok(a) if a.status() == 201 => {
                            told.fetch_add(rows, Ordering::Relaxed);
                            worst = worst.max(asked.elapsed().as_secs_f64());
                        }
                        // The kill has come.
                        _ if stop.load(Ordering::Relaxed) => break,
                        Ok(mut a) => panic!("{}: {}", a.status(), a.body_mut().read_to_string().unwrap_or_default()),
                        Err(e) => panic!("{e}"),
                    }
                }
                worst
            }
        };
        let threads: Vec<_> = (0..senders).map(|n| scope.spawn(send(n))).collect();
        let (cpu, began) = (cpu_s(s.id()), Instant::now());
        sleep(Duration::from_secs(seconds));
        let (kept_rate, share, rss) = (
            told.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64(),
            (cpu_s(s.id()) - cpu) / began.elapsed().as_secs_f64(),
            rss_mib(s.id()),
        );
        stop.store(true, Ordering::Relaxed);
        s.kill();
        let late = threads.into_iter().map(|t| t.join().expect("no panic")).fold(0.0, f64::max);
        ((kept_rate, share, rss), late)
    });
    let (sent, told) = (sent.load(Ordering::Relaxed), told.load(Ordering::Relaxed));
    let (rate, share, rss) = load;
    let again = Server::start(&city);
    let kept = again.json("/sta/v1.1/Observations?$count=true&$top=0")["@iot.count"].as_u64().expect("a number");
    println!(
        "{seconds} s: {sent} sent, {told} acknowledged ({rate:.0}/s), {kept} kept after SIGKILL; {:.0} % of one core, {rss} MiB, slowest answer {:.0} ms",
        share * 100.0,
        late * 1000.0
    );
    assert!(kept >= told, "{told} were acknowledged, {kept} are there");
    assert!(kept <= sent, "{sent} were sent, {kept} are there");
    assert!(rate > 4_500.0, "{rate:.0}/s were acknowledged");
    let (status, _) = post(&agent(), &again, &format!("/sta/v1.1/Datastreams('{}')/Observations", ids[0]), &json!({ "result": 1 }));
    assert_eq!(status, 201, "and it goes on");
    check_file(&city);
}

/// An alarm and its case come in one transaction: whoever sees the alarm finds the case, also after SIGKILL.
#[test]
fn the_case_of_an_alarm_survives_a_kill() {
    let city = district_copied("case");
    let s = Server::start(&city);
    let streams = s.json("/sta/v1.1/Datastreams?$top=1000");
    let cover = streams["value"].as_array().expect("a list").iter().find(|d| d["unitOfMeasurement"]["symbol"] == "°").expect("a cover");
    let id = cover["@iot.id"].as_str().expect("an id");
    s.post(&format!("/sta/v1.1/Datastreams('{id}')/Observations"), &json!({ "result": 40 }));
    let began = Instant::now();
    let alarm = loop {
        if let Some(a) = s.json(&format!("/api/alarms?datastream={id}"))["alarms"].get(0).cloned() {
            break a;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no alarm was raised");
        sleep(Duration::from_millis(20));
    };
    let case = format!("/api/cases/{}", alarm["case"].as_str().expect("its case"));
    let step = json!({ "step": "acknowledge", "role": "duty", "after": 1, "reason": "kill me" });
    let (status, told) = post(&agent(), &s, &format!("{case}/steps"), &step);
    s.kill();
    assert_eq!(status, 200, "{told}");
    let again = Server::start(&city);
    let kept = again.json(&case);
    assert_eq!((&kept["state"], &kept["alarm"]["rule"], &kept["alarms"]), (&json!("acknowledged"), &alarm["rule"], &json!([alarm["id"]])));
    assert_eq!(kept["events"][0]["detail"]["evidence"], alarm["evidence"]);
    // The same step from an old screen, and a further alarm of the rule on the target.
    let (status, told) = post(&agent(), &again, &format!("{case}/steps"), &step);
    assert_eq!(status, 409, "{told}");
    assert_eq!(again.json(&format!("/api/alarms/{}", alarm["id"]))["acknowledged"]["reason"], "kill me");
    assert_eq!(again.json("/api/cases?definition=pipe-alarm")["cases"].as_array().map(Vec::len), Some(1));
}

/// `strata backup` beside a server that is told all the while, and `strata verify` of the copy, sound and damaged.
#[test]
fn a_backup_of_a_living_city_is_whole_and_a_damaged_one_is_found_out() {
    let city = district_copied("living");
    let s = Server::start(&city);
    let ids = s.json("/sta/v1.1/Datastreams?$top=100&$select=id")["value"].as_array().expect("a list").clone();
    let at = |b: i64| strata_model::Instant(1_700_000_000_000 + b * 1000).to_string();
    let (stop, told) = (AtomicBool::new(false), AtomicU64::new(0));
    let to = city.with_file_name("copy");
    let text = |p: &Path| p.to_str().expect("UTF-8").to_owned();
    let least = std::thread::scope(|scope| {
        scope.spawn(|| {
            for b in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let rows = |d: &Value| json!({ "Datastream": { "@iot.id": d["@iot.id"] }, "components": ["phenomenonTime", "result"], "dataArray": [[at(b), 0.3]] });
                s.post("/sta/v1.1/CreateObservations", &ids.iter().map(rows).collect::<Value>());
                told.fetch_add(ids.len() as u64, Ordering::SeqCst);
            }
        });
        while told.load(Ordering::SeqCst) < 1000 {
            sleep(Duration::from_millis(5));
        }
        let least = told.load(Ordering::SeqCst);
        let done = strata_tests::strata(&["backup", &text(&city), &text(&to)]);
        stop.store(true, Ordering::SeqCst);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        least
    });
    let verify = |dir: &Path| {
        let out = strata_tests::strata(&["--json", "verify", &text(dir)]);
        (out.status.code(), serde_json::from_slice::<Value>(&out.stdout).expect("JSON"))
    };
    let (code, said) = verify(&to);
    let kept = said["observations"].as_u64().expect("a number");
    assert!(code == Some(0) && kept >= least && kept.is_multiple_of(ids.len() as u64), "{least} were told: {said}");
    assert_eq!(verify(&city).0, Some(0), "also beside the server");
    // It is a city that serves.
    let again = Server::start(&to);
    assert_eq!(again.json("/sta/v1.1/Observations?$count=true&$top=0")["@iot.count"].as_u64(), Some(kept));
    again.kill();
    // One changed result, which no page check sees.
    let path = to.join("observations.db");
    let mut bytes = std::fs::read(&path).expect("a file");
    let found = bytes.windows(8).position(|w| w == 0.3_f64.to_be_bytes()).expect("a result");
    bytes[found + 7] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let (code, said) = verify(&to);
    assert!(code == Some(1) && said["faults"][0].as_str().is_some_and(|f| f.contains("observations")), "{said}");
}

fn check_file(city: &Path) {
    let out = Command::new("ogrinfo")
        .args(["-ro", "-q", "-sql", "PRAGMA integrity_check"])
        .arg(city.join("observations.db"))
        .output()
        .expect("ogrinfo starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("= ok"), "{text} {}", String::from_utf8_lossy(&out.stderr));
}
