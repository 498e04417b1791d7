//! What all doors share.

use crate::{
    Content, Limits, Problem, access::Door, access::lock, live::Live, mqtt::Taps, pages::Pages, sta::Catalog, stream::Hub, threed::KeptPlan,
};
use moka::sync::Cache;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, atomic::AtomicUsize},
};
use strata_engine::{Engine, Snapshot};
use strata_model::{Feature, Instant, Layer, LayerId, Scope, WorkingFrame};
use strata_scene::Anchor;
use strata_store::{Appended, CityMeta, Fate, NewObservation, Registered, Store, StoreError};
use strata_tiles::{LayerRecipe, Recipe, TilesError};
use tokio::sync::Semaphore;

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Tiles(#[from] TilesError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the listener failed: {0}")]
    Listen(std::io::Error),
    #[error("the table of alarm rules: {0}")]
    Rules(String),
    #[error("the definitions of cases: {0}")]
    Cases(String),
    #[error("the token has {0} characters, fewer than 16")]
    ShortToken(usize),
}

/// Features of a survey delivery with their layers. Files and their formats are no business of this crate.
pub type ReadDelivery = fn(&Arc<WorkingFrame>, &strata_model::survey::Delivery) -> Result<Vec<(Arc<Layer>, Feature)>, String>;

pub struct Config {
    /// Where it listens, for links when no public address is set; `serve` puts the true port in.
    pub listen: String,
    pub token: String,
    /// The built viewer (`viewer/dist`); without it `/` is a plain page.
    pub viewer: Option<PathBuf>,
    pub scenes: BTreeMap<String, Value>,
    pub limits: Limits,
    /// `https://twin.example`: what links begin with. The `Host` header never decides.
    pub public_url: Option<String>,
    pub now: fn() -> Instant,
    /// Room for finished tiles, bytes; 0: every tile is made anew.
    pub cache_bytes: u64,
    /// Reads the tables of a survey delivery, in the city's frame; `None`: deliveries are taken in elsewhere.
    pub read_delivery: Option<ReadDelivery>,
    /// How layers become vector tiles; `None`: by the recipes that ship.
    pub recipe: Option<Recipe>,
}

/// One open city behind the door.
pub struct CityState {
    pub engine: Arc<Engine>,
    pub frame: Arc<WorkingFrame>,
    pub meta: CityMeta,
    pub anchors: Vec<Anchor>,
    pub config: Config,
    store: Mutex<Store>,
    pub(crate) door: Door,
    recipe: Recipe,
    pub(crate) cache: Cache<String, Content>,
    pub(crate) plans: Cache<String, KeptPlan>,
    pub(crate) pages: Pages,
    pub(crate) base: OnceLock<String>,
    pub(crate) running: Semaphore,
    /// Places for those who wait for the disk rather than compute.
    pub(crate) keeping: Semaphore,
    pub(crate) waiting: AtomicUsize,
    pub(crate) hub: Arc<Hub>,
    pub(crate) taps: Arc<Taps>,
    /// `None`: the city is open for reading only.
    pub(crate) live: Option<Live>,
    /// What was registered over SensorThings.
    pub(crate) registered: Mutex<Arc<[Registered]>>,
    pub(crate) catalogs: Cache<String, Arc<Catalog>>,
    /// Where the MQTT door listens, once it does.
    pub(crate) mqtt: OnceLock<String>,
}

