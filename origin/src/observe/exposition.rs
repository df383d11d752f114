//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that families of metrics are written to, one after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// What a family's values mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

impl Exposition {
    /// Begins a family. Its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of the family that was begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for character in text.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_a_sample_without_any_has_no_braces() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "What is counted.");
        text.sample("a_total", &[("x", "a\\b\"c\nd"), ("y", "")], 3);
        text.sample("a_total", &[], 0.25);
        insta::assert_snapshot!(text.into_text(), @r#"
        # HELP a_total What is counted.
        # TYPE a_total counter
        a_total{x="a\\b\"c\nd",y=""} 3
        a_total 0.25
        "#);
    }
}
