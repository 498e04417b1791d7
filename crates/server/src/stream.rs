//! `/api/stream`: observations, alarms and versions as server-sent events, as they come.
//!
//! Every event has an id; a reader that comes back with `Last-Event-ID` gets what it missed, or a `gap` when that is no
//! longer kept or the server has been started anew. A reader sees the events of the streams that its scope shows. What
//! waits for a reader is bounded: one that does not keep up is cut off, and may come back with its last id.

use crate::{Ask, CityState, Problem, access::lock, problem::short, sta::Catalog};
use bytes::Bytes;
use futures_core::Stream;
use serde_json::Value;
use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write as _,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use strata_model::{Instant, Scope, Version};
use strata_store::Observation;
use tokio::{
    sync::mpsc,
    time::{Interval, interval},
};

/// Events that are kept for readers who come back.
const KEPT: usize = 20_000;
/// Chunks that may wait for one reader; a chunk is what one group of observations holds for it.
const CHUNKS: usize = 256;
/// A comment now and then keeps proxies from closing a quiet stream.
const QUIET: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Observation,
    Alarm,
    Version,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Observation, Self::Alarm, Self::Version];
    fn name(self) -> &'static str {
        match self {
            Self::Observation => "observation",
            Self::Alarm => "alarm",
            Self::Version => "version",
        }
    }
}

struct Event {
    seq: u64,
    kind: Kind,
    /// Whose it is; `None`: everyone's.
    stream: Option<Arc<str>>,
    frame: String,
}

struct Reader {
    scope: Scope,
    kinds: BTreeSet<Kind>,
    /// Streams asked for; `None`: all.
    wanted: Option<BTreeSet<Arc<str>>>,
    /// Streams that the scope shows; `None`: all.
    shown: Option<BTreeSet<Arc<str>>>,
    queued: Arc<AtomicUsize>,
    sender: mpsc::Sender<Bytes>,
}

impl Reader {
    fn sees(&self, e: &Event) -> bool {
        let among = |set: &Option<BTreeSet<Arc<str>>>, s: &Arc<str>| set.as_ref().is_none_or(|set| set.contains(s));
        self.kinds.contains(&e.kind) && e.stream.as_ref().is_none_or(|s| among(&self.shown, s) && among(&self.wanted, s))
    }
}

#[derive(Default)]
struct Inner {
    next: u64,
    kept: VecDeque<Event>,
    readers: Vec<Reader>,
    closed: bool,
}

pub struct Hub {
    /// Ids of another run of the program are not ours.
    run: u64,
    most_readers: usize,
    most_bytes: usize,
    inner: Mutex<Inner>,
    cut_off: AtomicU64,
}

impl Hub {
    pub fn new(run: u64, most_readers: usize, most_bytes: usize) -> Self {
        Self { run, most_readers, most_bytes, inner: Mutex::new(Inner { next: 1, ..Inner::default() }), cut_off: AtomicU64::new(0) }
    }

    pub fn observations(&self, all: &[Observation]) {
        let text = |o: &Observation| {
            let mut t = String::with_capacity(128);
            let id = serde_json::to_string(o.stream.as_ref()).unwrap_or_default();
            let _ = write!(
                t,
                "{{\"datastream\":{id},\"id\":{},\"phenomenonTime\":\"{}\",\"result\":{}}}",
                o.id,
                crate::sta::moment(o.at),
                Value::from(o.result)
            );
            t
        };
        self.publish(all.iter().map(|o| (Kind::Observation, Some(o.stream.clone()), text(o))));
    }
    pub fn alarm(&self, stream: &str, alarm: &Value) {
        self.publish([(Kind::Alarm, Some(stream.into()), alarm.to_string())].into_iter());
    }
    /// That there is a newer version is everyone's to know; what is in it is asked for elsewhere.
    pub fn version(&self, version: Version, at: Instant) {
        let text = format!("{{\"version\":{},\"at\":\"{}\"}}", version.0, crate::sta::moment(at));
        self.publish([(Kind::Version, None, text)].into_iter());
    }

