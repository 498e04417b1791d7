//! The watch: applies the rules to what has just been kept and to the clock, raises alarms and ends them.

use super::{
    rules::{self, Reading, Rule, Test, Verdict},
    tell,
};
use crate::{
    CityState, geojson,
    sta::{Catalog, Set, moment},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};
use strata_civic::{Definition, Facts, StepAsked, Takes};
use strata_model::{Case, CaseEvent, Geometry, Instant, Scope};
use strata_store::{Alarm, AlarmCase, NewAlarm, NewCase, Observation};

/// Groups of observations that may wait for the watch.
const QUEUE: usize = 256;
const TICK: Duration = Duration::from_secs(2);
/// What is older when it comes is kept, but raises no alarm: the moment to act on it has gone.
const LATE_MS: i64 = 3600_000;
/// The definition of the cases that alarms open.
const CASE: &str = "pipe-alarm";
/// Readings of one stream that are looked at.
const READINGS: usize = 4096;

/// How what is kept comes to the watch. Until one is on duty nothing is queued.
#[derive(Default)]
pub struct Watch {
    queue: Mutex<Option<SyncSender<Arc<[Observation]>>>>,
}

impl Watch {
    /// In the writer's thread. When the watch cannot follow, the writer waits for it rather than leave it blind.
    pub fn saw(&self, all: &[Observation]) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return };
        match queue.try_send(all.into()) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(all)) => {
                let _ = queue.send(all);
            }
        }
    }
}

/// Puts a watch on duty over a city, until the city is closed.
pub fn watch(state: &Arc<CityState>) -> Result<(), crate::ServerError> {
    let Some(live) = &state.live else { return Ok(()) };
    let rules = rules::read(include_str!("../../../../data/rules/alarms.csv")).map_err(crate::ServerError::Rules)?;
    let (sender, receiver) = sync_channel(QUEUE);
    *live.watch.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    let known = strata_civic::built_in().map_err(|e| crate::ServerError::Cases(e.to_string()))?;
    let definition = known.into_iter().find(|d| d.id == CASE).ok_or_else(|| crate::ServerError::Cases(format!("there is no `{CASE}`")))?;
    let mut guard = Guard { rules, definition, kinds: HashMap::new(), of: None, streams: HashMap::new(), open: HashSet::new() };
    guard.remember(state);
    let state = Arc::downgrade(state);
    std::thread::Builder::new().name("watch".into()).spawn(move || duty(&state, &receiver, guard)).map_err(crate::ServerError::Listen)?;
    Ok(())
}

fn duty(state: &Weak<CityState>, queue: &Receiver<Arc<[Observation]>>, mut guard: Guard) {
    let mut ticked = std::time::Instant::now();
    loop {
        let seen = match queue.recv_timeout(TICK) {
            Ok(all) => Some(all),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(state) = state.upgrade() else { return };
        if let Some(all) = seen {
            guard.readings(&state, &all);
        }
        if ticked.elapsed() >= TICK {
            guard.clock(&state);
            ticked = std::time::Instant::now();
        }
    }
}

struct Guard {
    rules: Vec<Rule>,
    definition: Definition,
    /// The quantity that each stream measures, as of a catalog.
    kinds: HashMap<Arc<str>, Arc<str>>,
    of: Option<Arc<Catalog>>,
    streams: HashMap<Arc<str>, VecDeque<Reading>>,
    /// Rule and stream of every alarm that is not over.
    open: HashSet<(usize, Arc<str>)>,
}

impl Guard {
    /// After a start: which alarms are open, and when each stream last spoke.
    fn remember(&mut self, state: &CityState) {
        match state.store().alarms(None, None, usize::MAX) {
            Ok(all) => {
                let place: BTreeMap<&str, usize> = self.rules.iter().enumerate().map(|(i, r)| (r.id.as_str(), i)).collect();
                self.open = all
                    .iter()
                    .filter(|a| a.over_at.is_none())
                    .filter_map(|a| Some((*place.get(a.rule.as_str())?, a.stream.as_str().into())))
                    .collect();
            }
            Err(e) => tracing::error!(error = %e, "the open alarms cannot be read"),
        }
        let seen = state.live.as_ref().map(|l| l.observations.last_seen());
        for (stream, at) in seen.and_then(Result::ok).unwrap_or_default() {
            self.streams.entry(stream).or_default().push_back(Reading { at, value: f64::NAN });
        }
    }

    fn kind(&mut self, state: &CityState, stream: &Arc<str>) -> Arc<str> {
        if let Ok(catalog) = Catalog::of(state, &Scope::everything())
            && !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &catalog))
        {
            self.kinds = catalog.kinds();
            self.of = Some(catalog);
        }
        self.kinds.get(stream).cloned().unwrap_or_else(|| "".into())
    }

    fn readings(&mut self, state: &CityState, all: &[Observation]) {
        let now = state.now();
        let keep = self.rules.iter().map(|r| r.window_ms).max().unwrap_or(0) * 2;
        let mut touched: Vec<Arc<str>> = Vec::new();
        for o in all.iter().filter(|o| o.at.0 >= now.0 - LATE_MS) {
            let readings = self.streams.entry(o.stream.clone()).or_default();
            // What an earlier run has seen is known by its time alone.
            readings.retain(|r| !r.value.is_nan() || r.at > o.at);
            if readings.back().is_some_and(|last| last.at >= o.at) {
                continue;
            }
            readings.push_back(Reading { at: o.at, value: o.result });
            while readings.len() > READINGS || readings.front().is_some_and(|r| r.at.0 < o.at.0 - keep) {
                readings.pop_front();
            }
            if touched.last() != Some(&o.stream) {
                touched.push(o.stream.clone());
            }
        }
        touched.sort();
        touched.dedup();
        for stream in touched {
            self.judge(state, &stream, now, false);
        }
    }

    fn clock(&mut self, state: &CityState) {
        let now = state.now();
        let streams: Vec<Arc<str>> = self.streams.keys().cloned().collect();
        for stream in streams {
            self.judge(state, &stream, now, true);
        }
    }

    fn judge(&mut self, state: &CityState, stream: &Arc<str>, now: Instant, clock: bool) {
        let kind = self.kind(state, stream);
        let Some(readings) = self.streams.get(stream) else { return };
        let known = readings.iter().all(|r| !r.value.is_nan());
        for (i, rule) in self.rules.iter().enumerate() {
            if !rule.is_about(&kind) || (rule.test != Test::Silence && (clock || !known)) {
                continue;
            }
            let key = (i, stream.clone());
            match (rule.judge(readings, now), self.open.contains(&key)) {
                // Silence is found by the clock; what arrives can only end it.
                (Verdict::Holds(_), false) if rule.test == Test::Silence && !clock => {}
                (Verdict::Holds(evidence), false) => {
                    if raise(state, &self.definition, rule, stream, &evidence, now) {
                        self.open.insert(key);
                    }
                }
                (Verdict::Over, true) => {
                    if over(state, rule, stream, now) {
                        self.open.remove(&key);
                    }
                }
                _ => {}
            }
        }
    }
}

