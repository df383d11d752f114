//! The published schemas of the documents: written from the types, and checked to be those in `docs/schema`.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::{Creative, Decision, Log, Rules, Schedule};

/// `BLESS=1` writes the file anew.
fn assert_published<T: JsonSchema>(name: &str) {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    let written = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema").to_owned() + "/" + name;
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == written,
        "docs/schema/{name} is stale: run `BLESS=1 cargo test -p selvedge-breaks schema`"
    );
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    assert_published::<Rules>("break-rules-1.json");
    assert_published::<Decision>("decision-1.json");
    assert_published::<Creative>("creative-1.json");
    assert_published::<Log>("break-log-1.json");
    assert_published::<Schedule>("schedule-1.json");
}

/// What the page shows is what is read.
#[test]
fn the_examples_of_the_page_have_no_faults() {
    let page = include_str!("../../docs/breaks.md");
    let examples: Vec<_> = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [rules, decision, creative] = examples[..] else {
        panic!("{} examples", examples.len());
    };
    assert_eq!(
        Rules::read(rules.as_bytes()).map(|rules| rules.channel),
        Ok("news".into())
    );
    assert_eq!(
        Decision::read(decision.as_bytes()).map(|decision| decision.cohort),
        Ok("all".into())
    );
    assert_eq!(
        Creative::read(creative.as_bytes()).map(|creative| creative.files().count()),
        Ok(6)
    );
    let page_of_fast = include_str!("../../docs/fast.md");
    let schedule = page_of_fast
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    assert_eq!(
        Schedule::read(schedule.unwrap_or_default().as_bytes()).map(|schedule| schedule.channel.to_string()),
        Ok("classics".into())
    );
    let lines = page.lines().filter_map(crate::slice::Line::read);
    assert_eq!(lines.filter(Result::is_ok).count(), 2);
}
