//! The published schema of the site document: it takes what the edge takes, and knows its members.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use selvedge_edge::Site;
use serde_json::{Map, Value, json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/schema/site-1.json")).unwrap()
}

/// Whether a document is one of a schema's, by the words of JSON Schema that this one is written in; all others are an error
/// of this test.
fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let schema = schema.as_object().unwrap();
    schema.iter().all(|(word, rule)| match word.as_str() {
        "$id" | "$schema" | "$defs" | "title" | "description" => true,
        "$ref" => is_valid(root, root.pointer(&rule.as_str().unwrap()[1..]).unwrap(), value),
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("type {other}"),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "minimum" => value
            .as_i64()
            .is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value
            .as_i64()
            .is_none_or(|number| number <= rule.as_i64().unwrap()),
        "minItems" => value
            .as_array()
            .is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| match rule.as_str().unwrap() {
            "^/(.*/)?$" => text.starts_with('/') && text.ends_with('/'),
            "^[0-9]+$" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
            other => panic!("pattern {other}"),
        }),
        "anyOf" => rule
            .as_array()
            .unwrap()
            .iter()
            .any(|schema| is_valid(root, schema, value)),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| is_valid(root, rule, item))),
        "required" => value.as_object().is_none_or(|members| {
            let names = rule.as_array().unwrap();
            names
                .iter()
                .all(|name| members.contains_key(name.as_str().unwrap()))
        }),
        "propertyNames" => value
            .as_object()
            .is_none_or(|members| members.keys().all(|name| is_valid(root, rule, &json!(name)))),
        "properties" => value.as_object().is_none_or(|members| {
            let known = |name: &String| rule.get(name);
            members
                .iter()
                .all(|(name, value)| known(name).is_none_or(|schema| is_valid(root, schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|members| {
            let known = schema.get("properties").and_then(Value::as_object);
            let mut others = members
                .iter()
                .filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            match rule {
                Value::Bool(false) => others.next().is_none(),
                rule => others.all(|(_, value)| is_valid(root, rule, value)),
            }
        }),
        other => panic!("{other} is not known here"),
    })
}

/// Whether the schema and the edge agree on a document, and what they say.
fn agreed(document: &Value) -> bool {
    let root = schema();
    let (by_schema, by_edge) = (
        is_valid(&root, &root, document),
        Site::from_json(&document.to_string()),
    );
    assert_eq!(by_schema, by_edge.is_ok(), "{document}: {by_edge:?}");
    by_schema
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// A document with all that there is, in one of its forms.
fn whole() -> Value {
    json!({
        "issuers": ["tv"],
        "audiences": ["edge"],
        "cors_origins": ["*"],
        "server_timing": true,
        "carriers": {"headers": ["X-Token"], "cookies": []},
        "dialect": {
            "composite": {"or": 41, "nor": 42, "and": 43, "crit": 45},
            "regex_captures": true,
            "early_confirmation": false
        },
        "own_issuer": "edge.example",
        "session": {"seconds": 60},
        "streams": {"limit": 3, "grace_seconds": 9, "unknown": "refuse"},
        "fast": true,
        "breaks": {
            "cohort": "all", "dateranges": false, "form": "auto", "restrict": ["skip"], "cues": "kept",
            "creatives": "named"
        },
        "watermark": {
            "vendor": 254,
            "keys": {"1": KEY},
            "separate_tokens": false,
            "channels": [{
                "path": "/live/news/", "media": "^v", "service": "news", "epoch": 1, "colluders": 6,
                "pace": ["header", "sidecar", {"number": {"start": 1, "per": 2}},
                    {"duration": {"start": 0, "timescale": 90000}}],
                "without_mark": "serve"
            }]
        }
    })
}

#[test]
fn the_examples_that_are_published_are_good() {
    assert!(agreed(&json!({})));
    assert!(agreed(&whole()));
    let page = include_str!("../../docs/watermark.md");
    let examples = page.split("```json\n").skip(1);
    let examples: Vec<&str> = examples.filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        assert!(agreed(&serde_json::from_str(example).unwrap()), "{example}");
    }
    for (name, file) in [
        ("wrangler.toml", include_str!("../../wrangler.toml")),
        ("fastly.toml", include_str!("../../fastly.toml")),
    ] {
        let sites = file.lines().filter_map(|line| line.strip_prefix("SITE = '"));
        let sites: Vec<Value> = sites
            .map(|site| serde_json::from_str(site.trim_end_matches('\'')).unwrap())
            .collect();
        assert!(!sites.is_empty() && sites.iter().all(agreed), "{name}");
    }
}

#[test]
fn what_one_refuses_the_other_refuses() {
    let wrong = [
        ("/issuer", json!(["a"])),
        ("/issuers", json!("a")),
        ("/session/seconds", json!(-1)),
        ("/streams/unknown", json!("perhaps")),
        ("/breaks/form", json!("both")),
        ("/breaks/restrict/0", json!("rewind")),
        ("/dialect/composite/or", json!("or")),
        ("/watermark/vendor", json!(256)),
        ("/watermark/keys/one", json!(KEY)),
        ("/watermark/channels/0/path", json!("/live/news")),
        ("/watermark/channels/0/colluders", json!(5)),
        ("/watermark/channels/0/pace", json!([])),
        ("/watermark/channels/0/pace", json!("guess")),
        ("/watermark/channels/0/pace", json!({"number": {"per": 0}})),
        ("/watermark/channels/0/pace", json!({"duration": {"ticks": 1}})),
        (
            "/watermark/channels/0/pace",
            json!({"number": {}, "duration": {}}),
        ),
        ("/watermark/channels/0/without_mark", json!("refused")),
    ];
    for (at, value) in wrong {
        let mut document = whole();
        let (parent, name) = at.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.insert(name.into(), value)),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            other => panic!("{other}"),
        }
        assert!(!agreed(&document), "{at}");
    }
    // What must be there.
    for (parent, name) in [
        ("/streams", "limit"),
        ("/dialect/composite", "and"),
        ("/watermark", "channels"),
        ("/watermark/channels/0", "service"),
    ] {
        let mut document = whole();
        let members = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        members.remove(name);
        assert!(!agreed(&document), "{parent}/{name}");
    }
}

/// Every member that the edge knows is in the schema, and none beside.
#[test]
fn the_members_are_those_of_the_edge() {
    let root = schema();
    for (definition, parent) in [
        ("", ""),
        ("/$defs/Carriers", "/carriers"),
        ("/$defs/Dialect", "/dialect"),
        ("/$defs/CompositeLabels", "/dialect/composite"),
        ("/$defs/SessionRules", "/session"),
        ("/$defs/StreamRules", "/streams"),
        ("/$defs/BreakRules", "/breaks"),
        ("/$defs/MarkRules", "/watermark"),
        ("/$defs/MarkedChannel", "/watermark/channels/0"),
        ("/$defs/NumberRule", "/watermark/channels/0/pace/2/number"),
        ("/$defs/DurationRule", "/watermark/channels/0/pace/3/duration"),
    ] {
        let mut document = whole();
        let members: &mut Map<String, Value> = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        members.insert("unheard-of".into(), Value::Null);
        let error = Site::from_json(&document.to_string()).unwrap_err().to_string();
        let (_, listed) = error.split_once("expected ").unwrap();
        let mut known: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
        let properties = root.pointer(&format!("{definition}/properties")).unwrap();
        let mut published: Vec<&str> = properties
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        known.sort_unstable();
        published.sort_unstable();
        assert_eq!(known, published, "{definition}: {error}");
    }
}
