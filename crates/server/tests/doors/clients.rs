//! Real clients over a real socket.

use crate::city::city_with;
use std::process::Command;
use strata_server::{Limits, serve};

/// Serves a city on a free port while `f` runs on a thread of its own.
async fn served(f: impl FnOnce(&str) + Send + 'static) {
    let city = city_with(Limits { request_s: 1, ..Limits::default() }, None, None);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(city.state.clone(), listener, async {
        let _ = stopped.await;
    }));
    tokio::task::spawn_blocking(move || f(&address)).await.expect("the client's checks");
    stop.send(()).expect("still serving");
    server.await.expect("joined").expect("a clean end");
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(out) => Some(String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)),
        Err(_) => {
            eprintln!("skipped: {program} is not installed");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gdal_reads_the_features_page_by_page() {
    served(|address| {
        let source = format!("OAPIF:{address}/ogc");
        let Some(list) = run("ogrinfo", &["-ro", &source]) else { return };
        assert!(list.contains("places") && list.contains("buildings") && !list.contains("pipes"), "{list}");
        let all = run("ogrinfo", &["-ro", "-al", "-q", &source, "places"]).expect("installed");
        assert_eq!(all.matches("name_zh (String)").count(), 25, "{all}");
        assert!(all.contains("POINT Z (125.3 43.9"), "{all}");
        let few = run("ogrinfo", &["-ro", "-al", "-q", "-spat", "125.29995", "43.8999", "125.30005", "43.9001", &source, "places"])
            .expect("installed");
        assert_eq!(few.matches("name_zh (String)").count(), 1, "{few}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_requests_that_break_http_are_closed_and_the_server_lives() {
    use std::io::{Read, Write};
    served(|address| {
        let host = address.strip_prefix("http://").expect("http").to_owned();
        let send = |text: &str| {
            let mut s = std::net::TcpStream::connect(&host).expect("connects");
            s.set_read_timeout(Some(std::time::Duration::from_secs(3))).expect("set");
            s.write_all(text.as_bytes()).expect("sent");
            let mut out = Vec::new();
            let _ = s.read_to_end(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        for bad in ["GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02\x00\r\n\r\n"] {
            assert!(send(bad).starts_with("HTTP/1.1 400"), "{bad:?}");
        }
        let both = "POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /api/audit HTTP/1.1\r\n\r\n";
        assert_eq!(send(both).matches("HTTP/1.1").count(), 1, "no second request is read out of a body");
        let silent = "POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{";
        let answer = send(silent);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request-timeout"), "{answer}");
        assert!(send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").contains("\"ok\""));
    })
    .await;
}
