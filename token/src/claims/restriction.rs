//! Claims that bound what a request may be, and how each is judged.

use crate::{
    cbor::Reader,
    claims::{
        OneOrMany, Scope,
        geography::{Altitude, Cells, Circles, Territories},
        header::HeaderRules,
        network::Networks,
        texts,
        transport::{ClientKey, Fingerprint, Protocols},
        truth::Truth,
        uri_rules::UriRule,
    },
    context::Place,
    error::Refusal,
    label::Label,
};

/// One restriction of requests. All of a token's must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Restriction {
    /// `catm`
    Methods(Vec<String>),
    /// `catu`
    Uri(Vec<UriRule>),
    /// `cath`
    Headers(HeaderRules),
    /// `catnip`
    Networks(Networks),
    /// `catalpn`
    Protocols(Protocols),
    /// `cattpk`
    ClientKey(ClientKey),
    /// `cattprint`
    Fingerprint(Fingerprint),
    /// `geohash`
    Cells(Cells),
    /// `catgeoiso3166`
    Territories(Territories),
    /// `catgeocoord`
    Circles(Circles),
    /// `catgeoalt`
    Altitude(Altitude),
}

impl Restriction {
    /// Reads the restriction that stands under `label`; `None` where that key is none, and nothing is read.
    pub(crate) fn read(label: Label, reader: &mut Reader<'_>) -> Option<Result<Self, &'static str>> {
        Some(match label {
            Label::CATM => texts(reader, OneOrMany::Many)
                .ok_or("expected a list of texts")
                .map(Self::Methods),
            Label::CATU => UriRule::read_all(reader).map(Self::Uri),
            Label::CATH => HeaderRules::read(reader).map(Self::Headers),
            Label::CATNIP => Networks::read(reader).map(Self::Networks),
            Label::CATALPN => Protocols::read(reader).map(Self::Protocols),
            Label::CATTPK => ClientKey::read(reader).map(Self::ClientKey),
            Label::CATTPRINT => Fingerprint::read(reader).map(Self::Fingerprint),
            Label::GEOHASH => Cells::read(reader).map(Self::Cells),
            Label::CATGEOISO3166 => Territories::read(reader).map(Self::Territories),
            Label::CATGEOCOORD => Circles::read(reader).map(Self::Circles),
            Label::CATGEOALT => Altitude::read(reader).map(Self::Altitude),
            _ => return None,
        })
    }

    /// How many steps its regular expressions have.
    pub(crate) fn steps(&self) -> usize {
        match self {
            Self::Uri(rules) => rules.iter().map(|rule| rule.must.steps()).sum(),
            Self::Headers(rules) => rules.steps(),
            _ => 0,
        }
    }

    /// Judges a request.
    pub(crate) fn judge(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        let request = scope.request;
        let dialect = &scope.policy.dialect;
        let context = request.context;
        let truth = match self {
            // Case counts (CTA-5007-B §4.6.11).
            Self::Methods(methods) if methods.iter().any(|method| method == request.method) => Truth::Holds,
            Self::Methods(_) => return Err(Refusal::Method),
            Self::Uri(rules) => match request.uri {
                None => Truth::Unknown,
                Some(uri) => {
                    let mut all = Truth::Holds;
                    for rule in rules {
                        match rule.judge(uri, dialect) {
                            Truth::Holds => {}
                            Truth::Unknown => all = Truth::Unknown,
                            Truth::Fails if request.place == Place::Shared && rule.component.is_of_path() => {
                            }
                            Truth::Fails => {
                                return Err(Refusal::Uri {
                                    component: rule.component,
                                });
                            }
                        }
                    }
                    all
                }
            },
            Self::Headers(rules) => rules.judge(request.headers, dialect),
            Self::Networks(networks) => networks.judge(context.address(), context.asn()),
            Self::Protocols(protocols) => protocols.judge(context),
            Self::ClientKey(key) => key.judge(context),
            Self::Fingerprint(fingerprint) => fingerprint.judge(context),
            Self::Cells(cells) => cells.judge(context),
            Self::Territories(territories) => territories.judge(context),
            Self::Circles(circles) => circles.judge(context),
            Self::Altitude(altitude) => altitude.judge(context),
        };
        truth.verdict(self.label())
    }

    const fn label(&self) -> Label {
        match self {
            Self::Methods(_) => Label::CATM,
            Self::Uri(_) => Label::CATU,
            Self::Headers(_) => Label::CATH,
            Self::Networks(_) => Label::CATNIP,
            Self::Protocols(_) => Label::CATALPN,
            Self::ClientKey(_) => Label::CATTPK,
            Self::Fingerprint(_) => Label::CATTPRINT,
            Self::Cells(_) => Label::GEOHASH,
            Self::Territories(_) => Label::CATGEOISO3166,
            Self::Circles(_) => Label::CATGEOCOORD,
            Self::Altitude(_) => Label::CATGEOALT,
        }
    }

    /// The order in which restrictions are judged: what needs the request alone, and is cheap, first; what a
    /// platform may have to look up last.
    pub(crate) const fn cost(&self) -> u8 {
        match self {
            Self::Methods(_) => 0,
            Self::Uri(_) => 1,
            Self::Headers(_) => 2,
            Self::Networks(_) => 3,
            Self::Protocols(_) => 4,
            Self::Territories(_) => 5,
            Self::Cells(_) | Self::Circles(_) | Self::Altitude(_) => 6,
            Self::ClientKey(_) | Self::Fingerprint(_) => 7,
        }
    }
}
