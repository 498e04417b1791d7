//! The permit of a pipe, walked from application to archive, and every way in which it must not go.

use proptest::prelude::*;
use serde_json::{Value, json};
use strata_civic::*;
use strata_model::{Case, Instant, Version};

fn permit() -> Definition {
    built_in().expect("sound").into_iter().find(|d| d.id == "pipe-permit").expect("the permit")
}

fn day(text: &str) -> Instant {
    Instant::parse(text).expect("a time")
}

fn case() -> Case {
    Case {
        id: "c1".into(),
        definition: "pipe-permit".into(),
        edition: 1,
        title: "DN300 给水".into(),
        opened: day("2026-03-02T01:00:00Z"),
        opened_by: "keeper".into(),
        start_state: "draft".into(),
        place: None,
        proposal: Some("p1".into()),
        events: Vec::new(),
    }
}

fn facts() -> Facts {
    Facts { proposal_open: true, head: Version(7), changed_after: 0, automatic: false }
}

fn ask(case: &Case, step: &str, role: &str, detail: Value) -> StepAsked {
    StepAsked { step: step.into(), role: role.into(), after: case.events.len() as u64, reason: Some("因为".into()), detail }
}

/// Takes a step, or says why not.
fn take(case: &mut Case, step: &str, role: &str, detail: Value, facts: &Facts) -> Result<(), CivicError> {
    let at = day("2026-03-03T01:00:00Z");
    let event = advance(&permit(), case, &ask(case, step, role, detail), facts, "keeper", at)?;
    case.events.push(event);
    Ok(())
}

fn check(violations: &[&str], parties: &[&str]) -> Value {
    json!({ "version": 7, "violations": violations, "parties": parties })
}

fn in_review(violations: &[&str], parties: &[&str]) -> Case {
    let mut c = case();
    for (step, role, detail) in [
        ("submit", "applicant", Value::Null),
        ("accept", "clerk", Value::Null),
        ("check", "reviewer", check(violations, parties)),
        ("review", "reviewer", Value::Null),
    ] {
        take(&mut c, step, role, detail, &facts()).unwrap_or_else(|e| panic!("{step}: {e}"));
    }
    c
}

#[test]
fn a_sound_permit_goes_from_application_to_archive() {
    let mut c = in_review(&[], &["水务集团", "燃气公司"]);
    for (step, role, detail) in [
        ("agree", "owner", json!({ "party": "水务集团" })),
        ("agree", "owner", json!({ "party": "燃气公司" })),
        ("approve", "approver", Value::Null),
        ("issue", "clerk", Value::Null),
        ("start", "applicant", json!({ "duty_contact": "值班室" })),
        ("survey", "surveyor", json!({ "worst_plan_m": 0.04 })),
        ("merge", "reviewer", Value::Null),
        ("archive", "archivist", Value::Null),
    ] {
        take(&mut c, step, role, detail, &facts()).unwrap_or_else(|e| panic!("{step}: {e}"));
    }
    assert_eq!(c.state(), "archived");
    assert_eq!(c.events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    let view = CaseView::of(&permit(), &c, &Calendar::default(), day("2026-09-01"));
    assert!(view.steps.is_empty() && view.clock.due_day.is_none(), "an end has no clock and no way out: {view:?}");
}

#[test]
fn what_is_not_ready_is_not_approved() {
    let needs = |r: Result<(), CivicError>| match r {
        Err(CivicError::Needs { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    // An owner is silent, then objects, then agrees after all.
    let mut c = in_review(&[], &["水务集团"]);
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &facts())).contains("水务集团"));
    assert!(needs(take(&mut c, "agree", "owner", json!({ "party": "路人" }), &facts())).contains("party"));
    take(&mut c, "object", "owner", json!({ "party": "水务集团" }), &facts()).expect("heard");
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &facts())).contains("水务集团"));
    take(&mut c, "agree", "owner", json!({ "party": "水务集团" }), &facts()).expect("heard");
    // The city has changed since the check; a new check asks the owner no second time.
    let newer = Facts { head: Version(8), ..facts() };
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &newer)).contains("today's city"));
    let again = json!({ "version": 8, "violations": ["clearance:a~b"], "parties": ["水务集团"] });
    take(&mut c, "check", "reviewer", again, &newer).expect("checked again");
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &newer)).contains("clearance:a~b"));
    // An exception names a violation that there is, and the document that allows it.
    assert!(
        needs(take(&mut c, "except", "approver", json!({ "violation": "other", "approval": "长规〔2026〕1" }), &newer))
            .contains("violation")
    );
    assert!(needs(take(&mut c, "except", "approver", json!({ "violation": "clearance:a~b" }), &newer)).contains("approval"));
    take(&mut c, "except", "approver", json!({ "violation": "clearance:a~b", "approval": "长规〔2026〕1" }), &newer).expect("excepted");
    // The proposal was changed after the check, or is gone.
    let changed = Facts { changed_after: c.events.len() as u64, ..newer };
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &changed)).contains("as it now is"));
    assert!(needs(take(&mut c, "approve", "approver", Value::Null, &Facts { proposal_open: false, ..newer })).contains("proposal"));
    take(&mut c, "approve", "approver", Value::Null, &newer).expect("approved");
}

