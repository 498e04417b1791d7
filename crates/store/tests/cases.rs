#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use strata_model::*;
use strata_store::{Effect, NewCase, Store, StoreError};

fn new<'a>(proposal: Option<&'a str>) -> NewCase<'a> {
    let place = Some(Geometry::Point([443_000.0, 4_862_000.0, 200.0]));
    NewCase { definition: "pipe-permit", edition: 1, title: "新建给水管", start_state: "draft", place, proposal }
}

fn event(case: &Case, to: &str) -> CaseEvent {
    CaseEvent {
        seq: case.events.len() as u64 + 1,
        step: "go".into(),
        from: case.state().into(),
        to: to.into(),
        role: "clerk".into(),
        actor: "anna".into(),
        at: at(9),
        reason: Some("因为".into()),
        detail: serde_json::json!({ "n": 1 }),
    }
}

fn step(store: &mut Store, id: &str, to: &str, with: Effect) -> Result<(Case, Option<Commit>), StoreError> {
    store.step_case(id, "anna", at(9), &mut |c, _, _| Ok((event(c, to), with)))
}

fn city_with_pipe() -> (tempfile::TempDir, Store, Proposal) {
    let (dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 0.0, 100)).unwrap();
    w.commit().unwrap();
    let p = store.create_proposal("t", "anna", at(1), vec![(l.id.clone(), Change::Put(pipe("a", 0.0, 300)))]).unwrap();
    (dir, store, p)
}

fn actions(store: &Store) -> Vec<String> {
    store.audit_rows(0, 100).unwrap().into_iter().map(|r| r.action).collect()
}

#[test]
fn a_case_keeps_its_events_and_merges_with_the_last_of_them() {
    let (dir, mut store, p) = city_with_pipe();
    let c = store.open_case(&new(Some(&p.id)), "anna", at(2)).unwrap();
    assert_eq!((c.state(), c.proposal.as_deref(), c.events.len()), ("draft", Some(p.id.as_str()), 0));
    // One proposal, one case.
    assert_eq!(store.open_case(&new(Some(&p.id)), "anna", at(2)).unwrap_err().code(), "refused");
    assert_eq!(store.open_case(&new(Some("nothing")), "anna", at(2)).unwrap_err().code(), "not-found");
    step(&mut store, &c.id, "submitted", Effect::Leave).unwrap();
    let refused = store.step_case(&c.id, "anna", at(9), &mut |c, p, head| {
        assert_eq!((c.state(), p.map(|p| p.changes.len()), head), ("submitted", Some(1), Version(1)));
        Err(StoreError::Refused { id: c.id.clone(), reason: "不行".into() })
    });
    assert_eq!(refused.unwrap_err().code(), "refused");
    let (done, commit) = step(&mut store, &c.id, "merged", Effect::Merge).unwrap();
    assert_eq!((done.state(), done.events.len(), commit.unwrap().version), ("merged", 2, Version(2)));
    assert_eq!(store.get(&id("pipes"), &"a".into(), None).unwrap(), Some(pipe("a", 0.0, 300)));
    assert_eq!(actions(&store), ["commit", "proposal.create", "case.open", "case.step", "case.step", "proposal.merge"]);
    drop(store);
    let store = Store::open_read_only(dir.path()).unwrap();
    assert_eq!(store.case(&c.id).unwrap(), done);
    assert_eq!(store.cases(None, Some("merged"), 10, 0).unwrap(), [done]);
    assert_eq!((store.cases(None, Some("draft"), 10, 0).unwrap(), store.cases(None, None, 10, 1).unwrap()), (vec![], vec![]));
    store.verify_audit().unwrap();
    store.integrity().unwrap();
}

#[test]
fn a_merge_that_meets_a_conflict_leaves_neither_event_nor_audit_row() {
    let (_dir, mut store, p) = city_with_pipe();
    let c = store.open_case(&new(Some(&p.id)), "anna", at(2)).unwrap();
    let mut w = store.begin("boris", "", at(3)).unwrap();
    w.put(&id("pipes"), &pipe("a", 0.0, 150)).unwrap();
    w.commit().unwrap();
    let before = (actions(&store), store.case(&c.id).unwrap());
    assert_eq!(step(&mut store, &c.id, "merged", Effect::Merge).unwrap_err().code(), "conflict");
    assert_eq!((actions(&store), store.case(&c.id).unwrap()), before);
    // Dropping it needs no agreement with today's city.
    step(&mut store, &c.id, "cancelled", Effect::Drop).unwrap();
    assert_eq!(store.proposal(&p.id).unwrap().state, ProposalState::Dropped);
    assert_eq!(step(&mut store, &c.id, "merged", Effect::Merge).unwrap_err().code(), "refused");
}

#[test]
fn a_record_without_cases_answers_that_there_are_none() {
    let (dir, store) = city();
    drop(store);
    // As a program before there were cases left it.
    let raw = rusqlite::Connection::open(dir.path().join("record.gpkg")).unwrap();
    raw.execute_batch("DROP TABLE strata_cases; DROP TABLE strata_case_events").unwrap();
    drop(raw);
    let store = Store::open_read_only(dir.path()).unwrap();
    assert_eq!(store.cases(None, None, 10, 0).unwrap(), []);
    assert_eq!(store.case("x").unwrap_err().code(), "not-found");
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    store.open_case(&new(None), "anna", at(2)).unwrap();
    assert_eq!(store.cases(None, None, 10, 0).unwrap().len(), 1);
}
