//! The MQTT door with packets written by hand; the real clients of Mosquitto are in the tests of the whole program.

use crate::city::{TOKEN, TestCity, city, city_with};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use strata_server::{Limits, serve_mqtt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

async fn door(city: &TestCity) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve_mqtt(city.state.clone(), listener, std::future::pending()));
    address
}

fn text(t: &str) -> Vec<u8> {
    [&(t.len() as u16).to_be_bytes(), t.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut n = body.len();
    loop {
        let byte = (n % 128) as u8;
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

fn connect(password: Option<&str>, level: u8, keep_alive_s: u16) -> Vec<u8> {
    let flags = if password.is_some() { 0b1100_0010 } else { 0b10 };
    let mut body = [text("MQTT"), vec![level, flags], keep_alive_s.to_be_bytes().to_vec(), text("tester")].concat();
    if let Some(p) = password {
        body.extend([text("sensor"), text(p)].concat());
    }
    packet(0x10, &body)
}

fn publish(topic: &str, qos: u8, id: u16, payload: &str) -> Vec<u8> {
    let id = if qos > 0 { id.to_be_bytes().to_vec() } else { Vec::new() };
    packet(0x30 | qos << 1, &[text(topic), id, payload.as_bytes().to_vec()].concat())
}

fn subscribe(topics: &[&str]) -> Vec<u8> {
    let filters: Vec<u8> = topics.iter().flat_map(|t| [text(t), vec![1]].concat()).collect();
    packet(0x82, &[vec![0, 9], filters].concat())
}

struct Client(TcpStream);

impl Client {
    async fn raw(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("connected"))
    }
    async fn keeper(address: SocketAddr) -> Self {
        let mut c = Self::raw(address).await;
        c.send(&connect(Some(TOKEN), 4, 60)).await;
        assert_eq!(c.next().await, Some((0x20, vec![0, 0])));
        c
    }
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("sent");
    }
    /// First byte and body of the next packet; `None`: the server has closed.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(Duration::from_secs(5), async {
            let kind = self.0.read_u8().await.ok()?;
            let (mut n, mut shift) = (0usize, 0);
            loop {
                let b = self.0.read_u8().await.ok()?;
                n |= usize::from(b & 0x7f) << shift;
                shift += 7;
                if b & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; n];
            self.0.read_exact(&mut body).await.ok()?;
            Some((kind, body))
        })
        .await
        .expect("an answer or an end")
    }
}

