use proptest::{collection::vec, option, prelude::*};

use super::*;

const FULL: &str = r#"{
    "version": 1,
    "channel": "news",
    "openers": ["splice_insert", "provider_po"],
    "lengths": { "default_ms": 60000, "min_ms": 5000, "max_ms": 300000, "overrun_ms": 30000, "late_ms": 2000 },
    "returns": { "early": true, "on_plan": true },
    "fill": {
        "pod": [{ "creative": "acme-30", "duration_ms": 30000 }, { "creative": "fish-15", "duration_ms": 15000 }],
        "slate": { "creative": "slate", "duration_ms": 2000 },
        "rest": "slate"
    },
    "restrictions": ["skip", "jump"],
    "exempt": ["premium"],
    "schedule": [{ "name": "noon", "at": "2026-11-21T12:00:00Z", "duration_ms": 60000 }]
}"#;

#[test]
fn rules_are_what_their_document_says() {
    let rules = Rules::read(FULL.as_bytes()).unwrap();
    assert_eq!(
        rules.openers.names().collect::<Vec<_>>(),
        ["splice_insert", "provider_po"]
    );
    let policy = rules.policy(Micros::from_millis(1920));
    assert_eq!(policy.max_length, Micros::from_seconds(300));
    assert!(policy.returns_on_plan);
    let structure = policy.layout.structure(Micros::from_seconds(60));
    let segments: Vec<_> = structure.slots.iter().map(Slot::segments).collect();
    assert_eq!(segments, [16, 8]);
    assert!(matches!(structure.after, After::Slate(slot) if slot.length() == Micros::from_seconds(2)));
    assert!(rules.exempts("premium") && !rules.exempts("everyone"));
    let [cue] = rules.cues().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(cue.key.to_string(), "name:noon");
    assert_eq!(
        cue.at,
        When::At(UnixMicros::read("2026-11-21T12:00:00Z").unwrap())
    );
}

#[test]
fn all_faults_are_told_at_once_each_with_its_place() {
    let broken = r#"{
        "version": 2,
        "lenghts": {},
        "openers": ["splice_insert", "provider_overlay_po"],
        "lengths": { "min_ms": 10000, "max_ms": 5000, "overrun_ms": -1 },
        "returns": { "early": "yes" },
        "fill": { "pod": [{ "creative": "a b", "duration_ms": 30 }, { "creative": "c" }], "rest": "slate",
                  "ad_server": "http://ads.example" },
        "restrictions": ["rewind"],
        "exempt": "premium",
        "schedule": [
            { "name": "noon", "at": "2026-11-21T12:00:00Z", "duration_ms": 60000 },
            { "name": "noon", "at": "2026-11-21T12:00:59Z", "duration_ms": 60000 },
            { "name": "late", "at": "at five", "duration_ms": 60000, "fill/it": 1 }
        ]
    }"#;
    let faults = Rules::read(broken.as_bytes()).unwrap_err();
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    /lenghts: is not known here: expected one of version, channel, openers, lengths, returns, fill, restrictions, exempt, schedule, positions
    /version: is not 1: this program knows version 1 alone
    /channel: is missing
    /openers/1: is "provider_overlay_po": expected splice_insert, or a segmentation that can be a break, such as provider_po
    /lengths/overrun_ms: is no whole number from 0 to 86400000, in milliseconds
    /lengths: has a min_ms above its max_ms
    /returns/early: is neither true nor false
    /fill: has slate for its rest, and no slate
    /fill/pod/0/creative: is "a b": expected letters, digits and . _ : - alone, at most 64 of them
    /fill/pod/1/duration_ms: is missing
    /fill/ad_server: is "http://ads.example": expected an https URL
    /restrictions/0: is "rewind": expected skip or jump
    /exempt: is no array
    /schedule/1: has the name noon, which another break has
    /schedule/1: overlaps the break noon
    /schedule/2/fill~1it: is not known here: expected one of name, at, duration_ms
    /schedule/2/at: is "at five": expected a date and time of RFC 3339 such as 2026-11-21T12:00:00Z
    "#);
}

#[test]
fn what_is_no_json_is_one_fault() {
    let faults = Rules::read(b"{").unwrap_err();
    assert_eq!(faults.iter().count(), 1);
    assert_eq!(
        Rules::read(b"[]").unwrap_err().to_string(),
        "document: is no object"
    );
}

#[test]
fn without_rules_the_programme_stays_on() {
    let rules = Rules::read(br#"{"version":1,"channel":"news"}"#).unwrap();
    assert_eq!(rules, Rules::new("news"));
    let structure = rules
        .policy(Micros::from_seconds(2))
        .layout
        .structure(Micros::from_seconds(60));
    assert_eq!(structure.after, After::Resume);
    assert_eq!(structure.slots, []);
}

fn any_name() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9._:-]{1,20}".prop_map(|name| Name::new(&name).unwrap())
}

