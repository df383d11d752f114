//! The presentation that is played instead of the programme in a break: a static MPD, with the Period of each ad's own.

use core::fmt::Write as _;

use selvedge_breaks::Micros;

use super::{
    time::{Seconds, duration},
    xml::{Cursor, Escaped, Kind},
};

/// One ad of an alternative presentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part<'m> {
    length: Micros,
    /// Where its files are, from the alternative presentation on.
    folder: String,
    profiles: &'m str,
    /// How much is to be in a player's buffer.
    buffer: Micros,
    /// What stands in its Period.
    content: &'m str,
}

impl<'m> Part<'m> {
    /// Of the ad's own MPD, which has one Period; `None` for what is none.
    pub(crate) fn new(manifest: &'m str, length: Micros, folder: String) -> Option<Self> {
        let mut cursor = Cursor::new(manifest);
        let root = cursor.next().ok()?.filter(|tag| tag.name == "MPD")?;
        loop {
            let child = cursor.child(&root).ok()??;
            let element = cursor.skip(&child).ok()?;
            if child.name != "Period" {
                continue;
            }
            let inside = manifest.get(child.end..element.end)?;
            let content = inside.get(..inside.rfind("</")?)?;
            return (child.kind == Kind::Start).then_some(Self {
                length,
                folder,
                profiles: root.attribute("profiles").unwrap_or_default(),
                buffer: root
                    .attribute("minBufferTime")
                    .and_then(duration)
                    .unwrap_or_default(),
                content,
            });
        }
    }
}

/// The MPD that plays these ads one after the other; `None` for no ads.
pub(crate) fn alternative(parts: &[Part<'_>]) -> Option<String> {
    let buffer = parts.iter().map(|part| part.buffer).max()?;
    let total = parts.iter().fold(Micros::ZERO, |sum, part| sum.plus(part.length));
    let mut profiles: Vec<&str> = parts.iter().flat_map(|part| part.profiles.split(',')).collect();
    profiles.sort_unstable();
    profiles.dedup();
    let mut out = String::with_capacity(parts.iter().map(|part| part.content.len() + 256).sum());
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"{}\" \
         type=\"static\" mediaPresentationDuration=\"{}\" minBufferTime=\"{}\">\n",
        profiles.join(","),
        Seconds(total),
        Seconds(buffer)
    );
    let mut start = Micros::ZERO;
    for (index, part) in parts.iter().enumerate() {
        let _ = writeln!(
            out,
            "  <Period id=\"{}\" start=\"{}\">\n    <BaseURL>{}</BaseURL>{}</Period>",
            index + 1,
            Seconds(start),
            Escaped(&part.folder),
            part.content
        );
        start = start.plus(part.length);
    }
    out.push_str("</MPD>\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(profile: &str, inside: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<MPD profiles=\"{profile}\" type=\"static\" minBufferTime=\"PT1.92S\">\n  \
             <Period id=\"0\" start=\"PT0S\">\n    {inside}\n  </Period>\n</MPD>\n"
        )
    }

    #[test]
    fn ads_follow_one_another_each_below_its_own_folder() {
        let (live, main) = (
            manifest("live", "<AdaptationSet id=\"1\"/>"),
            manifest("main", "<AdaptationSet id=\"2\"/>"),
        );
        let part = |manifest, seconds, name: &str| {
            Part::new(
                manifest,
                Micros::from_seconds(seconds),
                format!("../../creatives/{name}/"),
            )
            .unwrap()
        };
        let parts = [part(&live, 4, "a"), part(&main, 6, "b&c"), part(&live, 4, "a")];
        insta::assert_snapshot!(alternative(&parts).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="live,main" type="static" mediaPresentationDuration="PT14S" minBufferTime="PT1.92S">
          <Period id="1" start="PT0S">
            <BaseURL>../../creatives/a/</BaseURL>
            <AdaptationSet id="1"/>
          </Period>
          <Period id="2" start="PT4S">
            <BaseURL>../../creatives/b&amp;c/</BaseURL>
            <AdaptationSet id="2"/>
          </Period>
          <Period id="3" start="PT10S">
            <BaseURL>../../creatives/a/</BaseURL>
            <AdaptationSet id="1"/>
          </Period>
        </MPD>
        "#);
    }

    #[test]
    fn of_nothing_there_is_none() {
        assert_eq!(alternative(&[]), None);
        for no_manifest in [
            "",
            "<html/>",
            "<MPD/>",
            "<MPD><Period/></MPD>",
            "<MPD><Period>",
            "<MPD></MPD>",
        ] {
            assert_eq!(
                Part::new(no_manifest, Micros::ZERO, String::new()),
                None,
                "{no_manifest}"
            );
        }
    }
}
