//! As much of a media playlist as a player needs to ask for the next part.

/// Where a playlist ends: the part that does not exist yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Edge {
    /// Media sequence number of the segment that the next part belongs to.
    pub(crate) segment: u64,
    /// Its index there. After the last part of a segment that has not closed, one more than there are.
    pub(crate) part: u32,
    /// URI of the newest part, as it stands there.
    pub(crate) newest: Option<String>,
}

impl Edge {
    /// Reads a playlist (RFC 8216bis §4.4): `None` for what is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut segment = None;
        let (mut part, mut newest) = (0, None);
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                segment = Some(number.parse().ok()?);
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                part += 1;
                newest = attribute(attributes, "URI=\"");
            } else if !line.is_empty() && !line.starts_with('#') {
                segment = segment.map(|number: u64| number + 1);
                part = 0;
            }
        }
        Some(Self {
            segment: segment?,
            part,
            newest,
        })
    }

    /// Parts since the media sequence began, where each segment has as many.
    pub(crate) fn count(&self, parts: u32) -> u64 {
        self.segment * u64::from(parts) + u64::from(self.part)
    }
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, value) = attributes.split_once(name)?;
    Some(value.split('"').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_the_part_after_the_last_one_listed() {
        let text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PART:DURATION=0.32,URI=\"a.0\"\n#EXTINF:1.92,\na\n\
                    #EXT-X-PART:DURATION=0.32,URI=\"b.0\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"b.1\"\n";
        let edge = Edge::read(text);
        assert_eq!(
            edge,
            Some(Edge {
                segment: 8,
                part: 1,
                newest: Some("b.0".into())
            })
        );
        assert_eq!(Edge::read("nothing of the kind"), None);
    }
}
