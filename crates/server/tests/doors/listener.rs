//! Clients that hold on to connections, on the real listener.

use crate::city::{TestCity, city_with};
use std::{net::SocketAddr, time::Duration};
use strata_server::{Limits, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

pub struct Door {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Door {
    pub async fn open(city: &TestCity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let state = city.state.clone();
        let served = tokio::spawn(async move {
            serve(state, listener, async move {
                let _ = stopped.await;
            })
            .await
            .expect("served");
        });
        Self { address, stop, served }
    }
    pub async fn close(self) {
        let _ = self.stop.send(());
        timeout(Duration::from_secs(20), self.served).await.expect("it stops").expect("no panic");
    }
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }
    /// What comes until the server closes.
    pub async fn ask(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut out = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut out)).await.expect("an end").expect("readable");
        String::from_utf8_lossy(&out).into_owned()
    }
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_in_is_cut_off_and_others_are_served() {
    let city = city_with(Limits { header_s: 1, ..Limits::default() }, None, None);
    let door = Door::open(&city).await;
    let began = Instant::now();
    let drips = async {
        let mut stream = door.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.expect("sent");
        loop {
            sleep(Duration::from_millis(100)).await;
            let alive = stream.write_all(b"x-a: b\r\n").await.is_ok();
            let mut byte = [0; 1];
            let ended = matches!(timeout(Duration::from_millis(1), stream.read(&mut byte)).await, Ok(Ok(0) | Err(_)));
            if ended || !alive {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(10), "still connected");
        }
    };
    let others = async {
        for _ in 0..5 {
            assert!(door.ask(HEALTH).await.starts_with("HTTP/1.1 200"));
        }
        began.elapsed()
    };
    let (dripped, served) = tokio::join!(drips, others);
    assert!(dripped >= Duration::from_millis(900) && dripped < Duration::from_secs(4), "{dripped:?}");
    assert!(served < Duration::from_secs(1), "the others waited {served:?}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so_and_a_place_comes_free() {
    let city = city_with(Limits { connections: 3, header_s: 1, ..Limits::default() }, None, None);
    let door = Door::open(&city).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(door.connect().await);
    }
    sleep(Duration::from_millis(100)).await;
    let refused = door.ask(HEALTH).await;
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after") && refused.contains("too-many-connections"),
        "{refused}"
    );
    let body = refused.split("\r\n\r\n").nth(1).expect("a body");
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).expect("JSON")["status"], 503);
    sleep(Duration::from_millis(1500)).await; // the idle ones are closed meanwhile
    assert!(door.ask(HEALTH).await.starts_with("HTTP/1.1 200"));
    drop(idle);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_read_is_given_up() {
    let city = city_with(Limits { connections: 1, stalled_s: 1, ..Limits::default() }, None, None);
    let door = Door::open(&city).await;
    let mut greedy = door.connect().await;
    // Many answers are asked for at once and none is read: they fill the socket, and then they wait.
    let asks = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2000);
    let flood = tokio::spawn(async move {
        let _ = greedy.write_all(asks.as_bytes()).await;
        sleep(Duration::from_secs(30)).await;
        drop(greedy);
    });
    let began = Instant::now();
    sleep(Duration::from_millis(300)).await;
    assert!(door.ask(HEALTH).await.starts_with("HTTP/1.1 503"), "the one place is taken");
    loop {
        sleep(Duration::from_millis(200)).await;
        if door.ask(HEALTH).await.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "the reader that does not read still has its place");
    }
    flood.abort();
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_before_the_door_closes() {
    let city = city_with(Limits::default(), None, None);
    let door = Door::open(&city).await;
    let mut slow = door.connect().await;
    slow.write_all(b"POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n")
        .await
        .expect("sent");
    sleep(Duration::from_millis(200)).await;
    let address = door.address;
    let closing = tokio::spawn(door.close());
    sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody new comes in");
    slow.write_all(b"{\"token\":\"none\"").await.expect("sent");
    let mut out = String::new();
    slow.read_to_string(&mut out).await.expect("readable");
    assert!(out.starts_with("HTTP/1.1 400"), "half an object is no JSON: {out}");
    closing.await.expect("it stops");
}
