//! `/api/stream` on the real listener.

use crate::{
    city::{TOKEN, TestCity, city, city_with},
    listener::Door,
};
use serde_json::{Value, json};
use std::time::Duration;
use strata_server::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

struct Ear {
    stream: TcpStream,
    text: String,
}

struct Event {
    id: String,
    name: String,
    data: Value,
    at: Instant,
}

impl Ear {
    async fn open(door: &Door, query: &str, token: bool, last: Option<&str>) -> Self {
        let mut stream = door.connect().await;
        let token = if token { format!("authorization: Bearer {TOKEN}\r\n") } else { String::new() };
        let last = last.map_or(String::new(), |l| format!("last-event-id: {l}\r\n"));
        let ask = format!("GET /api/stream{query} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{token}{last}\r\n");
        stream.write_all(ask.as_bytes()).await.expect("sent");
        let mut ear = Self { stream, text: String::new() };
        while !ear.text.contains("\r\n\r\n") {
            assert!(ear.more(5000).await, "no head: {}", ear.text);
        }
        assert!(ear.text.starts_with("HTTP/1.1 200") && ear.text.contains("text/event-stream"), "{}", ear.text);
        ear
    }
    async fn more(&mut self, ms: u64) -> bool {
        let mut buffer = [0; 65536];
        match timeout(Duration::from_millis(ms), self.stream.read(&mut buffer)).await {
            Ok(Ok(n)) if n > 0 => {
                self.text.push_str(&String::from_utf8_lossy(&buffer[..n]));
                true
            }
            _ => false,
        }
    }
    /// Events until nothing has come for a while.
    async fn events(&mut self, quiet_ms: u64) -> Vec<Event> {
        let mut out = Vec::new();
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let frame: String = self.text.drain(..end + 2).collect();
                // Chunk sizes of the transfer coding stand on lines of their own.
                let line = |name: &str| frame.lines().find_map(|l| l.strip_prefix(name)).map(str::to_owned);
                if let (Some(id), Some(name), Some(data)) = (line("id: "), line("event: "), line("data: ")) {
                    out.push(Event { id, name, data: serde_json::from_str(&data).expect("JSON"), at: Instant::now() });
                }
            }
            if !self.more(quiet_ms).await {
                return out;
            }
        }
    }
}