#[test]
fn a_replayed_approval_a_wrong_role_and_a_step_out_of_turn_change_nothing() {
    let mut c = in_review(&[], &[]);
    let asked = ask(&c, "approve", "approver", Value::Null);
    let at = day("2026-03-04");
    let event = advance(&permit(), &c, &asked, &facts(), "keeper", at).expect("approved");
    c.events.push(event);
    let seen = c.clone();
    assert_eq!(advance(&permit(), &c, &asked, &facts(), "keeper", at), Err(CivicError::Stale { asked: 4, found: 5 }));
    assert!(matches!(take(&mut c, "approve", "approver", Value::Null, &facts()), Err(CivicError::NotNow { .. })));
    assert!(matches!(take(&mut c, "issue", "applicant", Value::Null, &facts()), Err(CivicError::WrongRole { .. })));
    assert!(matches!(take(&mut c, "fly", "applicant", Value::Null, &facts()), Err(CivicError::NoStep { .. })));
    let silent = StepAsked { reason: Some("  ".into()), ..ask(&c, "cancel", "applicant", Value::Null) };
    assert!(matches!(advance(&permit(), &c, &silent, &facts(), "keeper", at), Err(CivicError::NoReason { .. })));
    assert_eq!(c, seen);
}

#[test]
fn a_case_sent_back_asks_its_owners_again() {
    let mut c = in_review(&[], &["水务集团"]);
    take(&mut c, "agree", "owner", json!({ "party": "水务集团" }), &facts()).expect("heard");
    take(&mut c, "return", "reviewer", Value::Null, &facts()).expect("returned");
    for (step, role, detail) in [
        ("submit", "applicant", Value::Null),
        ("accept", "clerk", Value::Null),
        ("check", "reviewer", check(&[], &["水务集团"])),
        ("review", "reviewer", Value::Null),
    ] {
        take(&mut c, step, role, detail, &facts()).unwrap_or_else(|e| panic!("{step}: {e}"));
    }
    assert_eq!(parties(&permit(), &c)["水务集团"], None);
    let view = CaseView::of(&permit(), &c, &Calendar::default(), day("2026-03-03"));
    assert_eq!(view.reworked, 1);
}

#[test]
fn clocks_run_on_working_days_and_stand_still_while_the_applicant_works() {
    // 2026-03-06 was a Friday; the city is eight hours ahead: 17:00 UTC on Friday is Saturday there.
    let calendar = Calendar { utc_offset_h: 8, ..Calendar::default() };
    assert_eq!(calendar.day(day("2026-03-06T17:00:00Z")), day("2026-03-07").day());
    assert!(calendar.works(day("2026-03-06").day()) && !calendar.works(day("2026-03-07").day()));
    assert_eq!(calendar.after(day("2026-03-06").day(), 2), day("2026-03-10").day(), "Monday and Tuesday");
    let holiday =
        Calendar { days_off: [day("2026-03-09").day()].into(), days_worked: [day("2026-03-08").day()].into(), ..calendar.clone() };
    assert_eq!(holiday.after(day("2026-03-06").day(), 2), day("2026-03-10").day(), "the worked Sunday for the Monday off");
    assert_eq!(calendar.between(day("2026-03-02").day(), day("2026-03-30").day()), 20, "four weeks");
    assert_eq!(calendar.between(day("2026-03-30").day(), day("2026-03-02").day()), -20);

    let mut c = case();
    let at = |c: &mut Case, step: &str, role: &str, when: &str| {
        let e = advance(&permit(), c, &ask(c, step, role, check(&[], &[])), &facts(), "keeper", day(when)).expect("taken");
        c.events.push(e);
    };
    at(&mut c, "submit", "applicant", "2026-03-06T02:00:00Z");
    let clock = Clock::of(&permit(), &c, &calendar, day("2026-03-06T03:00:00Z"));
    assert_eq!((clock.due_day, clock.days_left), (Some(day("2026-03-10").day()), Some(2)));
    at(&mut c, "accept", "clerk", "2026-03-09T02:00:00Z");
    at(&mut c, "return", "reviewer", "2026-03-10T02:00:00Z");
    // Half a year with the applicant costs the office nothing.
    let waiting = Clock::of(&permit(), &c, &calendar, day("2026-09-10T02:00:00Z"));
    assert_eq!((waiting.due_day, waiting.days_spent), (None, 2));
    at(&mut c, "submit", "applicant", "2026-09-10T02:00:00Z");
    let late = Clock::of(&permit(), &c, &calendar, day("2026-09-16T02:00:00Z"));
    assert_eq!((late.days_left, late.days_spent), (Some(-2), 6), "due on Monday the 14th, asked on Wednesday");
}

