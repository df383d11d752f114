//! What people read of a change.

use insta::assert_snapshot;

use super::*;

fn rules(members: &str) -> Rules {
    let comma = if members.is_empty() { "" } else { "," };
    let json = format!("{{\"version\": 1, \"channel\": \"news\"{comma}{members}}}");
    Rules::read(json.as_bytes()).unwrap()
}

fn told(from: &str, to: &str) -> String {
    let changes = changes(&rules(from), &rules(to));
    let now = UnixMicros::read("2026-11-21T06:48:00Z").unwrap();
    let changes = &changes;
    Told { changes, now }.to_string()
}

#[test]
fn breaks_are_told_in_the_order_in_which_they_begin() {
    let from = r#""schedule": [
        {"name": "morning", "at": "2026-11-21T07:00:00Z", "duration_ms": 30000},
        {"name": "noon", "at": "2026-11-21T12:00:00Z", "duration_ms": 60000},
        {"name": "tea", "at": "2026-11-21T16:00:00Z", "duration_ms": 60000},
        {"name": "night", "at": "2026-11-21T23:59:00Z", "duration_ms": 60000},
        {"name": "same", "at": "2026-11-22T09:00:00Z", "duration_ms": 60000}]"#;
    let to = r#""schedule": [
        {"name": "same", "at": "2026-11-22T09:00:00Z", "duration_ms": 60000},
        {"name": "night", "at": "2026-11-22T00:01:30Z", "duration_ms": 90000},
        {"name": "evening", "at": "2026-11-21T18:00:00Z", "duration_ms": 60000},
        {"name": "tea", "at": "2026-11-21T16:00:00Z", "duration_ms": 45500},
        {"name": "noon", "at": "2026-11-21T11:55:00Z", "duration_ms": 60000}]"#;
    assert_snapshot!(told(from, to), @r"
      - morning  is cancelled: 2026-11-21 07:00:00 UTC (in 12 min), for 30 s
      > noon     moves from 12:00:00 to 2026-11-21 11:55:00 UTC (in 5 h 7 min), 5 min earlier
      ~ tea      at 2026-11-21 16:00:00 UTC (in 9 h 12 min): 45.5 s instead of 1 min
      + evening  is new: 2026-11-21 18:00:00 UTC (in 11 h 12 min), for 1 min
      > night    moves from 2026-11-21 23:59:00 UTC to 2026-11-22 00:01:30 UTC (in 17 h 13 min), 2 min 30 s later; 1 min 30 s instead of 1 min
    ");
}

#[test]
fn fill_and_rules_are_told_by_what_they_do() {
    let from = r#""openers": ["splice_insert", "provider_po"], "restrictions": ["skip"], "exempt": ["premium", "staff"],
        "fill": {"pod": [{"creative": "acme-30", "duration_ms": 30000}], "rest": "resume"},
        "lengths": {"default_ms": 60000, "max_ms": 300000}, "returns": {"early": true}"#;
    let to = r#""openers": ["splice_insert", "distributor_po"], "exempt": ["premium", "press"],
        "fill": {"pod": [{"creative": "fish-15", "duration_ms": 15000}, {"creative": "acme-30", "duration_ms": 30000}],
            "slate": {"creative": "slate", "duration_ms": 2000}, "rest": "slate"},
        "lengths": {"default_ms": 90000, "max_ms": 300000}, "returns": {"early": false, "on_plan": true}"#;
    assert_snapshot!(told(from, to), @r"
      ~ fill     pod: acme-30 (30 s) → fish-15 (15 s), acme-30 (30 s)
      ~ fill     slate: none → slate (2 s)
      ~ fill     behind the last ad: the programme → slate
      ~ openers  distributor_po now open breaks; provider_po no longer open breaks
      ~ lengths  default_ms: 1 min → 1 min 30 s
      ~ returns  breaks no longer end before their plan is over
      ~ returns  breaks now end by themselves when their plan is over
      ~ viewers  may not in a break: skip → anything
      ~ exempt   press now stay with the programme; staff now get breaks
    ");
}

#[test]
fn breaks_of_an_asset_are_told_by_where_they_are_in_it() {
    let from = r#""fill": {"pod": [{"creative": "acme-30", "duration_ms": 30000}]}, "positions": [
        {"name": "pre", "at": "start"}, {"name": "mid", "at": 600000}, {"name": "late", "at": 900000},
        {"name": "post", "at": "end"}]"#;
    let to = r#""fill": {"pod": [{"creative": "acme-30", "duration_ms": 30000}]}, "positions": [
        {"name": "pre", "at": "start", "pod": [{"creative": "fish-15", "duration_ms": 15000}]},
        {"name": "mid", "at": 660000}, {"name": "new", "at": 30500}, {"name": "post", "at": "end"}]"#;
    assert_snapshot!(told(from, to), @r"
      ~ pre   at its start in the asset: the pod of the rules → fish-15 (15 s)
      ~ mid   moves in the asset: at 10 min → at 11 min
      + new   is new in the asset: at 30.5 s, the pod of the rules
      - late  is taken from the asset: at 15 min
    ");
}

#[test]
fn documents_that_say_the_same_have_no_changes_however_they_are_written() {
    let one = r#""lengths": {"default_ms": 120000}, "exempt": ["a", "b"]"#;
    assert_eq!(told(one, r#""exempt": ["b", "a"], "returns": {}"#), "");
}

#[test]
fn programs_get_the_break_and_what_became_of_it() {
    let noon = r#""schedule": [{"name": "noon", "at": "2026-11-21T12:00:00Z", "duration_ms": 60000}]"#;
    let changes = changes(&rules(""), &rules(noon));
    assert_snapshot!(
        serde_json::to_string(&changes).unwrap(),
        @r#"[{"change":"added","name":"noon","at":"2026-11-21T12:00:00.000Z","duration_ms":60000}]"#
    );
}