async fn observe(city: &TestCity, stream: &str, at: &str, result: f64) {
    let body = json!({ "phenomenonTime": at, "result": result });
    let a = city.post(&format!("/sta/v1.1/Datastreams('{stream}')/Observations"), &body).await;
    assert_eq!(a.status, 201, "{}", String::from_utf8_lossy(&a.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_those_who_may_see_them_within_a_second() {
    let city = city();
    let door = Door::open(&city).await;
    let mut keeper = Ear::open(&door, "", true, None).await;
    let mut stranger = Ear::open(&door, "", false, None).await;
    let mut picky = Ear::open(&door, "?kinds=observation&datastreams=SE-1,RG-1", true, None).await;
    let sent = Instant::now();
    observe(&city, "SE-0", "2026-01-20T06:30:00Z", 0.3).await;
    observe(&city, "RG-1", "2026-01-20T06:30:00Z", 1.5).await;
    let made = city.post("/api/proposals", &json!({ "title": "t", "changes": [{ "layer": "buildings", "remove": "b2" }] })).await.json();
    city.post(&format!("/api/proposals/{}/merge", made["id"].as_str().expect("an id")), &json!(null)).await;
    let got = keeper.events(600).await;
    assert!(got[0].at - sent < Duration::from_secs(1), "{:?}", got[0].at - sent);
    let told: Vec<(&str, &Value)> = got.iter().map(|e| (e.name.as_str(), &e.data["datastream"])).collect();
    assert_eq!(told, [("observation", &json!("SE-0")), ("observation", &json!("RG-1")), ("version", &Value::Null)]);
    assert_eq!(
        (&got[0].data["result"], &got[0].data["phenomenonTime"], &got[2].data["version"]),
        (&json!(0.3), &json!("2026-01-20T06:30:00Z"), &json!(3))
    );
    let seen: Vec<(String, Value)> = stranger.events(100).await.into_iter().map(|e| (e.name, e.data["datastream"].clone())).collect();
    assert_eq!(seen, [("observation".into(), json!("RG-1")), ("version".into(), Value::Null)], "what is hidden is not told");
    assert!(!stranger.text.contains("SE-0"));
    let chosen: Vec<Value> = picky.events(100).await.into_iter().map(|e| e.data["datastream"].clone()).collect();
    assert_eq!(chosen, [json!("RG-1")]);

    // Whoever comes back gets what was missed, and only what may be seen.
    let first = got[0].id.clone();
    let missed = Ear::open(&door, "", true, Some(&first)).await.events(200).await;
    assert_eq!(missed.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), [got[1].id.as_str(), got[2].id.as_str()]);
    let missed = Ear::open(&door, "?kinds=version", false, Some(&first)).await.events(200).await;
    assert_eq!(missed.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["version"]);
    for lost in ["1-1", "x", &format!("{}999", got[2].id)] {
        let gap = Ear::open(&door, "", true, Some(lost)).await.events(200).await;
        assert_eq!(gap.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["gap"], "{lost}");
    }
    for bad in ["?kinds=none", "?foo=1"] {
        assert_eq!(city.get(&format!("/api/stream{bad}")).await.status, 400, "{bad}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_is_cut_off_and_the_others_are_not() {
    let limits = Limits { stream_bytes: 64 << 10, stalled_s: 1, ..Limits::default() };
    let city = city_with(limits, None, None);
    let door = Door::open(&city).await;
    let deaf = Ear::open(&door, "", true, None).await;
    let mut keen = Ear::open(&door, "", true, None).await;
    let listening = tokio::spawn(async move {
        let mut n = 0;
        loop {
            let some = keen.events(1500).await.len();
            n += some;
            if some == 0 {
                return n;
            }
        }
    });
    sleep(Duration::from_millis(100)).await;
    assert_eq!(city.state.stream_readers(), (2, 0));
    let begin = strata_model::Instant::parse("2026-01-01T00:00:00Z").expect("a time").0;
    let mut sent = 0;
    let began = Instant::now();
    // Sockets hold megabytes before a write finds no room.
    while city.state.stream_readers().1 == 0 {
        let rows: Vec<Value> = (0..1000).map(|i| json!([strata_model::Instant(begin + (sent + i) * 1000).to_string(), i])).collect();
        let body = json!([{ "Datastream": { "@iot.id": "SE-0" }, "components": ["phenomenonTime", "result"], "dataArray": rows }]);
        assert_eq!(city.post("/sta/v1.1/CreateObservations", &body).await.status, 201);
        sent += 1000;
        sleep(Duration::from_millis(5)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "the deaf reader was never cut off");
    }
    assert_eq!(city.state.stream_readers(), (1, 1), "one is gone, the other stays");
    let heard = listening.await.expect("no panic");
    assert_eq!(heard, sent as usize, "who reads gets all of it");
    // The connection of the deaf one is closed too: its socket ends or breaks.
    let mut deaf = deaf;
    let ended = timeout(Duration::from_secs(15), async { while deaf.more(15_000).await {} }).await;
    assert!(ended.is_ok());
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_closes_though_someone_listens() {
    let city = city_with(Limits { streams: 1, ..Limits::default() }, None, None);
    let door = Door::open(&city).await;
    let ear = Ear::open(&door, "", true, None).await;
    let full = city.keeper("/api/stream").await;
    assert_eq!((full.status.as_u16(), full.code()), (503, "busy".into()));
    let began = Instant::now();
    door.close().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(ear);
}
