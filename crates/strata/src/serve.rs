use crate::{Failure, city, export, live};
use clap::Args;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use strata_server::{CityState, Config, Limits};

/// The scenes that the program brings along; a city's own folder `scenes/` adds to them.
const SCENES: [(&str, &str); 20] = [
    ("planner", include_str!("../../../scenes/planner.json")),
    ("pipes", include_str!("../../../scenes/pipes.json")),
    ("01-city-day", include_str!("../../../scenes/01-city-day.json")),
    ("02-street-facades", include_str!("../../../scenes/02-street-facades.json")),
    ("03-winter-dahan", include_str!("../../../scenes/03-winter-dahan.json")),
    ("04-night", include_str!("../../../scenes/04-night.json")),
    ("05-landuse", include_str!("../../../scenes/05-landuse.json")),
    ("06-terrain", include_str!("../../../scenes/06-terrain.json")),
    ("07-xray", include_str!("../../../scenes/07-xray.json")),
    ("08-cutaway", include_str!("../../../scenes/08-cutaway.json")),
    ("09-below", include_str!("../../../scenes/09-below.json")),
    ("10-timediff", include_str!("../../../scenes/10-timediff.json")),
    ("block-cut", include_str!("../../../scenes/block-cut.json")),
    ("overlay-arcs", include_str!("../../../scenes/overlay-arcs.json")),
    ("overlay-areas", include_str!("../../../scenes/overlay-areas.json")),
    ("overlay-columns", include_str!("../../../scenes/overlay-columns.json")),
    ("overlay-heat", include_str!("../../../scenes/overlay-heat.json")),
    ("overlay-icons", include_str!("../../../scenes/overlay-icons.json")),
    ("overlay-isochrones", include_str!("../../../scenes/overlay-isochrones.json")),
    ("overlay-tracks", include_str!("../../../scenes/overlay-tracks.json")),
];

#[derive(Args)]
pub struct Listen {
    /// Address to listen on. Only loopback: sign-in for a network comes with an identity provider.
    #[arg(long, default_value = "127.0.0.1:7317")]
    pub listen: SocketAddr,
    /// Address of the MQTT door of SensorThings, on loopback too: `127.0.0.1:1883`. Without it there is none.
    #[arg(long)]
    pub mqtt: Option<SocketAddr>,
    /// Lets the sensors of a synthetic city speak: made-up readings, with faults whose truth goes to `truth-live.jsonl`.
    #[arg(long)]
    pub live: bool,
    /// Folder of the built web client.
    #[arg(long)]
    pub viewer: Option<PathBuf>,
    /// Stop when standard input closes, so that a parent that dies takes the server along.
    #[arg(long)]
    pub stop_with_parent: bool,
    /// Room for finished tiles, MiB; 0: every tile is made anew.
    #[arg(long, default_value_t = 256)]
    pub tile_cache_mib: u64,
    /// Tile recipes (TOML) instead of those that ship.
    #[arg(long)]
    pub recipe: Option<PathBuf>,
}

#[derive(Args)]
pub struct Serve {
    city: PathBuf,
    #[command(flatten)]
    listen: Listen,
}

pub fn run(command: &Serve) -> Result<ExitCode, Failure> {
    serve(&command.city, &command.listen)
}

/// The city's named places for cameras.
fn anchors(dir: &Path) -> Result<Vec<strata_scene::Anchor>, Failure> {
    match std::fs::read(dir.join("anchors.json")) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(_) => Ok(Vec::new()),
    }
}

fn scenes(dir: &Path) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
    let mut all = BTreeMap::new();
    for (name, text) in SCENES {
        all.insert(name.to_owned(), serde_json::from_str(text)?);
    }
    for entry in std::fs::read_dir(dir.join("scenes")).into_iter().flatten().flatten() {
        let path = entry.path();
        if let (Some(name), true) = (path.file_stem(), path.extension().is_some_and(|e| e == "json")) {
            all.insert(name.to_string_lossy().into_owned(), serde_json::from_slice(&std::fs::read(&path)?)?);
        }
    }
    Ok(all)
}

/// The city for a picture: read only, and beside a server if one runs.
pub fn reading(dir: &Path) -> Result<Arc<CityState>, Failure> {
    Ok(Arc::new(state(dir, strata_store::Store::open_read_only(dir)?, config(dir, ([127, 0, 0, 1], 0).into(), new_token())?)?))
}

/// What the door is told, with all that has a default.
fn config(dir: &Path, listen: SocketAddr, token: String) -> Result<Config, Failure> {
    Ok(Config {
        listen: listen.to_string(),
        token,
        viewer: None,
        scenes: scenes(dir)?,
        limits: Limits::default(),
        public_url: None,
        now: city::now,
        cache_bytes: 256 << 20,
        read_delivery: Some(crate::survey::read),
        recipe: None,
    })
}

/// The city as the HTTP door sees it.
fn state(dir: &Path, store: strata_store::Store, config: Config) -> Result<CityState, Failure> {
    let city::City { engine, frame } = city::wire(dir, &store)?;
    Ok(CityState::new(store, engine, frame, anchors(dir)?, config)?)
}

pub fn serve(dir: &Path, listen: &Listen) -> Result<ExitCode, Failure> {
    if let Some(open) = [Some(listen.listen), listen.mqtt].into_iter().flatten().find(|a| !a.ip().is_loopback()) {
        return Err(Failure::misuse(format!("{open} is not loopback: the local mode knows one token and no sign-in")));
    }
    let token = new_token();
    let config = Config {
        viewer: listen.viewer.clone(),
        cache_bytes: listen.tile_cache_mib << 20,
        recipe: listen.recipe.as_deref().map(|path| export::recipes(Some(path))).transpose()?,
        ..config(dir, listen.listen, token.clone())?
    };
    let state = state(dir, strata_store::Store::open(dir)?, config)?;
    if listen.live && !state.meta.synthetic {
        return Err(Failure::misuse("--live: readings are made up only in a synthetic city"));
    }
    let state = Arc::new(state.with_observations(dir)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen.listen).await.map_err(|e| anyhow::anyhow!("{}: {e}", listen.listen))?;
        let address = listener.local_addr()?;
        // The token stands in the fragment, which browsers keep to themselves: no log and no query ever holds it.
        println!("url=http://{address}/#token={token}");
        println!("token={token}");
        let mqtt = match listen.mqtt {
            Some(a) => {
                let listener = tokio::net::TcpListener::bind(a).await.map_err(|e| anyhow::anyhow!("{a}: {e}"))?;
                println!("mqtt=mqtt://{}", listener.local_addr()?);
                Some(listener)
            }
            None => None,
        };
        std::io::stdout().flush()?;
        if let Some(listener) = mqtt {
            // It ends with the program: nothing that it has acknowledged is lost by that.
            tokio::spawn(strata_server::serve_mqtt(state.clone(), listener, std::future::pending()));
        }
        if listen.live {
            live::speak(&state, dir).map_err(|f| f.error)?;
        }
        let parent = listen.stop_with_parent;
        strata_server::serve(state, listener, async move {
            tokio::select! {
                () = interrupted() => {}
                () = parent_gone(), if parent => {}
            }
        })
        .await?;
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn interrupted() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(s) => s,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn parent_gone() {
    let _ = tokio::task::spawn_blocking(|| {
        let mut sink = [0; 64];
        while matches!(std::io::stdin().read(&mut sink), Ok(n) if n > 0) {}
    })
    .await;
}

fn new_token() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}
