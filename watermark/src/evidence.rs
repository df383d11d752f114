//! Evidence: all that a trial found, in a document that can be checked later by whoever has the key.
//!
//! It holds what was measured of each segment, what that was read as, the limits and the scores. The key itself is not in
//! it, only its version.

use serde::{Deserialize, Serialize};

use crate::{
    code::{CodeKey, Design, Event, Session},
    recording::{Measured, Recording},
    soft::{Calibration, Verdict},
    trial::{SCORES, Standing, Trial, TrialError},
};

/// The version of the document.
pub const VERSION: u32 = 1;

/// What a recording was tried by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The service's name in the derivation of patterns.
    pub service: String,
    /// Its epoch.
    pub epoch: u64,
    /// Against how many colluders the code is made: 2, 4, 6 or 8.
    pub colluders: u64,
    /// The version of the key (`wmkeyver`).
    pub key_version: u64,
    /// After how many bits a pattern begins again (`wmpatlen`).
    pub bits: u16,
}

/// A segment, and what it was read as.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Read {
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// How probable variant B is.
    pub probability_b: f64,
    /// `A`, `B`, `erased` or `blended`.
    pub verdict: String,
}

/// A session, and how it stands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// `wmid`.
    pub id: String,
    /// `wmopid`.
    pub operator: u64,
    /// By the symmetric score, and by that of the likelihood.
    pub scores: [f64; 2],
    /// Bounds of the odds that one innocent session stands so high: decimal logarithms.
    pub log10_odds: [f64; 2],
    /// In how many of the segments that were read as A or B it got just that.
    pub agrees: u32,
}

impl Named {
    /// The odds that anybody innocent of an audience of so many stands so high, by either score: a bound.
    pub fn false_accusation(&self, audience: u64) -> f64 {
        let best = self.log10_odds.iter().copied().fold(0.0, f64::min);
        (SCORES.len() as f64 * audience as f64 * 10.0_f64.powf(best)).min(1.0)
    }
}

/// The document.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// [`VERSION`].
    pub version: u32,
    /// What made it.
    pub made_by: String,
    /// The channel.
    pub channel: String,
    /// SHA-256 of the recording, in hexadecimal.
    pub capture_sha256: String,
    /// How long it is, in seconds.
    pub capture_seconds: f64,
    /// The rendition that it was compared with.
    pub rendition: String,
    /// What it was tried by.
    pub code: Code,
    /// How many sessions were compared.
    pub audience: u64,
    /// The odds that anybody innocent of these is accused, at most.
    pub false_accusation: f64,
    /// How much of the mark has survived.
    pub strength: f64,
    /// The share of segments that are blends of variants.
    pub blended: f64,
    /// The segments.
    pub segments: Vec<Read>,
    /// What accuses, by either score; nothing where no score would.
    pub limits: [Option<f64>; 2],
    /// Who is accused, the highest first.
    pub accused: Vec<Named>,
    /// The highest of those who are not.
    pub next: Option<Named>,
}

/// Whom a trial has to look at: who is accused, and the highest of those who are not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Operator, id and standing of each who is accused.
    pub accused: Vec<(u64, String, Standing)>,
    /// The same of the highest of the others.
    pub next: Option<(u64, String, Standing)>,
}

impl Found {
    /// Takes a session that stands so.
    pub fn take(&mut self, trial: &Trial<'_>, session: &Session<'_>, standing: Standing) {
        if trial.accuses(standing) {
            self.accused
                .push((session.operator, session.id.to_owned(), standing));
        } else if self
            .next
            .as_ref()
            .is_none_or(|(.., next)| highest(standing) > highest(*next))
        {
            self.next = Some((session.operator, session.id.to_owned(), standing));
        }
    }

    /// Puts what others found to it.
    pub fn join(&mut self, other: Self) {
        self.accused.extend(other.accused);
        if let Some((operator, id, standing)) = other.next
            && self
                .next
                .as_ref()
                .is_none_or(|(.., next)| highest(standing) > highest(*next))
        {
            self.next = Some((operator, id, standing));
        }
    }
}

/// By the symmetric score: the one that orders sessions alike whatever the pirates did.
const fn highest(standing: Standing) -> f64 {
    let [symmetric, _] = standing.0;
    symmetric
}

/// A recording that was read, ready to be tried.
#[derive(Clone, Debug)]
pub struct Case {
    /// The channel.
    pub channel: String,
    /// What was measured.
    pub recording: Recording,
    /// What it is tried by.
    pub code: Code,
    /// How many sessions are compared.
    pub audience: u64,
    /// The odds that anybody innocent of these is accused, at most.
    pub false_accusation: f64,
}

/// Why a document is not evidence.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The document is of another version, or has numbers that nothing can be derived by.
    #[error("{0}")]
    Document(String),
    /// There can be no trial.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// Something in it does not follow from the rest and the key.
    #[error("{what} does not follow from what was measured and the key")]
    Differs {
        /// What.
        what: String,
    },
}

