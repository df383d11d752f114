//! Claims that bound what a request may be, and how each is judged.

use crate::{
    cbor::Reader,
    claims::{OneOrMany, texts, truth::Truth, uri_rules::UriRule},
    context::Request,
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
}

impl Restriction {
    /// Reads the restriction that stands under `label`; `None` where that key is none, and nothing is read.
    pub(crate) fn read(label: Label, reader: &mut Reader<'_>) -> Option<Result<Self, &'static str>> {
        Some(match label {
            Label::CATM => texts(reader, OneOrMany::Many)
                .ok_or("expected a list of texts")
                .map(Self::Methods),
            Label::CATU => UriRule::read_all(reader).map(Self::Uri),
            _ => return None,
        })
    }

    /// Judges a request.
    pub(crate) fn judge(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let truth = match self {
            Self::Methods(methods) => {
                // Case counts (CTA-5007-B §4.6.11).
                return if methods.iter().any(|method| method == request.method) {
                    Ok(())
                } else {
                    Err(Refusal::Method)
                };
            }
            Self::Uri(rules) => match request.uri {
                None => Truth::Unknown,
                Some(uri) => {
                    return match rules.iter().find(|rule| !rule.holds(uri)) {
                        None => Ok(()),
                        Some(rule) => Err(Refusal::Uri {
                            component: rule.component,
                        }),
                    };
                }
            },
        };
        let claim = self.label();
        match truth {
            Truth::Holds => Ok(()),
            Truth::Fails => Err(Refusal::Restricted { claim }),
            Truth::Unknown => Err(Refusal::Unanswerable { claim }),
        }
    }

    const fn label(&self) -> Label {
        match self {
            Self::Methods(_) => Label::CATM,
            Self::Uri(_) => Label::CATU,
        }
    }

    /// The order in which restrictions are judged: the cheap ones first.
    pub(crate) const fn cost(&self) -> u8 {
        match self {
            Self::Methods(_) => 0,
            Self::Uri(_) => 1,
        }
    }
}
