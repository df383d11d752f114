//! Whatever a viewer or an origin sends: an answer, never a panic, and no way round the token.

mod scenario;

use http::Request;
use proptest::prelude::*;
use scenario::{World, edge, send, send_through, text, token};

/// Pieces that documents are made of, so that random ones get past the first byte.
fn document() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        Just("<MPD".to_owned()),
        Just("<BaseURL>".to_owned()),
        Just("</BaseURL>".to_owned()),
        Just("<ProgramInformation".to_owned()),
        Just("</ProgramInformation>".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("/>".to_owned()),
        Just(">".to_owned()),
        Just("\"".to_owned()),
        Just("#EXTM3U\n".to_owned()),
        Just("#EXT-X-MEDIA:URI=\"".to_owned()),
        Just("\n".to_owned()),
        Just("é".to_owned()),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_document_of_the_origins_is_rewritten_or_refused(document in document()) {
        for path in ["/live/news/index.m3u8", "/live/news/manifest.mpd"] {
            let mut world = World::new();
            world.put(path, "max-age=1", &document);
            let handled = send(&world, Request::get(format!("https://e{path}?CAT={}", token())));
            prop_assert!([200, 502].contains(&handled.response.status().as_u16()));
        }
    }

    #[test]
    fn what_is_no_uri_of_ours_survives_a_rewrite(document in document()) {
        // With every URI absolute there is nothing to move in a playlist.
        let playlist = document.replace("URI=", "NAME=").lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
        let mut world = World::new();
        world.put("/live/news/index.m3u8", "max-age=1", &playlist);
        let handled = send(&world, Request::get(format!("https://e/live/news/index.m3u8?CAT={}", token())));
        prop_assert_eq!(text(&handled.response), playlist);
    }

    #[test]
    fn a_real_token_opens_nothing_but_its_own_path(
        path in "(/|\\.|\\.\\.|%2e|%2F|%5c|t/|live|news|sport|/live/news/|/t/abc/|index\\.m3u8|[a-z0-9%;=&]){0,12}",
    ) {
        // The token comes by header, in the path, and in the query, whatever the path is.
        let token = token();
        for url in [format!("https://e/{path}"), format!("https://e/t/{token}/{path}"), format!("https://e/{path}?CAT={token}")] {
            let Ok(request) = Request::get(url).header("CTA-Common-Access-Token", &token).body(()) else { continue };
            let world = World::new();
            let handled = selvedge_edge::block_on(edge("{}").handle(&world, &scenario::visit(&request)));
            for asked in world.asked.borrow().iter() {
                prop_assert!(asked.target.starts_with("/live/news/"), "{request:?} asked for {}", asked.target);
                let climbs = asked.target.split('/').any(|segment| segment == "..");
                prop_assert!(!climbs && !asked.target.contains("%2F"), "{}", asked.target);
                prop_assert!(!asked.target.contains(&token));
            }
            prop_assert!(!handled.record.to_json().contains(&token));
        }
    }

    #[test]
    fn no_url_and_no_header_gets_past_the_token(
        path in "(/|\\.|%2e|%2F|t|live|news|index\\.m3u8|manifest\\.mpd|[a-z0-9%;=?&]){0,12}",
        header in "[ -~]{0,60}",
    ) {
        let request = Request::get(format!("https://e/{}", path.replace(' ', "")))
            .header("CTA-Common-Access-Token", &header)
            .header("Cookie", format!("CTA-Common-Access-Token={header}"));
        let Ok(request) = request.body(()) else { return Ok(()) };
        let world = World::new();
        let handled = selvedge_edge::block_on(edge("{}").handle(&world, &scenario::visit(&request)));
        prop_assert!(world.asked.borrow().is_empty(), "{request:?} reached the origin");
        prop_assert!(handled.response.status() != 500);
    }
}

#[test]
fn a_token_that_hides_in_the_path_goes_no_further() {
    // Admitted by a header token without any claim on the path, the request carries another in disguise.
    let broad = scenario::token_by(&scenario::key(), "/", 60);
    for hidden in [
        "/%74/SECRET",
        "/x/../t/SECRET",
        "/t/SECRET/t/SECRET",
        "/./t/SECRET",
        "//t/SECRET",
    ] {
        let world = World::new();
        let request = Request::get(format!("https://e{hidden}/live/news/index.m3u8"))
            .header("CTA-Common-Access-Token", &broad);
        let handled = send(&world, request);
        let asked = format!("{:?}", world.asked.borrow());
        assert!(
            !asked.contains("SECRET") && !handled.record.to_json().contains("SECRET"),
            "{hidden}: {asked}"
        );
    }
}

#[test]
fn more_tokens_than_are_looked_at_are_not_looked_at() {
    let world = World::new();
    let many = ["x", "x", "x", "x", "x", "x", &token()].join(",");
    let request = Request::get("https://e/live/news/index.m3u8").header("CTA-Common-Access-Token", many);
    assert_eq!(send_through(&edge("{}"), &world, request).response.status(), 401);
}