impl Code {
    fn event(&self) -> Result<Event<'_>, EvidenceError> {
        let design = Design::against(self.colluders).filter(|design| design.colluders() == self.colluders);
        Ok(Event {
            service: &self.service,
            epoch: self.epoch,
            design: design.ok_or_else(|| {
                EvidenceError::Document(format!(
                    "a code against {} colluders is none of 2, 4, 6 and 8",
                    self.colluders
                ))
            })?,
        })
    }
}

impl Case {
    /// The trial of it.
    ///
    /// # Errors
    /// The code, the audience or the odds are none.
    pub fn trial<'c>(&'c self, key: &'c CodeKey) -> Result<Trial<'c>, EvidenceError> {
        let readings =
            Calibration::of(&self.recording.segments).readings(&self.recording.segments, self.code.bits);
        let trial = Trial::new(
            key,
            self.code.event()?,
            self.code.bits,
            &readings,
            self.audience,
            self.false_accusation,
        );
        Ok(trial?)
    }

    /// Writes down what was found.
    ///
    /// # Errors
    /// The code, the audience or the odds are none.
    pub fn document(&self, key: &CodeKey, made_by: &str, found: Found) -> Result<Document, EvidenceError> {
        let trial = self.trial(key)?;
        let event = self.code.event()?;
        let fit = Calibration::of(&self.recording.segments);
        let segments: Vec<Read> = self
            .recording
            .segments
            .iter()
            .map(|measured| {
                let soft = fit.read(measured);
                Read {
                    measured: measured.clone(),
                    probability_b: soft.probability_b,
                    verdict: soft.verdict().name().to_owned(),
                }
            })
            .collect();
        let named = |(operator, id, standing): (u64, String, Standing)| {
            let session = Session { operator, id: &id };
            let agrees = segments
                .iter()
                .filter(|read| {
                    let index = read
                        .measured
                        .position
                        .checked_rem(self.code.bits)
                        .unwrap_or_default();
                    let due = if key.bit(&event, &session, index) {
                        Verdict::B
                    } else {
                        Verdict::A
                    };
                    read.verdict == due.name()
                })
                .count();
            Named {
                operator,
                scores: standing.0,
                log10_odds: trial.odds(standing),
                agrees: u32::try_from(agrees).unwrap_or(u32::MAX),
                id,
            }
        };
        let mut accused: Vec<Named> = found.accused.into_iter().map(named).collect();
        accused
            .sort_by(|one, other| highest(Standing(other.scores)).total_cmp(&highest(Standing(one.scores))));
        let next = found.next.map(named);
        Ok(Document {
            version: VERSION,
            made_by: made_by.to_owned(),
            channel: self.channel.clone(),
            capture_sha256: self.recording.capture.clone(),
            capture_seconds: self.recording.seconds,
            rendition: self.recording.rendition.clone(),
            code: self.code.clone(),
            audience: self.audience,
            false_accusation: self.false_accusation,
            strength: fit.strength,
            blended: fit.blended,
            limits: trial.limits(),
            accused,
            next,
            segments,
        })
    }
}

impl Document {
    /// Derives everything that follows from what was measured and from the key once more, and compares.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn verify(&self, key: &CodeKey) -> Result<(), EvidenceError> {
        if self.version != VERSION {
            return Err(EvidenceError::Document(format!(
                "version {} is not known, only {VERSION}",
                self.version
            )));
        }
        let case = Case {
            channel: self.channel.clone(),
            recording: Recording {
                detector: String::new(),
                capture: self.capture_sha256.clone(),
                seconds: self.capture_seconds,
                rendition: self.rendition.clone(),
                stretches: Vec::new(),
                segments: self.segments.iter().map(|read| read.measured.clone()).collect(),
            },
            code: self.code.clone(),
            audience: self.audience,
            false_accusation: self.false_accusation,
        };
        let trial = case.trial(key)?;
        let mut found = Found::default();
        for named in self.accused.iter().chain(&self.next) {
            let session = Session {
                operator: named.operator,
                id: &named.id,
            };
            found.take(&trial, &session, trial.standing(&session));
        }
        let again = case.document(key, &self.made_by, found)?;
        let differs = |what: String| Err(EvidenceError::Differs { what });
        for (read, due) in self.segments.iter().zip(&again.segments) {
            if !near(read.probability_b, due.probability_b) || read.verdict != due.verdict {
                return differs(format!("what segment {} was read as", read.measured.file));
            }
        }
        if !near(self.strength, again.strength) || !near(self.blended, again.blended) {
            return differs("the strength of the mark".to_owned());
        }
        let alike = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => near(one, other),
            (None, None) => true,
            _ => false,
        };
        if !self
            .limits
            .iter()
            .zip(again.limits)
            .all(|(own, due)| alike(*own, due))
        {
            return differs("the limit of a score".to_owned());
        }
        let all = |document: &Self| -> Vec<Named> {
            document.accused.iter().chain(&document.next).cloned().collect()
        };
        if self.accused.len() != again.accused.len() {
            return differs("who is accused".to_owned());
        }
        for (named, due) in all(self).iter().zip(all(&again)) {
            let pairs = named.scores.iter().chain(&named.log10_odds);
            let dues = due.scores.iter().chain(&due.log10_odds);
            let same = (&named.id, named.operator, named.agrees) == (&due.id, due.operator, due.agrees);
            if !same || !pairs.zip(dues).all(|(own, due)| near(*own, *due)) {
                return differs(format!("how {} stands", named.id));
            }
        }
        Ok(())
    }
}

