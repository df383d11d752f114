//! The list of a break's assets (RFC 8216bis Appendix D), answered from the decision that the break would be stitched with.

use core::fmt::{self, Write as _};

use http::{HeaderValue, Response, header};
use selvedge_breaks::{BreakId, CreativeName, Decision, decision::Ad, hls::value::Seconds};

use crate::{
    authorise::Authorised,
    carrier::{Carrier, token_path},
    decide::Decisions,
    limits::MAX_ROUNDS,
    platform::Body,
    route::Resource,
    site::{BreakRules, Site},
};

/// The file's name, in the channel's folder.
pub(crate) const FILE: &str = "asset-list.json";

/// What a list is asked for with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) break_id: BreakId,
    /// Rounds of slate behind the ads.
    pub(crate) slate: u64,
}

/// As it is from the channel's folder.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}?break={}", self.break_id)?;
        match self.slate {
            0 => Ok(()),
            rounds => write!(f, "&slate={rounds}"),
        }
    }
}

impl Wanted {
    /// Of a query. What a player adds to it (`_HLS_primary_id`, `_HLS_start_offset`) changes nothing: all of a cohort get
    /// one list.
    fn read(query: &str) -> Option<Self> {
        let member = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let slate = member("slate").and_then(|rounds| rounds.parse().ok());
        // A player that writes its query anew may escape the colons of an id.
        let id = member("break")?.replace("%3A", ":");
        Some(Self {
            break_id: BreakId::try_from(id).ok()?,
            slate: slate.unwrap_or(0).min(MAX_ROUNDS),
        })
    }
}

/// A request for a list.
pub(crate) struct Asked {
    wanted: Wanted,
    /// Where its decision is.
    pub(crate) decision: String,
    /// What stands before the path of an asset: the edge itself, and the token where it rides in the path.
    root: String,
}

impl Asked {
    /// `None` where a site has no breaks, or the request names none.
    pub(crate) fn of(site: &Site, authorised: &Authorised) -> Option<Self> {
        let rules: &BreakRules = site.breaks.as_ref()?;
        let uri = &authorised.routed.uri;
        if authorised.routed.resource != Resource::AssetList {
            return None;
        }
        let wanted = Wanted::read(uri.query())?;
        let channel = uri
            .path()
            .rsplit('/')
            .nth(1)
            .filter(|channel| !channel.is_empty())?;
        let grant = &authorised.grant;
        let token = match grant.carrier {
            Carrier::Path | Carrier::Query => token_path(&grant.token),
            Carrier::Header | Carrier::Cookie => String::new(),
        };
        Some(Self {
            decision: format!("/decisions/{channel}/{}/{}", wanted.break_id, rules.cohort),
            root: [uri.origin(), token].concat(),
            wanted,
        })
    }

    /// The answer. Without a decision the list is empty, and the programme stays on air; then nobody may keep it.
    pub(crate) fn answer<B>(&self, known: &Decisions) -> Response<Body<B>> {
        let decision = known.get(&self.decision);
        let list = self.write(decision.as_deref());
        let caching = if decision.is_some() {
            "private, max-age=3600"
        } else {
            "no-store"
        };
        let mut response = Response::new(Body::Empty);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, list.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        *response.body_mut() = Body::Bytes(list.into_bytes());
        response
    }

    fn write(&self, decision: Option<&Decision>) -> String {
        let slate = decision.and_then(|decision| decision.slate.as_ref());
        let slate = slate.filter(|slate| is_stored(slate));
        let ads = decision.map_or(&[][..], |decision| &decision.ads);
        let ads = ads.iter().map(|ad| Some(ad).filter(|ad| is_stored(ad)).or(slate));
        let rounds = (0..self.wanted.slate).map(|_| slate);
        let mut list = String::from("{\"ASSETS\":[");
        for (index, ad) in ads.chain(rounds).flatten().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let uri = format!("{}/creatives/{}/index.m3u8", self.root, ad.creative);
            let uri = serde_json::Value::from(uri);
            let duration = Seconds(ad.duration);
            let _ = write!(list, "{separator}{{\"URI\":{uri},\"DURATION\":{duration}}}");
        }
        list.push_str("]}");
        list
    }
}

/// Whether an ad's media is our own origin's, which has a playlist of it as well; other ads can be stitched alone.
fn is_stored(ad: &Ad) -> bool {
    let Some(name) = CreativeName::new(&ad.creative) else {
        return false;
    };
    let folder = format!("/creatives/{name}/");
    let mut segments = ad.renditions.values().flat_map(|media| &media.segments);
    !ad.renditions.is_empty() && segments.all(|segment| segment.uri.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_is_asked_for_with_is_read_as_it_was_written() {
        for (slate, text) in [
            (0, "asset-list.json?break=news-1767297616000-seg:7:0x34"),
            (3, "asset-list.json?break=news-1767297616000-seg:7:0x34&slate=3"),
        ] {
            let break_id = BreakId::try_from("news-1767297616000-seg:7:0x34".to_owned()).unwrap();
            let wanted = Wanted { break_id, slate };
            assert_eq!(wanted.to_string(), text);
            let (_, query) = text.split_once('?').unwrap();
            let played = format!("_HLS_primary_id=x&{query}&_HLS_start_offset=4");
            assert_eq!(Wanted::read(&played), Some(wanted.clone()));
            assert_eq!(Wanted::read(&played.replace(':', "%3A")), Some(wanted));
        }
    }

    #[test]
    fn a_list_has_no_more_rounds_than_any_break() {
        let wanted = Wanted::read("break=a&slate=18446744073709551615").unwrap();
        assert_eq!(wanted.slate, MAX_ROUNDS);
        for none in ["", "break=", "break=a%22b", "break=../a", "slate=1"] {
            assert_eq!(Wanted::read(none), None, "{none}");
        }
    }
}
