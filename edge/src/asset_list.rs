//! What a player of the guided form asks for when a break comes: the list of its assets (RFC 8216bis Appendix D), or the
//! presentation that it is to play instead of the programme (ISO/IEC 23009-1, 6th edition). Both are answered from the
//! decision that the break would be stitched with.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use http::{HeaderValue, Response, StatusCode, header};
use selvedge_breaks::{BreakId, CreativeName, Decision, decision::Ad, hls::value::Seconds};

use crate::{
    authorise::Authorised,
    carrier::{Carrier, token_path},
    dash,
    decide::{Decisions, want},
    limits::{MAX_ROUNDS, MAX_WANTS},
    platform::{Answer, Body, Plan, Want},
    reroot,
    route::Resource,
    site::{BreakRules, Site},
    timeline::Announced,
};

/// The list's name, in the channel's folder.
pub(crate) const LIST: &str = "asset-list.json";

/// The alternative presentation's name, in the channel's folder.
pub(crate) const ALTERNATIVE: &str = "alternative.mpd";

/// What the ads of a break are asked for with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) break_id: BreakId,
    /// Rounds of slate behind the ads.
    pub(crate) slate: u64,
}

impl Wanted {
    pub(crate) fn of(announced: &Announced<'_>) -> Self {
        Self {
            break_id: announced.airing.id.clone(),
            slate: announced.rounds,
        }
    }

    /// The list's URL from the channel's folder.
    pub(crate) fn list(&self) -> String {
        self.asked_of(LIST)
    }

    /// The alternative presentation's URL from the channel's folder.
    pub(crate) fn alternative(&self) -> String {
        self.asked_of(ALTERNATIVE)
    }

    fn asked_of(&self, file: &str) -> String {
        match self.slate {
            0 => format!("{file}?break={}", self.break_id),
            rounds => format!("{file}?break={}&slate={rounds}", self.break_id),
        }
    }

    /// Of a query. What a player adds to it (`_HLS_primary_id`, `_HLS_start_offset`) changes nothing: all of a cohort get
    /// the same.
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

/// A request for the ads of a break.
pub(crate) struct Asked {
    wanted: Wanted,
    /// Where its decision is.
    pub(crate) decision: String,
    /// The edge itself.
    origin: String,
    /// The token's path, where it rides in the path.
    token: String,
    /// The path of what is asked for, without a token.
    path: String,
    carrier: Carrier,
    is_list: bool,
}

/// The MPDs of creatives, by the creatives' names.
pub(crate) type Manifests = BTreeMap<String, String>;

impl Asked {
    /// `None` where a site has no breaks, or the request names none.
    pub(crate) fn of(site: &Site, authorised: &Authorised) -> Option<Self> {
        let rules: &BreakRules = site.breaks.as_ref()?;
        let uri = &authorised.routed.uri;
        let is_list = match authorised.routed.resource {
            Resource::AssetList => true,
            Resource::Alternative => false,
            Resource::Playlist | Resource::Manifest | Resource::Media => return None,
        };
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
            origin: uri.origin(),
            token,
            path: uri.path().to_owned(),
            carrier: grant.carrier,
            is_list,
            wanted,
        })
    }

    /// The batches that ask for the MPDs of its creatives, each once: none for a list, which names them.
    pub(crate) fn plans(&self, known: &Decisions) -> Vec<Plan> {
        let decision = known.get(&self.decision).filter(|_| !self.is_list);
        let mut names: Vec<&str> = self.shown(decision.as_deref()).map(|ad| &*ad.creative).collect();
        names.sort_unstable();
        names.dedup();
        let wants: Vec<_> = names.iter().map(|name| want(manifest_of(name))).collect();
        let batches = wants.chunks(MAX_WANTS);
        batches
            .map(|wants| Plan {
                wants: wants.to_vec(),
            })
            .collect()
    }

    /// The answer; `None` for an alternative presentation that nothing can be shown in. Without a decision a list is empty,
    /// and the programme stays on air; then nobody may keep it.
    pub(crate) fn answer<B>(&self, known: &Decisions, manifests: &Manifests) -> Option<Response<Body<B>>> {
        let decision = known.get(&self.decision);
        let (kind, document) = if self.is_list {
            ("application/json", self.list(decision.as_deref()))
        } else {
            (
                "application/dash+xml",
                self.alternative(decision.as_deref(), manifests)?,
            )
        };
        let caching = if decision.is_some() {
            "private, max-age=3600"
        } else {
            "no-store"
        };
        let mut response = Response::new(Body::Empty);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, document.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        *response.body_mut() = Body::Bytes(document.into_bytes());
        Some(response)
    }

    /// What is played, in order: of an ad that has no document of its own, slate takes the place.
    fn shown<'d>(&self, decision: Option<&'d Decision>) -> impl Iterator<Item = &'d Ad> {
        let slate = decision.and_then(|decision| decision.slate.as_ref());
        let slate = slate.filter(|slate| is_stored(slate));
        let ads = decision.map_or(&[][..], |decision| &decision.ads);
        let ads = ads
            .iter()
            .map(move |ad| Some(ad).filter(|ad| is_stored(ad)).or(slate));
        let rounds = (0..self.wanted.slate).map(move |_| slate);
        ads.chain(rounds).flatten()
    }

    fn list(&self, decision: Option<&Decision>) -> String {
        let mut list = String::from("{\"ASSETS\":[");
        for (index, ad) in self.shown(decision).enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let Self { origin, token, .. } = self;
            let uri = format!("{origin}{token}/creatives/{}/index.m3u8", ad.creative);
            let uri = serde_json::Value::from(uri);
            let duration = Seconds(ad.duration);
            let _ = write!(list, "{separator}{{\"URI\":{uri},\"DURATION\":{duration}}}");
        }
        list.push_str("]}");
        list
    }

    fn alternative(&self, decision: Option<&Decision>, manifests: &Manifests) -> Option<String> {
        let parts = self.shown(decision).filter_map(|ad| {
            let path = format!("/creatives/{}/", ad.creative);
            let folder = match self.carrier {
                // No URL of a folder is below a token in the query.
                Carrier::Query => [&*self.token, &path].concat(),
                Carrier::Path | Carrier::Header | Carrier::Cookie => {
                    reroot::from_folder(&self.path, &path).into_owned()
                }
            };
            dash::Part::new(manifests.get(&ad.creative)?, ad.duration, folder)
        });
        dash::alternative(&parts.collect::<Vec<_>>())
    }
}

fn manifest_of(creative: &str) -> String {
    format!("/creatives/{creative}/manifest.mpd")
}

/// Takes note of the MPDs that a batch has brought.
pub(crate) fn learn<B>(manifests: &mut Manifests, plan: &Plan, answers: Vec<Answer<B>>) {
    for (want, answer) in plan.wants.iter().zip(answers) {
        let (Want::Origin(request), Answer::Origin(Ok(origin))) = (want, answer) else {
            continue;
        };
        let name = request.target.rsplit('/').nth(1).map(str::to_owned);
        let (StatusCode::OK, Body::Bytes(body), Some(name)) = (origin.status, origin.body, name) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(body) {
            manifests.insert(name, text);
        }
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
            assert_eq!(wanted.list(), text);
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
