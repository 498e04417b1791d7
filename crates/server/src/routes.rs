//! Every door there is.

use crate::{
    Ask, CityState, Problem, Reply, api, cases, items, ogc, openapi, pages, processes, proposals,
    reply::{GEOJSON, HTML, JSON, MVT, OPENAPI},
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
}

/// A write's answer, and the commit it made, if any, for the engine to take up.
pub struct Written {
    pub reply: Reply,
    pub commit: Option<(Version, Vec<(LayerId, Change)>)>,
}

impl From<Reply> for Written {
    fn from(reply: Reply) -> Self {
        Self { reply, commit: None }
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

const F: &[&str] = &["f"];
const TIME: &[&str] = &["t", "v"];
const ONE: &[&str] = &["f", "crs", "v"];

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
    get("/api/features/{layer}/{id}", &["v"], JSON, api::card, "A feature's card"),
    get("/api/versions", &[], JSON, api::versions, "Versions of the record"),
    get("/api/versions/{a}/diff/{b}", &["layer"], JSON, api::diff, "What differs between two versions"),
    kept(get("/api/proposals", &[], JSON, proposals::list, "Proposals")),
    write("/api/proposals", true, proposals::create, "A new proposal"),
    kept(get("/api/proposals/{id}", &[], JSON, proposals::get, "One proposal with its changes")),
    write("/api/proposals/{id}/merge", false, proposals::merge, "Makes a proposal's changes a version"),
    write("/api/proposals/{id}/drop", false, proposals::drop_one, "Closes a proposal without a trace"),
    kept(get("/api/case-definitions", &[], JSON, cases::known, "Kinds of cases, with their states, steps and roles")),
    kept(get("/api/cases", &["state", "limit", "offset"], JSON, cases::list, "Cases, newest first")),
    write("/api/cases", true, cases::open, "Opens a case"),
    kept(get("/api/cases/{id}", &[], JSON, cases::get, "One case with its events, clocks and open steps")),
    write("/api/cases/{id}/steps", true, cases::step, "Takes a step of a case"),
    kept(get("/api/audit", &["after", "limit"], JSON, api::audit, "The audit log")),
    kept(get("/api/session", &[], JSON, api::who, "Who is signed in")),
    session(Verb::Post, Access::Anyone, true, api::sign_in, "Signs in with the city's token"),
    session(Verb::Delete, Access::Keeper, false, api::sign_out, "Signs out"),
    get("/healthz", &[], JSON, api::healthz, "Is the program alive?"),
    get("/readyz", &[], JSON, api::readyz, "Does it hold all that the record holds?"),
    get("/limits", &[], JSON, api::limits, "What is taken at most"),
    get("/openapi.json", &[], OPENAPI, openapi::document, "This description"),
];
