//! What is logged of a request: one JSON object, without any token.

use selvedge_token::Authentic;
use serde::Serialize;

use crate::{
    authorise::Grant,
    problem::{Fault, Problem},
};

/// One request's line in the operator's log.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// The request's method.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The normalised path, without a token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What the path names: `playlist`, `manifest`, `media`, `time`, `health`, `preflight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'static str>,
    /// The viewer's status.
    pub status: u16,
    /// Where the admitting token came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'static str>,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The token's issuer (`iss`), of an authentic token only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The token's own identity (`cti`) in hexadecimal, of an authentic token only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cti: Option<String>,
    /// By which way the viewer was handed another token: `header`, `cookie`, `redirect` or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onward: Option<&'static str>,
    /// Why the token was refused: a code of [`Refusal`](selvedge_token::Refusal).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The claim that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// How the position of marked media was learnt, whenever that was: `header`, `sidecar`, `number` or `duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<&'static str>,
    /// The origin's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<u16>,
    /// The problem's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'static str>,
    /// Whose fault it is: `viewer`, `operator` or `origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// What exactly was wrong: for operators, never sent to a viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Record {
    /// Notes the token that admitted.
    pub(crate) fn admitted(&mut self, grant: &Grant) {
        self.token = Some(grant.carrier.name());
        self.identify(&grant.authentic);
    }

    fn identify(&mut self, authentic: &Authentic) {
        let claims = authentic.claims();
        self.kid = Some(authentic.kid().to_owned());
        self.iss = claims.issuer.clone();
        self.cti = claims.token_id.as_deref().map(hex);
    }

    /// Notes a problem.
    pub(crate) fn note(&mut self, problem: &Problem) {
        self.status = problem.status().as_u16();
        self.problem = Some(problem.slug());
        self.fault = Some(problem.fault().name());
        self.detail = problem.detail();
        match problem {
            Problem::TokenRefused(refused) => {
                self.reason = Some(refused.refusal.code());
                self.claim = refused.refusal.claim().map(|claim| claim.to_string());
                if let Some(authentic) = &refused.authentic {
                    self.identify(authentic);
                }
            }
            Problem::TooManyStreams(authentic) => self.identify(authentic),
            _ => {}
        }
    }

    /// Notes what the operator has to mend, though the viewer is served.
    pub(crate) fn tell_operator(&mut self, detail: String) {
        self.fault = Some(Fault::Operator.name());
        self.detail = Some(detail);
    }

    pub(crate) fn of_problem(problem: &Problem) -> Self {
        let mut record = Self::default();
        record.note(problem);
        record
    }

    /// Whether something of the operator's or the origin's failed, rather than that a viewer was served or
    /// refused: what a log marks as an error.
    pub fn is_failure(&self) -> bool {
        [Fault::Operator, Fault::Origin]
            .iter()
            .any(|fault| self.fault == Some(fault.name()))
    }

    /// The record as one line of JSON.
    pub fn to_json(&self) -> String {
        // A struct of texts and numbers always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `Server-Timing` (W3C): what was decided, in words alone. Durations would make equal answers differ.
    pub(crate) fn server_timing(&self) -> String {
        let origin = self.origin.map(|status| status.to_string());
        let entries = [
            ("route", self.route),
            ("token", self.token),
            ("kid", self.kid.as_deref()),
            ("onward", self.onward),
            ("origin", origin.as_deref()),
            ("problem", self.problem),
        ];
        let mut out = String::new();
        for (name, value) in entries {
            let Some(value) = value else { continue };
            let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
            let value: String = value.chars().filter(plain).collect();
            out.push_str(if out.is_empty() { "" } else { ", " });
            out.push_str(&format!("{name};desc=\"{value}\""));
        }
        out
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
