//! Hydraulics: our side of the duel with the EPANET toolkit. `bench-hydraulics NETWORK.inp OUT.json` imports the file, asks
//! the door for the whole period, and writes the heads (m, by id) of each period. One line of JSON.

use serde_json::json;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use strata_benches::timed;
use strata_engine::{Engine, View};
use strata_ingest::{Collected, ImportOptions, Report, import};
use strata_model::{Change, Crs, Instant, Scope, Version, WorkingFrame};
use strata_pipes::{
    hydraulics::solve,
    joining::Joining,
    network::Network,
    pipe::Class,
    pressures::HYDRAULICS,
    supply::{Assumptions, Model},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, out] = args.as_slice() else { return Err("bench-hydraulics NETWORK.inp OUT.json".into()) };
    let crs = Crs::parse("EPSG:4551")?;
    let frame = WorkingFrame::new(crs.clone(), 0.0)?;
    let options =
        ImportOptions { frame: Arc::new(frame), source_crs: Some(crs), layer: None, valid_from: None, reader: None, mapping: None };
    let (mut sink, mut report) = (Collected::default(), Report::default());
    import(Path::new(file), &options, &mut sink, &mut report)?;
    let dir = tempfile::tempdir()?;
    let engine = Engine::open(dir.path())?;
    let mut changes = Vec::new();
    for (layer, features) in sink.layers.into_values() {
        engine.declare(layer.clone());
        changes.extend(features.into_iter().map(|f| (layer.id.clone(), Change::Put(f))));
    }
    engine.apply(Version(1), &changes)?;
    let (snapshot, scope) = (engine.snapshot(), Scope::everything());
    let view = View { snapshot: &snapshot, base: &snapshot, scope: &scope, at: Instant::from_ymd(2026, 6, 1) };
    let ask = || timed(|| (HYDRAULICS.run)(&view, &json!({ "extended": true })));
    let (first, cold) = ask();
    first?;
    // As for every question after the first: the network and its model are kept with the snapshot.
    let (answer, door) = ask();
    let periods = answer?["periods"].as_array().map_or(0, Vec::len);
    let net = Network::read(&view, Joining::of(Class::Js))?;
    let model = Model::read(&view, &net, &Assumptions::default())?;
    let (solution, solved) = timed(|| solve(&model, &net, &Default::default(), true));
    let heads: Vec<(u64, BTreeMap<&str, f64>)> = solution?
        .periods
        .iter()
        .map(|p| {
            let all = net.nodes.iter().zip(&p.head_m).filter(|(_, h)| h.is_finite());
            (p.time_s, all.filter_map(|(n, h)| Some((n.id.as_ref()?.as_str(), *h))).collect())
        })
        .collect();
    std::fs::write(out, json!(heads).to_string())?;
    println!(
        "{}",
        json!({ "took": door, "first": cold, "solved": solved, "periods": periods, "links": net.edges.len(), "refused": report.refused })
    );
    Ok(())
}
