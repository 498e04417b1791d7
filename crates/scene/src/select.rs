//! Which tiles to draw: screen-space error, refine by replacement, and two rules of good manners.
//!
//! 1. **No hole**: a tile is replaced by its children only when all of them that hold something are here, seen or
//!    not; until then it is drawn itself.
//! 2. **No detail lost once shown**: when the eye moves away and a coarser tile would do but is not here, the finer
//!    ones that were shown stay.
//!
//! With a cross-fade tiles melt into each other, and at each moment every pixel has one of the two. So a swap that has begun
//! is ended before the next one begins there, what was out of the picture comes whole, and what leaves it is dropped.
//!
//! The caller's loop: `update` → fetch what `wanted` names → `provide` the bytes → for content, upload and `loaded`.

use crate::{
    SceneError, View,
    tree::{Children, Tree},
};
use glam::DVec3;
use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Tileset,
    Subtree,
    Content,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub url: String,
    pub kind: RequestKind,
    pub layer: String,
    /// Larger is more urgent.
    pub priority: f64,
}

/// Content that came and wants decoding and uploading; answer with [`Stream::loaded`] or [`Stream::failed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    pub url: String,
    pub layer: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drawn<H> {
    pub layer: String,
    pub handle: H,
    /// 0 just come … 1 fully here; 1 at once when cross-fading is off. What was replaced is drawn on while its
    /// successors come: −1 still fully here … 0 gone. At each moment both shares of a pixel make a whole.
    pub fade: f32,
    pub url: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Update<H> {
    pub draw: Vec<Drawn<H>>,
    /// Handles to be released: nobody will ask for them again without a new request.
    pub evict: Vec<H>,
    /// Nothing is missing for this view.
    pub settled: bool,
    /// Tiles are melting into each other: the next picture differs even if nothing moves.
    pub fading: bool,
}

#[derive(Debug)]
enum State<H> {
    Flying,
    Here { handle: H, bytes: u64, last_used: u64, shown_since_s: Option<f64> },
    Failed,
}

struct Layer {
    name: String,
    url: String,
    visible: bool,
    tree: Option<Tree>,
    /// Nodes whose own content was drawn, and nodes that were refined, in the last update.
    shown: HashSet<usize>,
    refined: HashSet<usize>,
    /// Nodes in view that were asked in the last update.
    looked: HashSet<usize>,
}

/// Lines of a picture from which on more lines make it finer and not larger to the eye.
const LINES: f64 = 1080.0;

/// The streaming state of a scene. `H` is whatever the renderer calls an uploaded tile.
pub struct Stream<H> {
    layers: Vec<Layer>,
    content: HashMap<String, State<H>>,
    flying: HashSet<String>,
    wanted: BTreeMap<String, Request>,
    failures: BTreeMap<String, String>,
    /// Layer and node of what was drawn for its own sake in the last update; layer of what leaves, since when.
    present: HashMap<String, (usize, usize)>,
    leaving: BTreeMap<String, (usize, f64)>,
    budget_bytes: u64,
    beside_bytes: u64,
    frame: u64,
    /// Pixels of error that the eye may see, in a picture of at most [`LINES`]: nobody looks closer at a denser screen.
    pub max_error_px: f64,
    /// Seconds of cross-fade; 0 in pictures.
    pub fade_s: f64,
}

#[derive(Clone, Copy)]
struct Seen {
    all_renderable: bool,
    any_shown_before: bool,
}

impl<H: Clone> Stream<H> {
    /// `budget_bytes` bounds the GPU bytes kept for tiles that are not shown at the moment.
    pub fn new(budget_bytes: u64) -> Self {
        Self {
            layers: Vec::new(),
            content: HashMap::new(),
            flying: HashSet::new(),
            wanted: BTreeMap::new(),
            failures: BTreeMap::new(),
            present: HashMap::new(),
            leaving: BTreeMap::new(),
            budget_bytes,
            beside_bytes: 0,
            frame: 0,
            max_error_px: 8.0,
            fade_s: 0.0,
        }
    }
    pub fn add_tileset(&mut self, layer: &str, url: &str) {
        self.layers.push(Layer {
            name: layer.into(),
            url: url.into(),
            visible: true,
            tree: None,
            shown: HashSet::new(),
            refined: HashSet::new(),
            looked: HashSet::new(),
        });
    }
    pub fn set_visible(&mut self, layer: &str, visible: bool) {
        self.layers.iter_mut().filter(|l| l.name == layer).for_each(|l| l.visible = visible);
    }
    /// What to fetch next, most urgent first, at most `n`; requests under way are not repeated.
    pub fn wanted(&self, n: usize) -> Vec<Request> {
        let mut list: Vec<_> = self.wanted.values().filter(|r| !self.flying.contains(&r.url)).cloned().collect();
        list.sort_by(|a, b| b.priority.total_cmp(&a.priority).then_with(|| a.url.cmp(&b.url)));
        list.truncate(n);
        list
    }
    /// Requests under way that the last update no longer wants: cancel them if you can.
    pub fn unwanted(&self) -> Vec<String> {
        self.flying.iter().filter(|u| !self.wanted.contains_key(*u)).cloned().collect()
    }
    pub fn started(&mut self, url: &str) {
        self.flying.insert(url.into());
    }
    /// The request was given up; it may be asked for again.
    pub fn cancelled(&mut self, url: &str) {
        self.flying.remove(url);
        if matches!(self.content.get(url), Some(State::Flying)) {
            self.content.remove(url);
        }
    }
    /// Bytes or an error for an address. Tilesets and subtrees are read here; content comes back to be uploaded.
    pub fn provide(&mut self, url: &str, answer: Result<Vec<u8>, String>) -> Option<Ready> {
        self.flying.remove(url);
        let request = self.wanted.remove(url);
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.failures.insert(url.into(), reason);
                self.content.insert(url.into(), State::Failed);
                return None;
            }
        };
        if let Some(layer) = self.layers.iter_mut().find(|l| l.url == url && l.tree.is_none()) {
            match Tree::parse(url, &bytes) {
                Ok(tree) => layer.tree = Some(tree),
                Err(e) => self.fail(url, &e),
            }
            return None;
        }
        for layer in &mut self.layers {
            let Some(tree) = &mut layer.tree else { continue };
            let root = (0..tree.nodes.len())
                .find(|&i| matches!(tree.nodes[i].children, Children::Subtree) && tree.subtree_url(i).as_deref() == Some(url));
            if let Some(root) = root {
                if let Err(e) = tree.open_subtree(root, url, &bytes) {
                    tree.nodes[root].children = Children::None;
                    self.fail(url, &e);
                }
                return None;
            }
        }
        self.content.insert(url.into(), State::Flying);
        Some(Ready { url: url.into(), layer: request.map(|r| r.layer).unwrap_or_default(), bytes })
    }
    pub fn loaded(&mut self, url: &str, handle: H, bytes: u64) {
        self.content.insert(url.into(), State::Here { handle, bytes, last_used: self.frame, shown_since_s: None });
    }
    /// Content that could not be decoded or uploaded. It is not asked for again; its parent or children serve.
    pub fn failed(&mut self, url: &str, reason: impl Into<String>) {
        self.failures.insert(url.into(), reason.into());
        self.content.insert(url.into(), State::Failed);
    }
    fn fail(&mut self, url: &str, error: &SceneError) {
        self.failures.insert(url.into(), error.to_string());
        self.content.insert(url.into(), State::Failed);
    }
    /// Address → reason of everything that did not come.
    pub fn failures(&self) -> &BTreeMap<String, String> {
        &self.failures
    }
    /// Forgets failures, so that they are tried again (the network is back).
    pub fn retry(&mut self) {
        self.failures.clear();
        self.content.retain(|_, s| !matches!(s, State::Failed));
    }
    /// Forgets all content, as after the loss of the device that held it; the trees stay and it is asked for again.
    pub fn forget(&mut self) {
        self.content.retain(|_, s| matches!(s, State::Failed));
        self.present.clear();
        self.leaving.clear();
        for layer in &mut self.layers {
            layer.shown.clear();
            layer.refined.clear();
            layer.looked.clear();
        }
    }
    pub fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }
    pub fn set_budget(&mut self, bytes: u64) {
        self.budget_bytes = bytes;
    }
    /// What the eye itself takes of the budget: pictures that are drawn into, shadows.
    pub fn set_beside(&mut self, bytes: u64) {
        self.beside_bytes = bytes;
    }
    pub fn resident_bytes(&self) -> u64 {
        self.content.values().map(|s| if let State::Here { bytes, .. } = s { *bytes } else { 0 }).sum()
    }

    /// Selects for a view. `now_s` is any clock that goes forward; it only drives the cross-fade.
    pub fn update(&mut self, view: &View, now_s: f64) -> Update<H> {
        self.frame += 1;
        self.wanted.clear();
        let mut draw_urls: Vec<(usize, usize, String, Option<f64>)> = Vec::new();
        let mut settled = true;
        for i in 0..self.layers.len() {
            if !self.layers[i].visible {
                self.layers[i].shown.clear();
                self.layers[i].refined.clear();
                self.layers[i].looked.clear();
                continue;
            }
            if self.layers[i].tree.is_none() {
                if !matches!(self.content.get(&self.layers[i].url), Some(State::Failed)) {
                    let (url, layer) = (self.layers[i].url.clone(), self.layers[i].name.clone());
                    self.want(url, RequestKind::Tileset, layer, f64::MAX);
                    settled = false;
                }
                continue;
            }
            let Some(tree) = self.layers[i].tree.take() else { continue };
            let mut pass = Pass {
                stream: self,
                tree: &tree,
                layer: i,
                view,
                now_s,
                draw: Vec::new(),
                refined: HashSet::new(),
                looked: HashSet::new(),
                settled: true,
            };
            pass.visit(0, Above::default());
            let (draw, refined, looked, ok) = (pass.draw, pass.refined, pass.looked, pass.settled);
            settled &= ok;
            self.layers[i].shown = draw.iter().map(|d| d.0).collect();
            (self.layers[i].refined, self.layers[i].looked) = (refined, looked);
            draw_urls.extend(draw.into_iter().filter_map(|(n, since)| tree.nodes[n].content.clone().map(|u| (i, n, u, since))));
            self.layers[i].tree = Some(tree);
        }
        let (draw, fading) = self.faded(draw_urls, view, now_s);
        for (url, state) in &mut self.content {
            if let State::Here { shown_since_s, .. } = state
                && !self.present.contains_key(url)
                && shown_since_s.is_some_and(|s| now_s - s >= self.fade_s)
            {
                *shown_since_s = None;
            }
        }
        Update { evict: self.evict(), draw, settled, fading }
    }

    /// What was selected with its fade, and what it replaces as long as that still shows. With a tile stands the moment
    /// since when it counts as shown, when that is not now.
    fn faded(&mut self, selected: Vec<(usize, usize, String, Option<f64>)>, view: &View, now_s: f64) -> (Vec<Drawn<H>>, bool) {
        let (frame, fade_s) = (self.frame, self.fade_s);
        let mut draw = Vec::with_capacity(selected.len());
        let mut present = HashMap::with_capacity(selected.len());
        let mut fading = false;
        for (layer, node, url, shown_from_s) in selected {
            let name = self.layers[layer].name.clone();
            let Some(State::Here { handle, last_used, shown_since_s, .. }) = self.content.get_mut(&url) else { continue };
            *last_used = frame;
            // One that was about to leave comes back from where it was.
            let share = self.leaving.remove(&url).map_or(0.0, |(_, since)| (1.0 - (now_s - since) / fade_s.max(1e-9)).clamp(0.0, 1.0));
            let since = *shown_since_s.get_or_insert(shown_from_s.unwrap_or(now_s - share * fade_s));
            let fade = if fade_s > 0.0 { ((now_s - since) / fade_s).clamp(0.0, 1.0) as f32 } else { 1.0 };
            fading |= fade < 1.0;
            draw.push(Drawn { layer: name, handle: handle.clone(), fade, url: url.clone() });
            present.insert(url, (layer, node));
        }
        for (url, (layer, node)) in std::mem::replace(&mut self.present, present) {
            // What the eye turned away from is dropped.
            let seen = |t: &Tree| t.nodes.get(node).is_some_and(|n| n.bounds.in_view(view));
            if fade_s > 0.0 && !self.present.contains_key(&url) && self.layers[layer].tree.as_ref().is_some_and(seen) {
                self.leaving.insert(url, (layer, now_s));
            }
        }
        let names: Vec<String> = self.layers.iter().map(|l| l.name.clone()).collect();
        let content = &mut self.content;
        self.leaving.retain(|url, (layer, since)| {
            let left = 1.0 - (now_s - *since) / fade_s.max(1e-9);
            let Some(State::Here { handle, last_used, .. }) = content.get_mut(url).filter(|_| left > 0.0) else { return false };
            *last_used = frame;
            fading = true;
            draw.push(Drawn { layer: names[*layer].clone(), handle: handle.clone(), fade: -left as f32, url: url.clone() });
            true
        });
        (draw, fading)
    }

    fn evict(&mut self) -> Vec<H> {
        let most = self.budget_bytes.saturating_sub(self.beside_bytes);
        let mut total = self.resident_bytes();
        if total <= most {
            return Vec::new();
        }
        // What was touched in this frame (drawn, or held ready for refining) stays, whatever the budget says.
        let mut old: Vec<(u64, String, u64)> = self
            .content
            .iter()
            .filter_map(|(url, s)| match s {
                State::Here { last_used, bytes, .. } if *last_used < self.frame => Some((*last_used, url.clone(), *bytes)),
                _ => None,
            })
            .collect();
        old.sort();
        let mut out = Vec::new();
        for (_, url, bytes) in old {
            if total <= most {
                break;
            }
            if let Some(State::Here { handle, .. }) = self.content.remove(&url) {
                out.push(handle);
                total -= bytes;
            }
        }
        out
    }

    fn want(&mut self, url: String, kind: RequestKind, layer: String, priority: f64) {
        let entry = self.wanted.entry(url.clone()).or_insert(Request { url, kind, layer, priority });
        entry.priority = entry.priority.max(priority);
    }
}

