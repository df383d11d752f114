//! Moving the URIs of a playlist below another root.

use crate::reroot::Reroot;

/// Moves every URI of a playlist (multivariant or media) below another root: URI lines and `URI="…"`
/// attributes (RFC 8216bis §4.1, §4.2).
pub(super) fn reroot(playlist: &str, reroot: &Reroot<'_>) -> String {
    let mut out = String::with_capacity(playlist.len() * 2);
    for line in playlist.split_inclusive('\n') {
        reroot_line(&mut out, line, reroot);
    }
    out
}

/// Adds a query to the URI of each media playlist that a multivariant playlist names (RFC 8216bis §4.4.6). One that leads
/// to another server stays as it is, and so does a playlist that is none.
pub(super) fn carry(playlist: &str, query: &str) -> String {
    if !playlist
        .lines()
        .any(|line| line.starts_with("#EXT-X-STREAM-INF:"))
    {
        return playlist.to_owned();
    }
    let mut out = String::with_capacity(playlist.len() * 2);
    for line in playlist.split_inclusive('\n') {
        let is_named = NAMING.iter().any(|tag| line.starts_with(tag)) || !line.starts_with('#');
        if is_named {
            rewrite_line(&mut out, line, |out, uri| {
                out.push_str(uri);
                if !uri.is_empty() && !uri.contains("//") && !uri.contains('#') {
                    out.push(if uri.contains('?') { '&' } else { '?' });
                    out.push_str(query);
                }
            });
        } else {
            out.push_str(line);
        }
    }
    out
}

/// Tags that name a media playlist.
const NAMING: [&str; 2] = ["#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:"];

/// Copies a line with its end, its URIs moved.
pub(super) fn reroot_line(out: &mut String, line: &str, reroot: &Reroot<'_>) {
    rewrite_line(out, line, |out, uri| push(out, uri, reroot));
}

/// Copies a line with its end, its URIs written by `write`.
fn rewrite_line(out: &mut String, line: &str, write: impl Fn(&mut String, &str)) {
    let content = line.trim_end_matches(['\n', '\r']);
    let ending = line.get(content.len()..).unwrap_or_default();
    if content.starts_with("#EXT") {
        rewrite_attributes(out, content, write);
    } else if content.starts_with('#') {
        out.push_str(content);
    } else {
        write(out, content);
    }
    out.push_str(ending);
}

/// Copies a tag, the value of each attribute named `URI` written by `write`. Quoted values are stepped over whole, so that a
/// comma or a `URI=` inside one is no attribute.
fn rewrite_attributes(out: &mut String, tag: &str, write: impl Fn(&mut String, &str)) {
    let Some((name, mut rest)) = tag.split_once(':') else {
        out.push_str(tag);
        return;
    };
    out.push_str(name);
    out.push(':');
    while let Some((attribute, value)) = rest.split_once("=\"") {
        let Some((value, after)) = value.split_once('"') else {
            break;
        };
        out.push_str(attribute);
        out.push_str("=\"");
        let attribute_name = attribute.rsplit(',').next().unwrap_or_default().trim();
        if attribute_name == "URI" {
            write(out, value);
        } else {
            out.push_str(value);
        }
        out.push('"');
        rest = after;
    }
    out.push_str(rest);
}

/// Writes a URI, moved.
pub(super) fn push(out: &mut String, uri: &str, reroot: &Reroot<'_>) {
    match reroot.apply(uri) {
        Some(pieces) => pieces.iter().for_each(|piece| out.push_str(piece)),
        None => out.push_str(uri),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn below(playlist: &str) -> String {
        reroot(playlist, &Reroot::new("/t/tok", "/live/c/index.m3u8"))
    }

    #[test]
    fn every_uri_moves_and_everything_else_stays() {
        let playlist = "#EXTM3U\r\n\
            # a comment with URI=\"x\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a,URI=\",NAME=\"x\",URI=\"audio/index.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\n\
            v/index.m3u8\n\
            #EXT-X-UNKNOWN:FOO=1,URI=\"https://x.example/a\",BAR=\"b\"\n\
            \n\
            #EXTINF:1.92,a title, with URI=\n\
            0-1.m4s";
        insta::assert_snapshot!(below(playlist).replace('\r', "␍"), @r#"
        #EXTM3U␍
        # a comment with URI="x"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,URI=",NAME="x",URI="/t/tok/live/c/audio/index.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001f,mp4a.40.2",AUDIO="a"
        /t/tok/live/c/v/index.m3u8
        #EXT-X-UNKNOWN:FOO=1,URI="https://x.example/a",BAR="b"

        #EXTINF:1.92,a title, with URI=
        /t/tok/live/c/0-1.m4s
        "#);
    }

    #[test]
    fn media_playlists_are_asked_for_with_what_the_player_asked_for() {
        let playlist = "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"a/index.m3u8?b=1\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\r\nv/index.m3u8\r\n\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2\nhttps://x.example/index.m3u8\n\
            #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"v/iframes.m3u8\"";
        insta::assert_snapshot!(carry(playlist, "g=1").replace('\r', "␍"), @r#"
        #EXTM3U
        #EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="k"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="a/index.m3u8?b=1&g=1"
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"␍
        v/index.m3u8?g=1␍

        #EXT-X-STREAM-INF:BANDWIDTH=2
        https://x.example/index.m3u8
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="v/iframes.m3u8?g=1"
        "#);
    }

    #[test]
    fn a_rewritten_playlist_reads_as_the_same_playlist_elsewhere() {
        let source = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=480x270,CODECS=\"avc1.4d401e\"\nv1/index.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=848x480,CODECS=\"avc1.4d401f\"\nv2/index.m3u8\n";
        let read = |text: &str| m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
        let (before, after) = (read(source), read(&below(source)));
        assert_eq!(before.variants.len(), after.variants.len());
        for (before, after) in before.variants.iter().zip(&after.variants) {
            assert_eq!(after.uri, format!("/t/tok/live/c/{}", before.uri));
            assert_eq!(
                (before.bandwidth, &before.codecs),
                (after.bandwidth, &after.codecs)
            );
        }
    }

    proptest! {
        #[test]
        fn without_uris_of_ours_nothing_changes(lines in proptest::collection::vec("(#[A-Z0-9:,=\"\\- ]{0,40}|https://[a-z./]{1,20}|)", 0..12)) {
            // A quoted URI attribute is the one thing that may move.
            prop_assume!(!lines.iter().any(|line| line.contains("URI=\"")));
            let playlist = lines.join("\n");
            prop_assert_eq!(below(&playlist), playlist);
        }
    }
}
