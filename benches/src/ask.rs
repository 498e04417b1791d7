//! A small HTTP client: asks a list of addresses over some kept connections, once through or for some seconds.
//! `bench-ask HOST:PORT TOKEN CONNECTIONS SECONDS LIST PACKING` (0 seconds: the list once; `identity` or `gzip`). Prints one
//! JSON line.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, host, token, connections, seconds, list, packing] = args.as_slice() else {
        panic!("bench-ask HOST:PORT TOKEN CONNECTIONS SECONDS LIST PACKING")
    };
    let list = std::fs::read_to_string(list).expect("the list");
    let paths: Vec<&str> = list.lines().filter(|l| !l.is_empty()).collect();
    let (connections, seconds): (usize, f64) = (connections.parse().expect("a number"), seconds.parse().expect("a number"));
    let (next, times, bytes) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(seconds);
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let stream = TcpStream::connect(host).expect("the server");
                stream.set_nodelay(true).expect("a socket");
                let mut reader = BufReader::with_capacity(1 << 14, stream);
                let (mut mine, mut body) = (Vec::new(), Vec::new());
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if if seconds > 0.0 { Instant::now() >= end } else { n >= paths.len() } {
                        break;
                    }
                    let path = paths[n % paths.len()];
                    let clock = Instant::now();
                    write!(
                        reader.get_mut(),
                        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept-Encoding: {packing}\r\n\r\n"
                    )
                    .expect("a request");
                    bytes.fetch_add(answer(&mut reader, path, &mut body), Ordering::Relaxed);
                    mine.push(clock.elapsed().as_secs_f64() * 1e3);
                }
                times.lock().expect("no panic").extend(mine);
            });
        }
    });
    let wall = began.elapsed().as_secs_f64();
    let mut times = times.into_inner().expect("no panic");
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "{}",
        serde_json::json!({ "answers": times.len(), "wall_s": wall, "per_s": times.len() as f64 / wall, "p50_ms": at(0.5), "p95_ms": at(0.95), "bytes": bytes.into_inner() })
    );
}

/// Bytes of the body; anything but 200 or 204 ends the run.
fn answer(reader: &mut BufReader<TcpStream>, path: &str, body: &mut Vec<u8>) -> usize {
    let (mut length, mut line, mut first) = (None, String::new(), true);
    let mut empty = false;
    loop {
        line.clear();
        reader.read_line(&mut line).expect("an answer");
        let text = line.trim_end();
        if first {
            assert!(text.contains(" 200 ") || text.contains(" 204 "), "{path}: {text}");
            empty = text.contains(" 204 ");
            first = false;
        } else if text.is_empty() {
            break;
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = if empty { 0 } else { length.unwrap_or_else(|| panic!("{path}: no length")) };
    if body.len() < length {
        body.resize(length, 0);
    }
    reader.read_exact(&mut body[..length]).expect("a body");
    length
}
