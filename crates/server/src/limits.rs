use serde::Serialize;
use std::time::Duration;

/// What the door takes at most. All of it is told at `/limits`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limits {
    pub uri_bytes: usize,
    pub header_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    /// Connections at the same time; one more is told 503 and closed.
    pub connections: usize,
    /// Seconds for the head of a request to arrive, and that a kept connection may idle before the next one.
    pub header_s: u64,
    /// Seconds that a client may leave the answer on its way unread before it is cut off.
    pub stalled_s: u64,
    /// Seconds from the order to stop until requests under way are cut off.
    pub grace_s: u64,
    /// Seconds from the first byte of a request to the last byte of its body, and from there to the answer.
    pub request_s: u64,
    pub default_items: usize,
    pub max_items: usize,
    pub max_offset: usize,
    /// Requests that compute at the same time; the rest waits in line.
    pub running: usize,
    pub waiting: usize,
    /// Requests that wait for observations to reach the disk at the same time.
    pub keeping: usize,
    /// Readers of `/api/stream` at the same time, and bytes that may wait for one of them before it is cut off.
    pub streams: usize,
    pub stream_bytes: usize,
    pub filter_bytes: usize,
    pub filter_operators: usize,
    pub filter_depth: usize,
    pub max_zoom: u8,
    pub tile_bytes: usize,
    pub tile_features: usize,
    pub proposal_changes: usize,
    /// What a survey delivery may change: as much as the tables of a request can say.
    pub delivery_changes: usize,
    pub session_s: u64,
    /// Wrong tokens in a minute before sign-in answers 429.
    pub sign_in_failures: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uri_bytes: 8 << 10,
            header_bytes: 32 << 10,
            headers: 100,
            body_bytes: 2 << 20,
            connections: 512,
            header_s: 15,
            stalled_s: 10,
            grace_s: 10,
            request_s: 30,
            default_items: 10,
            max_items: 10_000,
            max_offset: 10_000_000,
            running: std::thread::available_parallelism().map_or(4, |n| n.get() * 2),
            waiting: 1024,
            keeping: 64,
            streams: 64,
            stream_bytes: 4 << 20,
            filter_bytes: 8 << 10,
            filter_operators: 256,
            filter_depth: 32,
            max_zoom: strata_model::TileId::MAX_Z,
            tile_bytes: 1 << 20,
            tile_features: 50_000,
            proposal_changes: 1000,
            delivery_changes: 50_000,
            session_s: 12 * 3600,
            sign_in_failures: 10,
        }
    }
}

impl Limits {
    pub fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_s)
    }
}
