//! The MQTT door of SensorThings 1.1 (18-088, extensions for creating observations and receiving updates): MQTT 3.1.1
//! (OASIS, 2014) over TCP.
//!
//! It is a door to the observations and not a general broker: what is published becomes an observation or is refused, and
//! what is subscribed to are observations. The acknowledgement of a QoS 1 or 2 publication is sent when the observation is
//! on the disk, with the same promise as a 2xx over HTTP. MQTT 3.1.1 has no way to say no to a publication, so one that
//! cannot be kept ends the connection (section 3.3.5); the reason is logged.
//!
//! Who connects gives the city's token as password; nobody comes in without. Topics: `v1.1/Observations` and
//! `v1.1/Datastreams('x')/Observations`, to publish and to subscribe. Wildcards are not offered. Subscribers get QoS 0.
//! Nothing is retained, sessions do not outlive their connection, wills are not sent.

use crate::{Actor, CityState, Problem, ServerError, problem::short, sta};
use bytes::BytesMut;
use mqttbytes::{
    Error as MqttError, Protocol, QoS,
    v4::{ConnAck, ConnectReturnCode, Packet, PubAck, PubComp, PubRec, Publish, SubAck, SubscribeReasonCode, UnsubAck, read},
};
use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, broadcast},
    time::{Instant, sleep, timeout, timeout_at},
};

/// Bytes of one packet at most.
const PACKET: usize = 64 << 10;
const SUBSCRIPTIONS: usize = 64;
/// Groups of observations that may wait for one subscriber before it is cut off.
const BACKLOG: usize = 1024;
const PREFIX: &str = "v1.1/";
const ALL: &str = "Observations";

/// Observations on their way to subscribers.
pub struct Taps {
    sender: broadcast::Sender<Arc<[strata_store::Observation]>>,
}

impl Default for Taps {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }
}

impl Taps {
    pub fn observations(&self, all: &[strata_store::Observation]) {
        if self.sender.receiver_count() > 0 {
            let _ = self.sender.send(all.into());
        }
    }
}

/// Serves until `shutdown` is done.
pub async fn serve_mqtt(
    state: Arc<CityState>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServerError> {
    let address = listener.local_addr().map_err(ServerError::Listen)?;
    let _ = state.mqtt.set(address.to_string());
    let places = Arc::new(Semaphore::new(state.limits().connections));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            () = &mut shutdown => return Ok(()),
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        // One too many is closed without a word: MQTT has none before CONNECT.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let state = state.clone();
        tokio::spawn(async move {
            if let Err(end) = converse(&state, stream).await {
                tracing::info!(reason = %end, "an MQTT connection was ended");
            }
            drop(place);
        });
    }
}

#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the client fell silent")]
    Silent,
    #[error("the client does not read")]
    Stalled,
    #[error("not MQTT 3.1.1: {0:?}")]
    Protocol(MqttError),
    #[error("the client broke the order of packets")]
    Order,
    #[error("a publication was refused: {0}")]
    Refused(String),
}

impl From<MqttError> for End {
    fn from(e: MqttError) -> Self {
        Self::Protocol(e)
    }
}

struct Input {
    half: OwnedReadHalf,
    bytes: BytesMut,
}

impl Input {
    /// The next packet; `None` at the end of the stream.
    async fn packet(&mut self) -> Result<Option<Packet>, End> {
        loop {
            match packet(&mut self.bytes) {
                Ok(p) => return Ok(Some(p)),
                Err(MqttError::InsufficientBytes(_)) => {}
                Err(e) => return Err(e.into()),
            }
            if self.half.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// The codec takes a packet apart by counts that the client wrote; one that lies must end its own connection alone.
fn packet(bytes: &mut BytesMut) -> Result<Packet, MqttError> {
    let whole = mqttbytes::check(bytes.iter(), PACKET)?.frame_length();
    let mut one = bytes.split_to(whole);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&mut one, PACKET)))
        .unwrap_or(Err(MqttError::MalformedPacket))
        .map_err(|e| if matches!(e, MqttError::InsufficientBytes(_)) { MqttError::MalformedPacket } else { e })
}

struct Session {
    state: Arc<CityState>,
    actor: Actor,
    out: OwnedWriteHalf,
    /// Topics, and the stream each is about (`None`: all that are seen).
    topics: HashMap<String, Option<BTreeSet<Arc<str>>>>,
    /// QoS 2 publications that are kept and wait for their release.
    held: BTreeSet<u16>,
}