/// Equal but for how machines round.
fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * (1.0 + one.abs().max(other.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CodeKey {
        CodeKey::from_secret(&[3; 32])
    }

    fn case(leaker: &str, segments: u16) -> Case {
        let code = Code {
            service: "news".to_owned(),
            epoch: 1,
            colluders: 4,
            key_version: 1,
            bits: 32_760,
        };
        let key = key();
        let event = code.event().unwrap();
        let session = Session {
            operator: 0,
            id: leaker,
        };
        let segments = (0..segments).map(|at| {
            let position = 500 + at;
            let sign = if key.bit(&event, &session, position) {
                -1.0
            } else {
                1.0
            };
            Measured {
                file: format!("{position}.m4s"),
                position,
                at: f64::from(at) * 1.92,
                statistic: sign * (0.4 + 0.01 * f64::from(at % 7)),
                noise: 0.05,
                likeness: 0.97,
                pictures: 24,
            }
        });
        Case {
            channel: "news".to_owned(),
            recording: Recording {
                detector: "0.1.0".to_owned(),
                capture: "00".repeat(32),
                seconds: 200.0,
                rendition: "video-720p".to_owned(),
                stretches: Vec::new(),
                segments: segments.collect(),
            },
            code,
            audience: 1000,
            false_accusation: 1e-6,
        }
    }

    fn document(leaker: &str) -> Document {
        let (case, key) = (case(leaker, 90), key());
        let trial = case.trial(&key).unwrap();
        let mut found = Found::default();
        for at in 0..1000 {
            let id = if at == 7 {
                leaker.to_owned()
            } else {
                format!("viewer-{at}")
            };
            let session = Session { operator: 0, id: &id };
            let mut other = Found::default();
            other.take(&trial, &session, trial.standing(&session));
            found.join(other);
        }
        case.document(&key, "selvedge", found).unwrap()
    }

    #[test]
    fn evidence_names_the_leaker_and_can_be_verified() {
        let document = document("leaker");
        let [named] = &document.accused[..] else {
            panic!("{:?}", document.accused)
        };
        assert_eq!((named.id.as_str(), named.agrees), ("leaker", 90));
        assert!(named.false_accusation(1000) < 1e-6);
        let next = document.next.as_ref().unwrap();
        assert!(next.scores[0] < named.scores[0] / 2.0 && next.false_accusation(1000) > 1e-3);
        let json = serde_json::to_string(&document).unwrap();
        let read: Document = serde_json::from_str(&json).unwrap();
        assert_eq!(read.verify(&key()), Ok(()));
    }

    #[test]
    fn what_was_changed_is_found() {
        let good = document("leaker");
        let said = |change: &dyn Fn(&mut Document)| {
            let mut document = good.clone();
            change(&mut document);
            document.verify(&key()).unwrap_err().to_string()
        };
        let lines = [
            said(&|document| document.version = 2),
            said(&|document| document.code.colluders = 3),
            said(&|document| document.accused[0].id = "viewer-3".to_owned()),
            said(&|document| document.accused[0].scores[1] += 1.0),
            said(&|document| document.segments[4].measured.statistic *= -1.0),
            said(&|document| document.segments[4].probability_b = 0.5),
            said(&|document| document.limits[0] = Some(1.0)),
            said(&|document| document.false_accusation = 1e-9),
            said(&|document| document.audience = 0),
        ];
        let due = [
            "version 2 is not known",
            "against 3 colluders",
            "who is accused",
            "how leaker stands",
            "what segment 504.m4s was read as",
            "what segment 504.m4s was read as",
            "the limit of a score",
            "the limit of a score",
            "the audience is empty",
        ];
        for (line, due) in lines.iter().zip(due) {
            assert!(line.contains(due), "{line}");
        }
        let error = good.verify(&CodeKey::from_secret(&[4; 32])).unwrap_err();
        assert!(matches!(error, EvidenceError::Differs { .. }), "{error}");
    }
}
