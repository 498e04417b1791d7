#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use strata_model::*;
use strata_store::{Store, StoreError};

fn two_pipes() -> (tempfile::TempDir, Store, Layer) {
    let (dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 0.0, 100)).unwrap();
    w.put(&l.id, &pipe("b", 50.0, 100)).unwrap();
    w.commit().unwrap();
    (dir, store, l)
}

fn edit(store: &mut Store, l: &Layer, f: &Feature) {
    let mut w = store.begin("boris", "", at(1)).unwrap();
    w.put(&l.id, f).unwrap();
    w.commit().unwrap();
}

fn yes(_: &Proposal, _: Version) -> Result<(), String> {
    Ok(())
}

#[test]
fn a_proposal_is_kept_and_merged_after_a_second_check() {
    let (dir, mut store, l) = two_pipes();
    let nulls = Feature { attributes: vec![Value::Null; 4], valid: Interval::ALWAYS, ..pipe("d", 3.0, 0) };
    let changes = vec![
        (l.id.clone(), Change::Put(pipe("c", 9.0, 1))),
        (l.id.clone(), Change::Put(pipe("a", 0.0, 300))),
        (l.id.clone(), Change::Remove("b".into())),
        (l.id.clone(), Change::Put(pipe("c", 10.0, 200))), // the later of two counts
        (l.id.clone(), Change::Put(nulls.clone())),
    ];
    let p = store.create_proposal("新建雨水管", "anna", at(5), changes).unwrap();
    assert_eq!((p.base, p.state, p.changes.len()), (Version(1), ProposalState::Open, 4));
    assert_eq!(store.head().unwrap(), Version(1), "a proposal is no commit");
    edit(&mut store, &l, &pipe("e", 99.0, 1)); // someone else, elsewhere
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.proposal(&p.id).unwrap(), p);
    assert_eq!(store.proposals().unwrap(), std::slice::from_ref(&p));

    let refused = store.merge_proposal(&p.id, "chen", at(6), &mut |_, _| Err("净距不足".into())).unwrap_err();
    assert!(refused.code() == "refused" && refused.to_string().contains("净距不足"));
    assert_eq!((store.head().unwrap(), store.proposal(&p.id).unwrap().state), (Version(2), ProposalState::Open));

    let mut seen = None;
    let commit = store
        .merge_proposal(&p.id, "chen", at(7), &mut |q, head| {
            seen = Some((q.clone(), head));
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, Some((p.clone(), Version(2))));
    assert_eq!((commit.version, &commit.layers), (Version(3), &vec![(l.id.clone(), 3, 1)]));
    assert_eq!(store.get(&l.id, &"a".into(), None).unwrap(), Some(pipe("a", 0.0, 300)));
    assert_eq!(store.get(&l.id, &"c".into(), None).unwrap(), Some(pipe("c", 10.0, 200)));
    assert_eq!(store.get(&l.id, &"d".into(), None).unwrap(), Some(nulls));
    assert_eq!(store.get(&l.id, &"b".into(), None).unwrap(), None);
    assert_eq!(store.proposal(&p.id).unwrap().state, ProposalState::Merged);
    assert_eq!(store.merge_proposal(&p.id, "chen", at(8), &mut yes).unwrap_err().code(), "proposal-closed");
    assert_eq!(store.amend_proposal(&p.id, "chen", at(8), vec![]).unwrap_err().code(), "proposal-closed");
    let actions: Vec<_> = store.audit_rows(0, 100).unwrap().into_iter().map(|r| r.action).collect();
    assert_eq!(actions, ["commit", "proposal.create", "commit", "proposal.merge"]);
    store.integrity().unwrap();
}

#[test]
fn a_conflict_names_its_features_and_an_amendment_solves_it() {
    let (_dir, mut store, l) = two_pipes();
    let changes: Vec<_> = ["a", "b", "new"].map(|n| (l.id.clone(), Change::Put(pipe(n, 1.0, 500)))).to_vec();
    let p = store.create_proposal("t", "anna", at(2), changes.clone()).unwrap();
    edit(&mut store, &l, &pipe("a", 0.0, 150)); // changed
    edit(&mut store, &l, &pipe("new", 7.0, 150)); // added, then removed again
    let mut w = store.begin("boris", "", at(3)).unwrap();
    w.remove(&l.id, &"new".into()).unwrap();
    w.commit().unwrap();
    match store.merge_proposal(&p.id, "anna", at(4), &mut |_, _| panic!("not checked when in conflict")) {
        Err(e @ StoreError::Conflict { .. }) => {
            assert_eq!(e.code(), "conflict");
            assert!(e.to_string().contains("pipes/a, pipes/new") && !e.to_string().contains("pipes/b"), "{e}");
        }
        other => panic!("{other:?}"),
    }
    let head = store.head().unwrap();
    let p = store.amend_proposal(&p.id, "anna", at(5), changes).unwrap();
    assert_eq!((p.base, store.proposal(&p.id).unwrap()), (head, p.clone()));
    store.merge_proposal(&p.id, "anna", at(6), &mut yes).unwrap();
    assert_eq!(store.get(&l.id, &"a".into(), None).unwrap(), Some(pipe("a", 1.0, 500)));
}