struct Pass<'a, H> {
    stream: &'a mut Stream<H>,
    tree: &'a Tree,
    layer: usize,
    view: &'a View,
    now_s: f64,
    /// With the moment since when it counts as shown, when that is not now.
    draw: Vec<(usize, Option<f64>)>,
    refined: HashSet<usize>,
    looked: HashSet<usize>,
    settled: bool,
}

/// What a node hears of its ancestors.
#[derive(Clone, Copy, Default)]
struct Above {
    /// One of them would do.
    meets: bool,
    /// One of them was drawn in the last update.
    shown: bool,
    /// One of them leaves, since this moment.
    leaves_s: Option<f64>,
}

impl<H: Clone> Pass<'_, H> {
    /// Touches content that is here, so that it is kept.
    fn own(&mut self, node: usize) -> Own {
        let Some(url) = &self.tree.nodes[node].content else { return Own::Nothing };
        let frame = self.stream.frame;
        match self.stream.content.get_mut(url) {
            Some(State::Here { last_used, .. }) => {
                *last_used = frame;
                Own::Here
            }
            Some(State::Failed) => Own::Failed,
            _ => Own::Missing,
        }
    }
    fn want_content(&mut self, node: usize, priority: f64) {
        let Some(url) = self.tree.nodes[node].content.clone() else { return };
        if !self.stream.content.contains_key(&url) || matches!(self.stream.content.get(&url), Some(State::Flying)) {
            let layer = self.stream.layers[self.layer].name.clone();
            self.stream.want(url, RequestKind::Content, layer, priority);
            // Whatever is still wanted may change the picture: an unseen sibling lets its parent be refined.
            self.settled = false;
        }
    }
    /// Drawn in the last update, and still coming.
    fn coming(&self, node: usize) -> bool {
        let Some(url) = self.tree.nodes[node].content.as_ref().filter(|_| self.stream.layers[self.layer].shown.contains(&node)) else {
            return false;
        };
        let since = match self.stream.content.get(url) {
            Some(State::Here { shown_since_s, .. }) => *shown_since_s,
            _ => None,
        };
        since.is_some_and(|s| self.now_s - s < self.stream.fade_s)
    }
    /// Whether something drawn below a node is still coming.
    fn coming_below(&self, node: usize) -> bool {
        let Children::Known(children) = &self.tree.nodes[node].children else { return false };
        self.stream.fade_s > 0.0
            && self.stream.layers[self.layer].refined.contains(&node)
            && children.iter().any(|c| self.coming(*c) || self.coming_below(*c))
    }
    fn show(&mut self, at: usize, above: Above) {
        let fresh = !above.shown && !self.stream.layers[self.layer].looked.contains(&at);
        // What was out of the picture takes part in a swap that goes on there, or is whole at once.
        let since = above.leaves_s.or(fresh.then_some(self.now_s - self.stream.fade_s));
        self.draw.push((at, since));
    }
    fn visit(&mut self, at: usize, above: Above) -> Seen {
        let node = &self.tree.nodes[at];
        let visible = node.bounds.in_view(self.view);
        let distance = node.bounds.distance_m(DVec3::from(self.view.eye_in_ecef)).max(0.1);
        let dense = (f64::from(self.view.viewport_px[1]) / LINES).max(1.0);
        let error_px = node.geometric_error_m / (self.view.metres_per_px(distance) * dense);
        // Urgency: what the eye sees before what it does not, then the larger error.
        let urgency = error_px.min(1e6) + if visible { 1e7 } else { 0.0 };
        let own = self.own(at);
        if !visible {
            // Kept ready, so that its parent may be replaced and turning the head shows no hole.
            if own == Own::Missing {
                self.want_content(at, urgency);
            }
            return Seen { all_renderable: matches!(own, Own::Here | Own::Nothing), any_shown_before: false };
        }
        self.looked.insert(at);
        let shown_before = self.stream.layers[self.layer].shown.contains(&at);
        let refined_before = self.stream.layers[self.layer].refined.contains(&at);
        let meets = error_px <= self.stream.max_error_px || above.meets;
        // A swap that has begun is ended first, in either direction.
        let comes = own == Own::Here && self.coming(at);
        let would_do = meets && own == Own::Here && !self.coming_below(at);
        let children = match &node.children {
            Children::Known(c) => c.clone(),
            Children::None => Vec::new(),
            Children::Subtree => {
                if !(meets && own == Own::Here) {
                    self.want_subtree(at, urgency);
                }
                Vec::new()
            }
        };
        if children.is_empty() || would_do {
            match own {
                Own::Here => self.show(at, above),
                Own::Missing => self.want_content(at, urgency + 1e5),
                Own::Nothing | Own::Failed => {}
            }
            return Seen { all_renderable: matches!(own, Own::Here | Own::Nothing), any_shown_before: shown_before };
        }
        if own == Own::Missing {
            // On the way down a coarse picture first: the parent is asked for before its children.
            self.want_content(at, urgency + 1e6);
            if meets && !refined_before {
                // It would do and is not here; nothing finer was shown that could stand in.
                return Seen { all_renderable: false, any_shown_before: false };
            }
        }
        let mark = self.draw.len();
        let refined_mark = self.refined.clone();
        let mut seen = Seen { all_renderable: true, any_shown_before: false };
        let (now_s, fade_s) = (self.now_s, self.stream.fade_s);
        let leaves = node.content.as_ref().and_then(|u| self.stream.leaving.get(u)).map(|l| l.1).filter(|s| now_s - s < fade_s);
        let below = Above { meets, shown: above.shown || shown_before, leaves_s: leaves.or(above.leaves_s) };
        for child in children {
            let s = self.visit(child, below);
            seen.all_renderable &= s.all_renderable;
            seen.any_shown_before |= s.any_shown_before;
        }
        if comes || (!seen.all_renderable && !seen.any_shown_before && matches!(own, Own::Here | Own::Missing)) {
            // The children are not all here and none of them was on the screen: this one stands in for them, or, when
            // it is not here either, whoever is above. A part of the children alone would be a hole.
            self.draw.truncate(mark);
            self.refined = refined_mark;
            if own == Own::Here {
                self.show(at, above);
            }
            return Seen { all_renderable: own == Own::Here, any_shown_before: shown_before };
        }
        self.refined.insert(at);
        seen
    }
    fn want_subtree(&mut self, at: usize, urgency: f64) {
        let Some(url) = self.tree.subtree_url(at) else { return };
        if matches!(self.stream.content.get(&url), Some(State::Failed)) {
            return;
        }
        let layer = self.stream.layers[self.layer].name.clone();
        self.stream.want(url, RequestKind::Subtree, layer, urgency + 1e8);
        self.settled = false;
    }
}

/// What a node has of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Here,
    Missing,
    Failed,
    /// The tileset gives it no content.
    Nothing,
}

#[cfg(test)]
mod tests;