fn raise(state: &CityState, definition: &Definition, rule: &Rule, stream: &Arc<str>, evidence: &[Reading], now: Instant) -> bool {
    let shown = |r: &Reading| json!([moment(r.at), if r.value.is_finite() { json!(r.value) } else { Value::Null }]);
    let new = NewAlarm {
        rule: rule.id.clone(),
        stream: stream.to_string(),
        level: rule.level,
        confidence: rule.confidence,
        since: evidence.first().map_or(now, |r| r.at),
        detail: json!({
            "title_zh": rule.title_zh, "title_en": rule.title_en, "test": format!("{:?}", rule.test).to_lowercase(),
            "threshold": rule.threshold, "window_s": rule.window_ms / 1000, "source": rule.source,
            "evidence": evidence.iter().map(shown).collect::<Vec<_>>(),
        }),
    };
    let (target, place) = watched(state, stream);
    let within = AlarmCase {
        target: &target,
        case: NewCase {
            definition: &definition.id,
            edition: definition.edition,
            title: &format!("{} {target}", rule.title_zh),
            start_state: definition.start().map_or("", |s| s.id.as_str()),
            place,
            proposal: None,
        },
        event: &|alarm, case| taken(definition, alarm, case, &target, now),
    };
    let raised = state.store().raise_alarm(&new, Some(&within), now);
    match raised {
        Ok(alarm) => {
            tell(state, &alarm);
            true
        }
        Err(e) => {
            tracing::error!(rule = rule.id, error = %e, "an alarm could not be raised; it is tried again");
            false
        }
    }
}

/// What the stream watches, and where; a stream that is bound to nothing is watched for itself.
fn watched(state: &CityState, stream: &str) -> (String, Option<Geometry>) {
    let Ok(catalog) = Catalog::of(state, &Scope::everything()) else { return (stream.into(), None) };
    let about = catalog.get(Set::Datastreams, stream).map(|e| &e.body["properties"]);
    let word = |name: &str| about.and_then(|a| a[name].as_str());
    let target = word("target_layer").zip(word("target_id")).map_or_else(|| stream.to_owned(), |(layer, id)| format!("{layer}/{id}"));
    let place = catalog.interest_of(stream).and_then(|e| e.body.get("feature")).filter(|g| g["type"] == "Point");
    (target, place.and_then(|g| geojson::geometry_from(g, &state.frame, "").ok()))
}

/// The event by which a case takes an alarm, unless it is at its end.
fn taken(definition: &Definition, alarm: &Alarm, case: &Case, target: &str, now: Instant) -> Option<CaseEvent> {
    let step = definition.steps_from(case.state()).find(|s| s.takes == Some(Takes::Alarm))?;
    let mut detail = json!({
        "alarm": alarm.id, "rule": alarm.rule, "datastream": alarm.stream, "target": target, "level": alarm.level,
        "confidence": alarm.confidence, "since": moment(alarm.since),
    });
    if let (Some(detail), Some(more)) = (detail.as_object_mut(), alarm.detail.as_object()) {
        detail.extend(more.clone());
    }
    let asked = StepAsked { step: step.id.clone(), role: step.role.clone(), after: case.events.len() as u64, reason: None, detail };
    strata_civic::advance(definition, case, &asked, &Facts { automatic: true, ..Facts::default() }, strata_store::RULES, now).ok()
}

fn over(state: &CityState, rule: &Rule, stream: &Arc<str>, now: Instant) -> bool {
    let ended = state.store().end_alarm(&rule.id, stream, now);
    match ended {
        Ok(Some(alarm)) => {
            tell(state, &alarm);
            true
        }
        Ok(None) => true,
        Err(e) => {
            tracing::error!(rule = rule.id, error = %e, "an alarm could not be ended; it is tried again");
            false
        }
    }
}