#[test]
fn unsound_proposals_are_refused_and_dropped_ones_stay_readable() {
    let (_dir, mut store, l) = two_pipes();
    let mut code = |c: (LayerId, Change)| store.create_proposal("t", "anna", at(2), vec![c]).unwrap_err().code();
    assert_eq!(code((l.id.clone(), Change::Remove("nobody".into()))), "not-found");
    assert_eq!(code((id("nowhere"), Change::Put(pipe("a", 0.0, 1)))), "not-found");
    assert_eq!(code((l.id.clone(), Change::Put(Feature { attributes: vec![], ..pipe("a", 0.0, 1) }))), "invalid");
    assert!(store.proposals().unwrap().is_empty());
    assert_eq!(store.proposal("x").unwrap_err().code(), "not-found");

    let p = store.create_proposal("t", "anna", at(2), vec![(l.id.clone(), Change::Remove("a".into()))]).unwrap();
    store.drop_proposal(&p.id, "anna", at(3)).unwrap();
    assert_eq!(store.proposal(&p.id).unwrap(), Proposal { state: ProposalState::Dropped, ..p.clone() });
    assert_eq!(store.drop_proposal(&p.id, "anna", at(3)).unwrap_err().code(), "proposal-closed");
    assert_eq!(store.merge_proposal(&p.id, "anna", at(3), &mut yes).unwrap_err().code(), "proposal-closed");
    assert!(store.get(&l.id, &"a".into(), None).unwrap().is_some());
}

#[test]
fn a_proposal_outlives_new_fields() {
    let (_dir, mut store, mut l) = two_pipes();
    let p = store.create_proposal("t", "anna", at(2), vec![(l.id.clone(), Change::Put(pipe("n", 0.0, 7)))]).unwrap();
    l.fields.insert(0, Field::new("owner", FieldKind::Text, "权属", "owner"));
    let mut w = store.begin("anna", "", at(3)).unwrap();
    w.layer(&l).unwrap();
    w.commit().unwrap();
    store.merge_proposal(&p.id, "anna", at(4), &mut yes).unwrap();
    let n = store.get(&l.id, &"n".into(), None).unwrap().unwrap();
    assert_eq!((n.value(&l, "owner"), n.number(&l, "dn_mm")), (Some(&Value::Null), Some(7.0)));
}

#[test]
fn a_backup_is_a_city() {
    let (dir, mut store, l) = two_pipes();
    edit(&mut store, &l, &pipe("a", 4.0, 1));
    let to = dir.path().join("copies/monday");
    store.backup(&to).unwrap();
    assert_eq!(store.backup(&to).unwrap_err().code(), "exists");
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1, "one file");
    let mut copy = Store::open(&to).unwrap();
    copy.integrity().unwrap();
    assert_eq!((copy.meta(), copy.log().unwrap()), (store.meta(), store.log().unwrap()));
    assert_eq!(copy.history(&l.id, &"a".into()).unwrap(), store.history(&l.id, &"a".into()).unwrap());
    edit(&mut copy, &l, &pipe("a", 5.0, 1));
    assert_eq!((copy.head().unwrap(), store.head().unwrap()), (Version(3), Version(2)));
}

#[test]
fn integrity_notices_what_went_round_the_record() {
    for (sql, word) in [
        ("DELETE FROM pipes WHERE id = 'a'", "features of pipes"),
        ("DELETE FROM rtree_pipes_geom", "R-tree"),
        ("UPDATE rtree_pipes_geom SET minx = 3000, maxx = 3001", "R-tree"),
        ("UPDATE pipes SET since = 9 WHERE id = 'b'", "version that is not there"),
        ("UPDATE pipes_history SET since = until", "not in order"),
        ("DELETE FROM strata_commits WHERE version = 1", "commits"),
    ] {
        let (dir, mut store, l) = two_pipes();
        edit(&mut store, &l, &pipe("a", 4.0, 1));
        store.integrity().unwrap();
        drop(store);
        let raw = rusqlite::Connection::open(dir.path().join("record.gpkg")).unwrap();
        let triggers = ["insert", "update1", "update2", "update3", "update4", "delete"];
        triggers.iter().for_each(|t| raw.execute_batch(&format!("DROP TRIGGER rtree_pipes_geom_{t}")).unwrap());
        assert!(raw.execute(sql, []).unwrap() > 0);
        drop(raw);
        let e = Store::open(dir.path()).unwrap().integrity().unwrap_err();
        assert!(e.code() == "damaged" && e.to_string().contains(word), "{sql}: {e}");
    }
}
