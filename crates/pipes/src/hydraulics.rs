//! 水力 pressures and flows by the EPANET 2.3 toolkit (Rossman et al., US EPA; the C solver is linked in).
//!
//! The solver reads its text from a private temporary file that is gone when the call returns; it writes nothing else.
//! What no source reaches is found before and left out, for it would make the equations singular.

use crate::{
    network::Network,
    supply::{Model, islands},
};
use epanet::{
    EPANET,
    epanet_error::EPANETError,
    types::{CountType, analysis::InitHydOption, link::LinkProperty, node::NodeProperty},
};
use std::collections::{BTreeSet, HashMap, HashSet};

#[derive(Debug, thiserror::Error)]
pub enum HydraulicsError {
    #[error("the network has no source")]
    NoSource,
    #[error("the solver: {0}")]
    Solver(String),
    #[error("a temporary file: {0}")]
    Io(#[from] std::io::Error),
}

impl From<EPANETError> for HydraulicsError {
    fn from(e: EPANETError) -> Self {
        Self::Solver(format!("{} ({})", e.message(), e.code))
    }
}

/// One moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    pub time_s: u64,
    /// Total head of each node, m; NaN where nothing feeds it.
    pub head_m: Vec<f64>,
    /// Along each edge's sense, l/s; NaN where nothing feeds it.
    pub flow_lps: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub periods: Vec<Period>,
    /// Nodes that nothing feeds.
    pub unfed: Vec<u32>,
    /// What the solver warned of, each once.
    pub warnings: Vec<String>,
}

impl Solution {
    /// Pressure head of a node, m of water.
    pub fn pressure_m(&self, period: usize, node: u32, model: &Model) -> f64 {
        self.periods[period].head_m[node as usize] - model.elevation_m(node)
    }
}

/// Nodes and links of the network in the solver's order, which is that of its text; of a long row some are asked for their
/// names, for to ask all takes as long as to read the text.
fn numbered(
    project: &EPANET,
    model: &Model,
    net: &Network,
    keep_node: &dyn Fn(u32) -> bool,
    keep_link: &dyn Fn(u32) -> bool,
) -> Result<[Vec<u32>; 2], HydraulicsError> {
    let missing = |id: &str| HydraulicsError::Solver(format!("`{id}` does not stand where it was written"));
    let asked = |len: usize| (0..len).filter(move |i| i % 97 == 0 || i + 8 >= len);
    let count = |of: CountType| project.get_count(of).map(|n| n as usize);
    let mut nodes = model.junctions(keep_node);
    let feeding: HashMap<&str, u32> = (0..net.nodes.len() as u32)
        .filter(|n| model.feeds(*n) && keep_node(*n))
        .map(|n| (model.node_ids[n as usize].as_str(), n))
        .collect();
    for i in asked(nodes.len()) {
        let id = project.get_node_id(i as i32 + 1)?;
        if id != model.node_ids[nodes[i] as usize] {
            return Err(missing(&id));
        }
    }
    for i in nodes.len()..count(CountType::NodeCount)? {
        let id = project.get_node_id(i as i32 + 1)?;
        nodes.push(*feeding.get(id.as_str()).ok_or_else(|| missing(&id))?);
    }
    let links = model.in_order(net, keep_link);
    if links.len() != count(CountType::LinkCount)? {
        return Err(HydraulicsError::Solver("a link is missing".into()));
    }
    for i in asked(links.len()) {
        let id = project.get_link_id(i as i32 + 1)?;
        if id != model.link_ids[links[i] as usize] {
            return Err(missing(&id));
        }
    }
    Ok([nodes, links])
}

/// Solves the model with some edges shut. `extended`: over the duration that the model asks for, else its first moment.
pub fn solve(model: &Model, net: &Network, shut: &HashSet<u32>, extended: bool) -> Result<Solution, HydraulicsError> {
    if !(0..net.nodes.len() as u32).any(|n| model.feeds(n)) {
        return Err(HydraulicsError::NoSource);
    }
    let closed = |e: u32| shut.contains(&e) || model.stands_closed(e);
    let unfed = islands(model, net, &closed);
    let gone: HashSet<u32> = unfed.iter().copied().collect();
    let keep_node = |n: u32| !gone.contains(&n) && (net.degree(n) > 0);
    let dead = |e: u32| net.edges[e as usize].ends.iter().any(|n| gone.contains(n));
    let keep_link = |e: u32| !shut.contains(&e) && !dead(e) && net.edges[e as usize].ends[0] != net.edges[e as usize].ends[1];
    let mut out = Solution { periods: Vec::new(), unfed: unfed.into_iter().filter(|n| net.degree(*n) > 0).collect(), warnings: Vec::new() };
    if !(0..net.nodes.len() as u32).any(|n| keep_node(n) && !model.feeds(n)) {
        return Ok(out);
    }
    let text = model.to_inp(net, &keep_node, &keep_link);
    let dir = tempfile::tempdir()?;
    let (input, report) = (dir.path().join("network.inp"), dir.path().join("report.txt"));
    std::fs::write(&input, text)?;
    let utf8 = |p: &std::path::Path| {
        p.to_str().map(str::to_owned).ok_or_else(|| HydraulicsError::Solver("the temporary folder's name is not UTF-8".into()))
    };
    let project = EPANET::with_inp_file_allow_errors(&utf8(&input)?, &utf8(&report)?, "").map_err(|e| {
        // The report says which line it does not like.
        let why = std::fs::read_to_string(&report).unwrap_or_default();
        let why: Vec<&str> = why.lines().map(str::trim).skip_while(|l| !l.contains("Error")).take(3).collect();
        HydraulicsError::Solver(format!("{} ({}): {}", e.message(), e.code, why.join(" ")))
    })?;
    let [node_order, link_order] = numbered(&project, model, net, &keep_node, &keep_link)?;
    let mut warnings = BTreeSet::new();
    project.open_h()?;
    project.init_h(InitHydOption::NoSave)?;
    let mut time_s = 0;
    loop {
        match project.run_h() {
            Ok(_) => {}
            Err(e) if e.is_warning() => {
                warnings.insert(e.message().to_string());
            }
            Err(e) => return Err(e.into()),
        }
        let mut period = Period { time_s, head_m: vec![f64::NAN; net.nodes.len()], flow_lps: vec![f64::NAN; net.edges.len()] };
        for (n, head) in node_order.iter().zip(project.get_node_values(NodeProperty::Head)?) {
            period.head_m[*n as usize] = head * model.length_m;
        }
        for (e, flow) in link_order.iter().zip(project.get_link_values(LinkProperty::Flow)?) {
            period.flow_lps[*e as usize] = flow * model.flow_lps;
        }
        out.periods.push(period);
        if !extended {
            break;
        }
        match project.next_h()? {
            0 => break,
            step => time_s += step,
        }
    }
    project.close_h()?;
    out.warnings = warnings.into_iter().collect();
    Ok(out)
}