async fn kept(city: &TestCity) -> Vec<Value> {
    city.keeper("/sta/v1.1/Observations?$select=result,phenomenonTime").await.json()["value"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_the_token() {
    let city = city_with(Limits { sign_in_failures: 3, header_s: 1, ..Limits::default() }, None, None);
    let address = door(&city).await;
    for (packet, code) in [(connect(None, 4, 60), 5), (connect(Some("wrong"), 4, 60), 4), (connect(Some(TOKEN), 5, 60), 1)] {
        let mut c = Client::raw(address).await;
        c.send(&packet).await;
        match c.next().await {
            Some((0x20, body)) => assert_eq!(body, [0, code]),
            // Version 5 has another form of CONNECT; what cannot be read is closed.
            other => assert!(other.is_none() && code == 1, "{other:?}"),
        }
        assert_eq!(c.next().await, None, "and the connection is closed");
    }
    // Something else first, nothing at all, and noise.
    let mut c = Client::raw(address).await;
    c.send(&publish("v1.1/Datastreams('SE-0')/Observations", 1, 1, "{\"result\":1}")).await;
    assert_eq!(c.next().await, None);
    let mut silent = Client::raw(address).await;
    assert_eq!(silent.next().await, None, "cut off after a second");
    for noise in
        [&[0xff; 64][..], &[0x10, 0xff, 0xff, 0xff, 0xff], &[0x10, 2, 0, 4], b"GET / HTTP/1.1\r\n\r\n", &[0x10, 0xff, 0xff, 0xff, 0x7f]]
    {
        let mut c = Client::raw(address).await;
        c.send(noise).await;
        assert_eq!(c.next().await, None, "{noise:?}");
    }
    for _ in 0..2 {
        let mut c = Client::raw(address).await;
        c.send(&connect(Some("wrong"), 4, 60)).await;
        c.next().await;
    }
    let mut c = Client::raw(address).await;
    c.send(&connect(Some(TOKEN), 4, 60)).await;
    assert_eq!(c.next().await, Some((0x20, vec![0, 4])), "guessing is slow");
    assert_eq!(kept(&city).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_publication_is_kept_and_one_that_cannot_be_ends_the_connection() {
    let city = city();
    let address = door(&city).await;
    let mut c = Client::keeper(address).await;
    let topic = "v1.1/Datastreams('SE-0')/Observations";
    let body =
        |minute: u32, result: f64| json!({ "phenomenonTime": format!("2026-01-20T06:{minute:02}:00Z"), "result": result }).to_string();
    c.send(&publish(topic, 1, 7, &body(0, 1.5))).await;
    assert_eq!(c.next().await, Some((0x40, vec![0, 7])));
    assert_eq!(kept(&city).await.len(), 1, "it was on the disk before it was acknowledged");
    // QoS 2: received, received again, released.
    for _ in 0..2 {
        c.send(&publish(topic, 2, 8, &body(1, 2.5))).await;
        assert_eq!(c.next().await, Some((0x50, vec![0, 8])));
    }
    c.send(&packet(0x62, &[0, 8])).await;
    assert_eq!(c.next().await, Some((0x70, vec![0, 8])));
    c.send(&publish(
        "v1.1/Observations",
        0,
        0,
        &json!({ "phenomenonTime": "2026-01-20T06:02:00Z", "result": 3.5, "Datastream": { "@iot.id": "SE-1" } }).to_string(),
    ))
    .await;
    c.send(&packet(0xc0, &[])).await;
    assert_eq!(c.next().await, Some((0xd0, vec![])));
    assert_eq!(kept(&city).await.iter().map(|o| o["result"].as_f64().expect("a number")).collect::<Vec<_>>(), [1.5, 2.5, 3.5]);
    for (topic, payload) in [
        (topic, "{\"phenomenonTime\":\"2099-01-01T00:00:00Z\",\"result\":1}".to_owned()),
        (topic, "{\"result\":\"NaN\"}".into()),
        (topic, "not JSON".into()),
        (topic, body(0, 9.9)),
        ("v1.1/Datastreams('none')/Observations", body(3, 1.0)),
        ("v1.1/Things", body(3, 1.0)),
        ("elsewhere", body(3, 1.0)),
        ("v1.1/Observations", body(3, 1.0)),
    ] {
        let mut c = Client::keeper(address).await;
        c.send(&publish(topic, 1, 1, &payload)).await;
        assert_eq!(c.next().await, None, "{topic} {payload}");
    }
    let mut c = Client::keeper(address).await;
    c.send(&publish(topic, 1, 1, &" ".repeat(100_000))).await;
    assert_eq!(c.next().await, None, "a packet has a size");
    assert_eq!(kept(&city).await.len(), 3, "nothing of what was refused was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_what_they_asked_for() {
    let city = city();
    let address = door(&city).await;
    let mut one = Client::keeper(address).await;
    let topics = [
        "v1.1/Datastreams('SE-0')/Observations",
        "#",
        "v1.1/+/Observations",
        "v1.1/Datastreams('none')/Observations",
        "$SYS/#",
        "v1.1/Things",
    ];
    one.send(&subscribe(&topics)).await;
    assert_eq!(one.next().await, Some((0x90, vec![0, 9, 0, 0x80, 0x80, 0x80, 0x80, 0x80])));
    let mut all = Client::keeper(address).await;
    all.send(&subscribe(&["v1.1/Observations"])).await;
    assert_eq!(all.next().await, Some((0x90, vec![0, 9, 0])));
    for (stream, result) in [("SE-1", 1.0), ("SE-0", 2.0)] {
        let a = city.post(&format!("/sta/v1.1/Datastreams('{stream}')/Observations"), &json!({ "result": result })).await;
        assert_eq!(a.status, 201);
    }
    let heard = |p: Option<(u8, Vec<u8>)>| {
        let (kind, body) = p.expect("a publication");
        assert_eq!(kind, 0x30);
        let n = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let payload: Value = serde_json::from_slice(&body[2 + n..]).expect("JSON");
        (String::from_utf8(body[2..2 + n].to_vec()).expect("text"), payload)
    };
    let (topic, o) = heard(one.next().await);
    assert_eq!((topic.as_str(), &o["result"]), (topics[0], &json!(2.0)));
    let (id, link) = (&o["@iot.id"], o["@iot.selfLink"].as_str().expect("a link"));
    assert_eq!(&city.keeper(link.strip_prefix("http://127.0.0.1:8080").expect("our own")).await.json()["@iot.id"], id);
    let both = [heard(all.next().await), heard(all.next().await)];
    assert_eq!(both.map(|(t, o)| (t, o["result"].clone())), [1.0, 2.0].map(|r| ("v1.1/Observations".to_owned(), json!(r))));
    one.send(&packet(0xa2, &[vec![0, 3], text(topics[0])].concat())).await;
    assert_eq!(one.next().await, Some((0xb0, vec![0, 3])));
    city.post("/sta/v1.1/Datastreams('SE-9')/Observations", &json!({ "result": 3 })).await;
    heard(all.next().await);
    one.send(&packet(0xc0, &[])).await;
    assert_eq!(one.next().await, Some((0xd0, vec![])), "nothing came between");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_promised_to_speak_and_does_not_is_dropped() {
    let city = city();
    let address = door(&city).await;
    let mut c = Client::raw(address).await;
    c.send(&connect(Some(TOKEN), 4, 1)).await;
    assert_eq!(c.next().await, Some((0x20, vec![0, 0])));
    sleep(Duration::from_millis(700)).await;
    c.send(&packet(0xc0, &[])).await;
    assert_eq!(c.next().await, Some((0xd0, vec![])));
    let began = std::time::Instant::now();
    assert_eq!(c.next().await, None);
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(1300) && waited < Duration::from_secs(3), "{waited:?}");
}