fn any_millis(least: i64, most: i64) -> impl Strategy<Value = Micros> {
    (least..most).prop_map(Micros::from_millis)
}

fn any_item() -> impl Strategy<Value = Item> {
    (any_name(), any_millis(10, 100_000)).prop_map(|(creative, duration)| Item { creative, duration })
}

fn any_positions() -> impl Strategy<Value = Vec<Position>> {
    let at = prop_oneof![
        Just(At::Start),
        any_millis(0, 86_400_000).prop_map(At::Offset),
        Just(At::End)
    ];
    vec((at, vec(any_item(), 1..3)), 0..4).prop_map(|positions| {
        let numbered = positions.into_iter().enumerate();
        let named = numbered.map(|(index, (at, pod))| Position {
            name: Name::new(&format!("position-{index}")).unwrap(),
            at,
            pod,
        });
        named.collect()
    })
}

fn any_fill() -> impl Strategy<Value = Fill> {
    let item = any_item;
    let rest = prop::sample::select(vec![Rest::Resume, Rest::Slate, Rest::Wait]);
    let server = option::of(Just("https://ads.example/vast?x=[y]".to_owned()));
    (vec(item(), 0..5), option::of(item()), rest, server).prop_map(|(pod, slate, rest, ad_server)| Fill {
        pod,
        rest: if slate.is_none() && rest == Rest::Slate {
            Rest::Wait
        } else {
            rest
        },
        slate,
        ad_server,
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let kinds = vec(prop::sample::select(vec![0x22, 0x30, 0x34, 0x3c, 0x44]), 0..4);
    let openers = (any::<bool>(), kinds).prop_map(|(insert, kinds)| {
        let openers = if insert {
            Openers::NONE.with_splice_insert()
        } else {
            Openers::NONE
        };
        let types = kinds.into_iter().map(crate::scte35::SegmentationType);
        types.fold(openers, Openers::with)
    });
    let lengths = (
        any_millis(0, 100),
        any_millis(100, 200),
        any_millis(200, 900),
        any_millis(0, 900),
    )
        .prop_map(|(min, unsaid, max, overrun)| Lengths {
            unsaid,
            min,
            max,
            overrun,
            late: min,
        });
    let returns = any::<(bool, bool, bool)>().prop_map(|(early, on_plan, with_programme)| Returns {
        early,
        on_plan,
        with_programme,
    });
    let restrictions = prop::sample::subsequence(vec![Restriction::Skip, Restriction::Jump], 0..=2);
    let schedule = vec(any_millis(10, 3_600_000), 0..5).prop_map(|lengths| {
        let planned = lengths.into_iter().zip(0_i64..).map(|(duration, hour)| Planned {
            name: Name::new(&format!("break-{hour}")).unwrap(),
            at: UnixMicros(1_767_297_616_000_001).plus(Micros::from_seconds(3600).times(hour)),
            duration,
        });
        planned.collect()
    });
    (
        "[a-z]{1,9}",
        openers,
        lengths,
        returns,
        any_fill(),
        restrictions,
        vec(any_name(), 0..3),
        schedule,
        any_positions(),
    )
        .prop_map(
            |(channel, openers, lengths, returns, fill, restrictions, exempt, schedule, positions)| Rules {
                version: Version,
                channel,
                openers,
                lengths,
                returns,
                fill,
                restrictions,
                exempt,
                schedule,
                positions,
            },
        )
}

/// Every member of an object somewhere in a value.
fn objects(value: &mut serde_json::Value) -> Vec<&mut serde_json::Map<String, serde_json::Value>> {
    match value {
        serde_json::Value::Object(members) => vec![members],
        serde_json::Value::Array(elements) => elements.iter_mut().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

proptest! {
    #[test]
    fn rules_are_read_as_they_are_written(rules in any_rules()) {
        let json = serde_json::to_vec(&rules).unwrap();
        prop_assert_eq!(Rules::read(&json), Ok(rules));
    }

    /// A typing error must not pass for a default, in whichever object it is.
    #[test]
    fn a_member_that_is_not_known_is_a_fault_wherever(rules in any_rules()) {
        let json = serde_json::to_value(&rules).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        for name in names {
            let count = objects(&mut json.clone()[&name]).len();
            for at in 0..count {
                let mut broken = json.clone();
                objects(&mut broken[&name])[at].insert("typo".into(), true.into());
                let faults = Rules::read(broken.to_string().as_bytes()).unwrap_err();
                prop_assert!(faults.iter().any(|fault| fault.place.ends_with("/typo")), "{}", faults);
            }
        }
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_refused(bytes in "\\PC{0,100}") {
        let _ = Rules::read(bytes.as_bytes());
    }
}