async fn converse(state: &Arc<CityState>, stream: TcpStream) -> Result<(), End> {
    let limits = state.limits();
    let _ = stream.set_nodelay(true);
    let (half, mut out) = stream.into_split();
    let mut input = Input { half, bytes: BytesMut::with_capacity(4096) };
    let first = timeout(Duration::from_secs(limits.header_s), input.packet()).await.map_err(|_| End::Silent)??;
    let mut answer = BytesMut::new();
    let refuse = async |out: &mut OwnedWriteHalf, code: ConnectReturnCode| -> Result<(), End> {
        let mut b = BytesMut::new();
        ConnAck::new(code, false).write(&mut b)?;
        out.write_all(&b).await?;
        out.shutdown().await?;
        Ok(())
    };
    let connect = match first {
        Some(Packet::Connect(c)) if c.protocol == Protocol::V4 => c,
        Some(Packet::Connect(_)) => return refuse(&mut out, ConnectReturnCode::RefusedProtocolVersion).await,
        _ => return Err(End::Order),
    };
    let Some(login) = connect.login else { return refuse(&mut out, ConnectReturnCode::NotAuthorized).await };
    let actor = match state.door.by_password(&login.password, state.now(), limits) {
        Ok(actor) => actor,
        Err(_) => return refuse(&mut out, ConnectReturnCode::BadUserNamePassword).await,
    };
    ConnAck::new(ConnectReturnCode::Success, false).write(&mut answer)?;
    let mut session = Session { state: state.clone(), actor, out, topics: HashMap::new(), held: BTreeSet::new() };
    session.send(&answer).await?;
    // A client that promises a sign of life every so often is given half as long again (section 3.1.2.10).
    let patience =
        if connect.keep_alive == 0 { Duration::from_secs(3600) } else { Duration::from_millis(u64::from(connect.keep_alive) * 1500) };
    let mut taps = state.taps.sender.subscribe();
    let mut silent_at = Instant::now() + patience;
    loop {
        tokio::select! {
            came = timeout_at(silent_at, input.packet()) => {
                match came.map_err(|_| End::Silent)?? {
                    None | Some(Packet::Disconnect) => return Ok(()),
                    Some(p) => session.take(p).await?,
                }
                silent_at = Instant::now() + patience;
            }
            seen = taps.recv() => match seen {
                Ok(all) => session.forward(&all).await?,
                Err(broadcast::error::RecvError::Lagged(_)) if session.topics.is_empty() => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return Err(End::Stalled),
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

impl Session {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        let patience = Duration::from_secs(self.state.limits().stalled_s);
        Ok(timeout(patience, self.out.write_all(bytes)).await.map_err(|_| End::Stalled)??)
    }

    async fn take(&mut self, packet: Packet) -> Result<(), End> {
        let mut b = BytesMut::new();
        match packet {
            Packet::Publish(p) => {
                // A QoS 2 publication that comes again before its release has been kept already.
                if p.qos != QoS::ExactlyOnce || !self.held.contains(&p.pkid) {
                    self.keep(&p).await?;
                }
                match p.qos {
                    QoS::AtMostOnce => return Ok(()),
                    QoS::AtLeastOnce => PubAck::new(p.pkid).write(&mut b)?,
                    QoS::ExactlyOnce => {
                        self.held.insert(p.pkid);
                        PubRec::new(p.pkid).write(&mut b)?
                    }
                };
            }
            Packet::PubRel(r) => {
                self.held.remove(&r.pkid);
                PubComp::new(r.pkid).write(&mut b)?;
            }
            Packet::Subscribe(s) => {
                let mut codes = Vec::with_capacity(s.filters.len());
                for f in &s.filters {
                    let room = self.topics.len() < SUBSCRIPTIONS || self.topics.contains_key(&f.path);
                    match self.streams(&f.path).filter(|_| room) {
                        Some(streams) => {
                            self.topics.insert(f.path.clone(), streams);
                            codes.push(SubscribeReasonCode::Success(QoS::AtMostOnce));
                        }
                        None => codes.push(SubscribeReasonCode::Failure),
                    }
                }
                SubAck::new(s.pkid, codes).write(&mut b)?;
            }
            Packet::Unsubscribe(u) => {
                u.topics.iter().for_each(|t| {
                    self.topics.remove(t);
                });
                UnsubAck::new(u.pkid).write(&mut b)?;
            }
            Packet::PingReq => {
                mqttbytes::v4::PingResp.write(&mut b)?;
            }
            _ => return Err(End::Order),
        }
        self.send(&b).await
    }

    async fn keep(&self, p: &Publish) -> Result<(), End> {
        let refused = |problem: Problem| End::Refused(format!("{}: {}", problem.code, problem.detail));
        let path = p.topic.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let _place = self.state.keeping.acquire().await.map_err(|_| End::Stalled)?;
        let (state, actor, payload) = (self.state.clone(), self.actor.clone(), p.payload.clone());
        let kept = tokio::task::spawn_blocking(move || sta::keep(&state, &actor, &path, &payload)).await;
        kept.map_err(|e| End::Refused(e.to_string()))?.map(|_| ()).map_err(refused)
    }

    /// What a topic is about; `None`: nothing that this actor may hear.
    fn streams(&self, topic: &str) -> Option<Option<BTreeSet<Arc<str>>>> {
        let path = topic.strip_prefix(PREFIX)?;
        let catalog = sta::Catalog::of(&self.state, &self.actor.scope).ok()?;
        if path == ALL {
            return Some(catalog.streams());
        }
        match sta::stream_of(&self.state, &catalog, path) {
            Ok(stream) => Some(Some(BTreeSet::from([stream]))),
            Err(e) => {
                tracing::info!(topic = short(topic), code = e.code, "a subscription was refused");
                None
            }
        }
    }

    async fn forward(&mut self, all: &[strata_store::Observation]) -> Result<(), End> {
        if self.topics.is_empty() {
            return Ok(());
        }
        let mut b = BytesMut::new();
        {
            let Ok(catalog) = sta::Catalog::of(&self.state, &self.actor.scope) else { return Ok(()) };
            for o in all {
                for (topic, streams) in &self.topics {
                    // A stream that has been hidden since the subscription is not told of.
                    if streams.as_ref().is_none_or(|s| s.contains(&o.stream)) && catalog.may_see(&o.stream) {
                        let text = sta::observation_json(&self.state, &catalog, o).to_string();
                        Publish::new(topic.as_str(), QoS::AtMostOnce, text).write(&mut b)?;
                    }
                }
            }
        }
        if b.is_empty() { Ok(()) } else { self.send(&b).await }
    }
}
