//! Every door there is.

use crate::{
    Ask, CityState, Problem, Reply, api, cases, items, ogc, openapi, pages, processes, proposals,
    reply::{GEOJSON, HTML, JSON, MVT, OPENAPI},
    report, search, sta,
};
use crate::{
    alarm,
    stream::{self, Feed},
};
use strata_model::{Change, LayerId, Version};
use strata_store::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

/// Who may come in; what they see inside is their scope's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Anyone,
    Keeper,
}

/// How a door comes to its answer.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Reads, or keeps what it writes in order by itself.
    Plain(fn(&CityState, &Ask) -> Result<Reply, Problem>),
    /// Writes through the store that it is handed, locked; under an `Idempotency-Key` the answer is kept in the
    /// transaction of the write, and the same request again gets the same answer.
    Write(fn(&CityState, &mut Store, &Ask) -> Result<Written, Problem>),
    /// Goes on for as long as the client listens.
    Stream(fn(&CityState, &Ask) -> Result<Feed, Problem>),
    /// Waits for the disk more than it computes: has places of its own, so that it does not take those of readers.
    Keep(fn(&CityState, &Ask) -> Result<Reply, Problem>),
}

/// A write's answer, and the commit it made, if any, for the engine to take up.
pub struct Written {
    pub reply: Reply,
    pub commit: Option<(Version, Vec<(LayerId, Change)>)>,
    /// When it is lasting, and before the next write.
    pub after: Option<fn(&CityState, &Store)>,
}

impl From<Reply> for Written {
    fn from(reply: Reply) -> Self {
        Self { reply, commit: None, after: None }
    }
}

type Read = fn(&CityState, &Ask) -> Result<Reply, Problem>;
type Write = fn(&CityState, &mut Store, &Ask) -> Result<Written, Problem>;

pub struct Route {
    pub verb: Verb,
    pub path: &'static str,
    /// Query parameters it knows; `*`: the answer itself decides.
    pub params: &'static [&'static str],
    /// The media type of its good answer.
    pub media: &'static str,
    pub access: Access,
    /// Changes the record, and leaves exactly one audit row in the transaction of the change.
    pub writes: bool,
    /// Takes a JSON body.
    pub body: bool,
    pub summary: &'static str,
    pub answer: Answer,
}

const fn get(path: &'static str, params: &'static [&'static str], media: &'static str, read: Read, summary: &'static str) -> Route {
    let answer = Answer::Plain(read);
    Route { verb: Verb::Get, path, params, media, access: Access::Anyone, writes: false, body: false, summary, answer }
}

const fn kept(route: Route) -> Route {
    Route { access: Access::Keeper, ..route }
}

const fn write(path: &'static str, body: bool, write: Write, summary: &'static str) -> Route {
    let answer = Answer::Write(write);
    Route { verb: Verb::Post, path, params: &[], media: JSON, access: Access::Keeper, writes: true, body, summary, answer }
}

const fn session(verb: Verb, access: Access, body: bool, change: Read, summary: &'static str) -> Route {
    let answer = Answer::Plain(change);
    Route { verb, path: "/api/session", params: &[], media: JSON, access, writes: true, body, summary, answer }
}

/// A question too long for an address: a body, and nothing is changed.
const fn asked(path: &'static str, read: Read, summary: &'static str) -> Route {
    Route { verb: Verb::Post, body: true, ..get(path, &[], JSON, read, summary) }
}

/// Observations are too many for an audit row each: who may send them is audited, what they sent is the data.
const fn observations(path: &'static str, keep: Read, summary: &'static str) -> Route {
    let answer = Answer::Keep(keep);
    Route { verb: Verb::Post, path, params: &[], media: JSON, access: Access::Keeper, writes: false, body: true, summary, answer }
}

const fn events(
    path: &'static str,
    params: &'static [&'static str],
    open: fn(&CityState, &Ask) -> Result<Feed, Problem>,
    summary: &'static str,
) -> Route {
    let answer = Answer::Stream(open);
    Route { verb: Verb::Get, path, params, media: "text/event-stream", access: Access::Anyone, writes: false, body: false, summary, answer }
}