#[test]
fn definitions_that_cannot_work_are_refused_with_the_reason() {
    let text = include_str!("../../../data/systems/pipes/permit.toml");
    Definition::parse(text).expect("sound");
    for (old, new, reason) in [
        ("from = [\"approved\"], to = \"issued\"", "from = [\"approved\"], to = \"nowhere\"", "unknown state `nowhere`"),
        ("to = \"issued\", role = \"clerk\"", "to = \"issued\", role = \"king\"", "unknown role `king`"),
        ("title_en = \"draft\", start = true", "title_en = \"draft\"", "exactly one state is the start"),
        ("id = \"agree\"", "id = \"check\"", "stands twice"),
        (
            "to = \"under_construction\", role = \"reviewer\", reason = true, rework = true",
            "to = \"under_construction\", role = \"reviewer\", reason = true",
            "in circles",
        ),
        ("from = [\"merged\"], to = \"archived\"", "from = [\"archived\"], to = \"merged\"", "leaves the end"),
        ("from = [\"approved\"], to = \"issued\"", "from = [\"approved\"], to = \"approved\"", "no case ever comes to"),
        ("proposal = true", "proposal = false", "about a proposal"),
    ] {
        let broken = text.replacen(old, new, 1);
        let out = Definition::parse(&broken);
        assert_ne!(broken, text, "{old} no longer stands in the definition");
        match out {
            Err(CivicError::Unsound { reason: r, .. }) => assert!(r.contains(reason), "{old} → {new}: {r}"),
            other => panic!("{old} → {new}: {other:?}"),
        }
    }
    assert!(matches!(Definition::parse("id = 3"), Err(CivicError::Unreadable(_))));
}

proptest! {
    /// Whatever is asked in whatever order: every event starts where the last one ended, and an end is the end.
    #[test]
    fn any_order_of_steps_leaves_a_sound_case(asked in prop::collection::vec((0usize..20, 0usize..8, any::<bool>()), 1..60)) {
        let d = permit();
        let mut c = case();
        for (s, r, good) in asked {
            let Some(step) = d.steps.get(s) else { continue };
            let role = if good { step.role.clone() } else { d.roles[r % d.roles.len()].id.clone() };
            let detail = json!({ "version": 7, "violations": [], "parties": ["a"], "party": "a", "duty_contact": "x" });
            let ended = d.state(c.state()).expect("a state").end.is_some();
            let was = c.state().to_owned();
            if let Ok(e) = advance(&d, &c, &ask(&c, &step.id, &role, detail), &facts(), "keeper", day("2026-03-03")) {
                prop_assert!(!ended && e.from == was && role == step.role);
                c.events.push(e);
            }
            prop_assert!(d.state(c.state()).is_some());
        }
    }
}

#[test]
fn an_alarms_definition_that_runs_in_circles_is_refused_and_its_clock_runs_at_night() {
    let text = include_str!("../../../data/systems/pipes/alarm.toml");
    let d = Definition::parse(text).expect("sound");
    for (old, new, reason) in [
        ("reason = true, rework = true", "reason = true", "in circles"),
        ("clock_minutes = 30", "clock_minutes = 30, clock_days = 1", "two clocks"),
        ("to = \"closed\"", "to = \"repaired\"", "can never end"),
    ] {
        let broken = text.replacen(old, new, 1);
        assert_ne!(broken, text, "{old} no longer stands in the definition");
        match Definition::parse(&broken) {
            Err(CivicError::Unsound { reason: r, .. }) => assert!(r.contains(reason), "{old}: {r}"),
            other => panic!("{old}: {other:?}"),
        }
    }
    // 2026-03-07 was a Saturday.
    let opened = day("2026-03-07T17:50:00Z");
    let mut c = Case { definition: d.id.clone(), opened, start_state: "open".into(), proposal: None, ..case() };
    let clock = |c: &Case, at: &str| Clock::of(&d, c, &Calendar::default(), day(at));
    let late = clock(&c, "2026-03-07T18:20:01Z");
    assert_eq!((late.due_at, late.minutes_left, late.due_day), (Some(day("2026-03-07T18:20:00Z")), Some(-1), None));
    // The step of the rules is theirs alone, and nobody else's is.
    let taken = |c: &Case, step: &str, role: &str, automatic: bool| {
        let facts = Facts { automatic, ..Facts::default() };
        advance(&d, c, &ask(c, step, role, json!({ "alarm": 1 })), &facts, "x", opened)
    };
    assert!(matches!(taken(&c, "raise", "rules", false), Err(CivicError::WrongRole { .. })));
    assert!(matches!(taken(&c, "acknowledge", "duty", true), Err(CivicError::WrongRole { .. })));
    c.events.push(taken(&c, "raise", "rules", true).expect("raised"));
    // A further alarm does not set the clock anew.
    assert_eq!(clock(&c, "2026-03-07T18:10:00Z").minutes_left, Some(10));
}