    fn publish(&self, events: impl Iterator<Item = (Kind, Option<Arc<str>>, String)>) {
        let mut inner = lock(&self.inner);
        let first = inner.kept.len();
        for (kind, stream, data) in events {
            let seq = inner.next;
            inner.next += 1;
            let frame = format!("id: {}-{seq}\nevent: {}\ndata: {data}\n\n", self.run, kind.name());
            inner.kept.push_back(Event { seq, kind, stream, frame });
        }
        let Inner { kept, readers, .. } = &mut *inner;
        readers.retain(|r| {
            let chunk: String = kept.iter().skip(first).filter(|e| r.sees(e)).map(|e| e.frame.as_str()).collect();
            if chunk.is_empty() {
                return !r.sender.is_closed();
            }
            let waiting = r.queued.fetch_add(chunk.len(), Ordering::Relaxed);
            let kept = waiting <= self.most_bytes && r.sender.try_send(chunk.into()).is_ok();
            if !kept && !r.sender.is_closed() {
                self.cut_off.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(waiting, "a reader of the stream did not keep up and was cut off");
            }
            kept
        });
        while inner.kept.len() > KEPT {
            inner.kept.pop_front();
        }
    }

    /// Readers that did not keep up, since the start.
    pub fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }
    pub fn readers(&self) -> usize {
        lock(&self.inner).readers.len()
    }

    /// What each reader may see, anew: the city has changed.
    pub fn look_again(&self, shown: impl Fn(&Scope) -> Option<BTreeSet<Arc<str>>>) {
        let scopes: Vec<Scope> = lock(&self.inner).readers.iter().map(|r| r.scope.clone()).collect();
        let fresh: Vec<(Scope, Option<BTreeSet<Arc<str>>>)> = scopes.into_iter().map(|s| (s.clone(), shown(&s))).collect();
        for r in &mut lock(&self.inner).readers {
            if let Some((_, s)) = fresh.iter().find(|(scope, _)| *scope == r.scope) {
                r.shown.clone_from(s);
            }
        }
    }

    /// Ends every stream, and takes no more readers.
    pub fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        inner.readers.clear();
    }

    fn subscribe(&self, reader: Reader, receiver: mpsc::Receiver<Bytes>, last: Option<&str>) -> Result<Feed, Problem> {
        let mut inner = lock(&self.inner);
        if inner.closed || inner.readers.len() >= self.most_readers {
            return Err(Problem::new("busy", format!("At most {} may read the stream at the same time.", self.most_readers))
                .header("retry-after", "10"));
        }
        let mut first = String::from("retry: 2000\n\n");
        if let Some(last) = last {
            let seen = last.split_once('-').filter(|(run, _)| run.parse() == Ok(self.run)).and_then(|(_, seq)| seq.parse::<u64>().ok());
            let oldest = inner.kept.front().map_or(inner.next, |e| e.seq);
            match seen.filter(|s| s + 1 >= oldest && *s < inner.next) {
                Some(seen) => inner.kept.iter().filter(|e| e.seq > seen && reader.sees(e)).for_each(|e| first.push_str(&e.frame)),
                None => {
                    let _ = write!(
                        first,
                        "id: {}-{}\nevent: gap\ndata: {{\"reason\":\"what came since then is no longer kept\"}}\n\n",
                        self.run,
                        inner.next - 1
                    );
                }
            }
        }
        let queued = reader.queued.clone();
        inner.readers.push(reader);
        let mut quiet = interval(QUIET);
        quiet.reset();
        Ok(Feed { first: Some(first.into()), receiver, queued, quiet })
    }
}

/// The body of one reader's answer.
pub struct Feed {
    first: Option<Bytes>,
    receiver: mpsc::Receiver<Bytes>,
    queued: Arc<AtomicUsize>,
    quiet: Interval,
}

impl Stream for Feed {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(chunk)) => {
                self.queued.fetch_sub(chunk.len(), Ordering::Relaxed);
                self.quiet.reset();
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.quiet.poll_tick(cx) {
                Poll::Ready(_) => Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n")))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// `kinds`: which events, by name; `datastreams`: of which streams. Without them: all.
pub fn open(state: &CityState, ask: &Ask) -> Result<Feed, Problem> {
    let kinds = match ask.query.get("kinds") {
        None => Kind::ALL.into(),
        Some(text) => text
            .split(',')
            .map(|t| {
                Kind::ALL.into_iter().find(|k| k.name() == t).ok_or_else(|| {
                    Problem::parameter("invalid-parameter", "kinds", format!("`{}` is none of observation, alarm, version", short(t)))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let wanted = ask.query.get("datastreams").map(|t| t.split(',').map(Arc::from).collect());
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let scope = ask.actor.scope.clone();
    let shown = Catalog::of(state, &scope)?.streams();
    let reader = Reader { scope, kinds, wanted, shown, queued: Arc::default(), sender };
    state.hub.subscribe(reader, receiver, ask.headers.last_event_id.as_deref().or_else(|| ask.query.get("last-event-id")))
}
