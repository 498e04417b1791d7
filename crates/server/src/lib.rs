//! The HTTP door: the only room that knows HTTP.
//!
//! Every answer is a plain function of the city's state and of an [`Ask`]: [`ROUTES`] names them all, and the
//! router is built from that table, so that a test can walk through every door there is. What is the same for all
//! doors (who asks, limits, time, entity tags, packing, problems) stands once, in `router`.
//!
//! - `access`: who asks; the token's keeper sees all, everyone else what is public. A hidden layer answers as a
//!   missing one.
//! - `content`, `threed`: vector tiles, 3D Tiles, terrain pictures and styles, also for callers in the same process.
//! - `ogc`, `items`: OGC API Features and Tiles; `crs`, `geojson`: coordinates on their way in and out.
//! - `search`: features by name, address, code or id.
//! - `features`: a layer as GeoJSON for callers in the same process.
//! - `processes`: OGC API Processes over the analyses of the house.
//! - `api`, `proposals`: what the viewer asks: the city, cards, versions, proposals, the audit log.
//! - `sta`: SensorThings over HTTP, `mqtt` over MQTT; `stream`: events as they come; `alarm`: rules and what they found;
//!   `live` ties them to the observations.
//! - `listener`: connections, how many, how slow; `writes`: a write is done once for each `Idempotency-Key`.
//! - `problem`: every refusal is an RFC 9457 problem with a stable code.

mod access;
mod alarm;
mod api;
mod ask;
mod cases;
mod content;
mod crs;
mod deliveries;
mod features;
mod geojson;
mod items;
mod limits;
mod listener;
mod live;
mod mqtt;
mod ogc;
mod openapi;
mod pages;
mod problem;
mod processes;
mod proposals;
mod readings;
mod relief;
mod reply;
mod report;
mod router;
mod routes;
mod search;
mod sta;
mod state;
mod stream;
mod threed;
mod writes;

pub use access::Actor;
pub use alarm::watch;
pub use ask::{Ask, Headers, Params};
pub use content::{Content, content};
pub use features::features;
pub use limits::Limits;
pub use listener::serve;
pub use mqtt::serve_mqtt;
pub use problem::Problem;
pub use processes::perform;
pub use readings::{Observed, observed};
pub use reply::{Keep, Reply};
pub use router::router;
pub use routes::{Access, Answer, ROUTES, Route, Verb, Written};
pub use state::{CityState, Config, ReadDelivery, ServerError};