impl CityState {
    /// The engine's segments are up to the store's head already.
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        frame: Arc<WorkingFrame>,
        anchors: Vec<Anchor>,
        config: Config,
    ) -> Result<Self, ServerError> {
        if config.token.len() < 16 {
            return Err(ServerError::ShortToken(config.token.len()));
        }
        let secure = config.public_url.as_deref().is_some_and(|u| u.starts_with("https://"));
        Ok(Self {
            meta: store.meta().clone(),
            door: Door::new(&config.token, secure),
            recipe: config.recipe.clone().map_or_else(Recipe::built_in, Ok)?,
            cache: Cache::builder()
                .max_capacity(config.cache_bytes)
                .weigher(|k: &String, c: &Content| u32::try_from(k.len() + c.weight()).unwrap_or(u32::MAX))
                .build(),
            plans: Cache::new(64),
            pages: Pages::load(config.viewer.as_deref())?,
            base: OnceLock::new(),
            running: Semaphore::new(config.limits.running),
            keeping: Semaphore::new(config.limits.keeping),
            waiting: AtomicUsize::new(0),
            hub: Arc::new(Hub::new(rand::random::<u32>().into(), config.limits.streams, config.limits.stream_bytes)),
            taps: Arc::default(),
            live: None,
            registered: Mutex::new(store.registered()?.into()),
            catalogs: Cache::new(16),
            mqtt: OnceLock::new(),
            store: Mutex::new(store),
            engine,
            frame,
            anchors,
            config,
        })
    }
    /// With the observations that are kept in the city's folder; they are taken from now on.
    pub fn with_observations(mut self, dir: &Path) -> Result<Self, ServerError> {
        self.live = Some(Live::open(dir, self.hub.clone(), self.taps.clone())?);
        Ok(self)
    }
    /// Readers of the stream now, and those that did not keep up since the start.
    pub fn stream_readers(&self) -> (usize, u64) {
        (self.hub.readers(), self.hub.cut_off())
    }
    /// Every datastream of the city and the quantity it measures.
    pub fn datastreams(&self) -> Result<Vec<(Arc<str>, Arc<str>)>, Problem> {
        Ok(Catalog::of(self, &Scope::everything())?.kinds().into_iter().collect())
    }
    /// Keeps readings `(datastream, time, result)` that come from this program itself; how many were new.
    pub fn keep_readings(&self, readings: &[(Arc<str>, Instant, f64)]) -> Result<usize, ServerError> {
        let Some(live) = &self.live else { return Ok(0) };
        let row = |(stream, at, result): &(Arc<str>, Instant, f64)| NewObservation {
            stream: stream.clone(),
            at: *at,
            until: None,
            result_at: None,
            result: *result,
            parameters: None,
        };
        match live.observations.append(readings.iter().map(row).collect(), None, self.now())? {
            Appended::Done(fates) => Ok(fates.iter().filter(|f| matches!(f, Fate::New(_))).count()),
            _ => Ok(0),
        }
    }
    pub fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
    pub fn snapshot(&self) -> Snapshot {
        self.engine.snapshot()
    }
    pub fn now(&self) -> Instant {
        (self.config.now)()
    }
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }
    /// What absolute links begin with, without a slash at the end.
    pub fn base(&self) -> String {
        match (&self.config.public_url, self.base.get()) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(base)) => base.clone(),
            (None, None) => format!("http://{}", self.config.listen),
        }
    }
    /// What is kept under the key, else made; of several who ask for the same at once one makes it. A problem is not
    /// kept.
    pub(crate) fn kept(&self, key: String, make: impl FnOnce() -> Result<Content, Problem>) -> Result<Content, Problem> {
        if self.config.cache_bytes == 0 {
            return make();
        }
        self.cache.try_get_with(key, make).map_err(|e| (*e).clone())
    }
    pub(crate) fn recipe(&self, layer: &LayerId) -> LayerRecipe {
        let mut recipe = self.recipe.layer(layer.as_str());
        recipe.max_bytes = recipe.max_bytes.min(self.limits().tile_bytes);
        recipe.max_features = recipe.max_features.min(self.limits().tile_features);
        recipe
    }
    /// `[west, south, east, north]` and `[lowest_m, highest_m]` (ellipsoidal) of a layer.
    pub(crate) fn extent(&self, snapshot: &Snapshot, layer: &LayerId, scope: &Scope) -> Option<([f64; 4], [f64; 2])> {
        let b = snapshot.bounds(layer, scope)?;
        let mut out = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for i in 0..=4 {
            for j in 0..=4 {
                let at = |k: usize, n: i32| b.min[k] + (b.max[k] - b.min[k]) * f64::from(n) / 4.0;
                let [lon, lat] = self.frame.geographic_from_working([at(0, i), at(1, j)]).ok()?;
                out = [out[0].min(lon), out[1].min(lat), out[2].max(lon), out[3].max(lat)];
            }
        }
        let h = self.frame.geoid_offset_m;
        Some((out, [b.min[2] + h, b.max[2] + h]))
    }
}