const F: &[&str] = &["f"];
const TIME: &[&str] = &["t", "v"];
const ONE: &[&str] = &["f", "crs", "v"];
const STA: &[&str] =
    &["$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$count", "$skiptoken", "resultFormat", "$resultFormat"];

pub const ROUTES: &[Route] = &[
    get("/", &["*"], HTML, pages::index, "The viewer, or a plain page with the layers"),
    get("/pipes", &["*"], HTML, pages::index, "Supervision of pipes, or a plain page with the layers"),
    get("/assets/{file}", &[], "*/*", pages::asset, "A file of the viewer"),
    get("/ogc", F, JSON, ogc::landing, "Landing page of the OGC APIs"),
    get("/ogc/", F, JSON, ogc::landing, "Landing page of the OGC APIs"),
    get("/ogc/conformance", F, JSON, ogc::conformance, "Conformance classes"),
    get("/ogc/collections", F, JSON, ogc::collections, "The layers that the asker sees"),
    get("/ogc/collections/{id}", F, JSON, ogc::collection, "One layer"),
    get("/ogc/collections/{id}/queryables", F, "application/schema+json", ogc::queryables, "Attributes to filter by"),
    get("/ogc/collections/{id}/items", &["*"], GEOJSON, items::items, "Features, page by page"),
    get("/ogc/collections/{id}/items/{fid}", ONE, GEOJSON, items::item, "One feature"),
    get("/ogc/collections/{id}/tiles", F, JSON, ogc::tilesets, "Tile sets of a layer"),
    get("/ogc/collections/{id}/tiles/{tms}", F, JSON, ogc::tileset, "One tile set"),
    get("/ogc/collections/{id}/tiles/{tms}/{z}/{y}/{x}", TIME, MVT, ogc::tile, "Vector tile, row before column"),
    get("/ogc/tileMatrixSets", F, JSON, ogc::tile_matrix_sets, "Tiling schemes"),
    get("/ogc/tileMatrixSets/{tms}", F, JSON, ogc::tile_matrix_set, "One tiling scheme"),
    get("/ogc/processes", F, JSON, processes::list, "The analyses"),
    get("/ogc/processes/{id}", F, JSON, processes::one, "One analysis with its inputs and outputs"),
    asked("/ogc/processes/{id}/execution", processes::execute, "Runs an analysis and answers at once"),
    get("/tiles/{layer}", &[], JSON, api::address, "TileJSON 3.0 of a layer: {layer}.json"),
    get("/tiles/{layer}/{z}/{x}/{y}", TIME, MVT, api::address, "Vector tile: {y}.mvt"),
    get("/3dtiles/{layer}/{file}", &[], JSON, api::address, "Tileset of 3D Tiles 1.1: tileset.json"),
    get("/3dtiles/{layer}/{kind}/{level}/{x}/{y}", &[], "*/*", api::address, "Content (glTF) or subtree of a tileset"),
    get("/terrain/{z}/{x}/{y}", &["v"], "image/png", api::address, "Terrain as a Terrarium picture: {y}.png"),
    get("/styles", &[], JSON, api::address, "Scenes"),
    get("/styles/{scene}", &[], JSON, api::address, "A scene as a MapLibre style: {scene}.json"),
    get("/api/city", &[], JSON, api::city, "The city, its layers and their changes through time"),
    get("/api/search", &["q", "limit"], JSON, search::search, "Features by name, address, code or id, the likeliest first"),
    get("/api/features/{layer}/{id}", &["v"], JSON, api::card, "A feature's card"),
    get("/api/versions", &[], JSON, api::versions, "Versions of the record"),
    get("/api/versions/{a}/diff/{b}", &["layer"], JSON, api::diff, "What differs between two versions"),
    kept(get("/api/proposals", &[], JSON, proposals::list, "Proposals")),
    write("/api/proposals", true, proposals::create, "A new proposal"),
    kept(get("/api/proposals/{id}", &[], JSON, proposals::get, "One proposal with its changes")),
    write("/api/proposals/{id}/merge", false, proposals::merge, "Makes a proposal's changes a version"),
    write("/api/proposals/{id}/drop", false, proposals::drop_one, "Closes a proposal without a trace"),
    kept(get("/api/case-definitions", &[], JSON, cases::known, "Kinds of cases, with their states, steps and roles")),
    kept(get("/api/cases", &["definition", "state", "limit", "offset"], JSON, cases::list, "Cases, newest first")),
    write("/api/cases", true, cases::open, "Opens a case"),
    kept(get("/api/cases/{id}", &[], JSON, cases::get, "One case with its events, clocks and open steps")),
    write("/api/cases/{id}/steps", true, cases::step, "Takes a step of a case"),
    kept(get("/api/reports/pipes", &["f", "lang", "at"], "*/*", report::pipes, "Supervision of pipes on paper: f=html, docx or json")),
    kept(get("/api/audit", &["after", "limit"], JSON, api::audit, "The audit log")),
    kept(get("/api/session", &[], JSON, api::who, "Who is signed in")),
    session(Verb::Post, Access::Anyone, true, api::sign_in, "Signs in with the city's token"),
    session(Verb::Delete, Access::Keeper, false, api::sign_out, "Signs out"),
    events("/api/stream", &["kinds", "datastreams", "last-event-id"], stream::open, "Observations, alarms and versions as they come (SSE)"),
    get("/api/alarms", &["state", "datastream", "before", "limit"], JSON, alarm::list, "Alarms, newest first, with their evidence"),
    get("/api/alarms/{id}", &[], JSON, alarm::one, "One alarm"),
    write("/api/alarms/{id}/acknowledge", true, alarm::acknowledge, "Takes an alarm in hand, with the reason"),
    get("/sta/v1.1", &[], JSON, sta::root, "SensorThings 1.1: the sets of entities, and what the service does"),
    get("/sta/v1.1/", &[], JSON, sta::root, "SensorThings 1.1: the sets of entities, and what the service does"),
    get("/sta/v1.1/Things", STA, JSON, sta::get, "Monitored things, each bound to what it watches"),
    get("/sta/v1.1/Locations", STA, JSON, sta::get, "Where things stand"),
    get("/sta/v1.1/Sensors", STA, JSON, sta::get, "Instruments"),
    get("/sta/v1.1/ObservedProperties", STA, JSON, sta::get, "What is measured"),
    get("/sta/v1.1/Datastreams", STA, JSON, sta::get, "One quantity of one thing through time"),
    get("/sta/v1.1/FeaturesOfInterest", STA, JSON, sta::get, "What observations are of"),
    get("/sta/v1.1/Observations", STA, JSON, sta::get, "Observations, page by page"),
    get("/sta/v1.1/{*path}", STA, "*/*", sta::get, "An entity, its links, a property: Datastreams('x')/Observations"),
    write("/sta/v1.1/Things", true, sta::register, "A new thing, with its place, datastreams and what they link to"),
    write("/sta/v1.1/Sensors", true, sta::register, "A new instrument"),
    write("/sta/v1.1/ObservedProperties", true, sta::register, "A new quantity"),
    write("/sta/v1.1/Datastreams", true, sta::register, "A new datastream of a thing"),
    observations("/sta/v1.1/Observations", sta::observe, "An observation of a datastream"),
    observations("/sta/v1.1/CreateObservations", sta::create, "Observations of several datastreams as data arrays"),
    observations("/sta/v1.1/{*path}", sta::observe, "An observation: Datastreams('x')/Observations"),
    get("/healthz", &[], JSON, api::healthz, "Is the program alive?"),
    get("/readyz", &[], JSON, api::readyz, "Does it hold all that the record holds?"),
    get("/limits", &[], JSON, api::limits, "What is taken at most"),
    get("/openapi.json", &[], OPENAPI, openapi::document, "This description"),
];
