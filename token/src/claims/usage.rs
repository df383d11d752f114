//! Claims that limit how often, and for how many, a token is good: `catreplay` and `catpor` (CTA-5007-B §4.6.6
//! and §4.6.7).

use crate::{
    cbor::{Item, Reader},
    claims::{date, read_error},
    time::NumericDate,
};

/// `catreplay`: what is made of a token that is presented again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Replay {
    /// It is as good as the first time (0, or no claim).
    #[default]
    Permitted,
    /// It is refused (1).
    Prohibited,
    /// It is accepted while the operator's detection of reuse is silent (2).
    Detected,
}

impl Replay {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        match reader.next().map_err(read_error)? {
            Item::Integer(0) => Ok(Self::Permitted),
            Item::Integer(1) => Ok(Self::Prohibited),
            Item::Integer(2) => Ok(Self::Detected),
            _ => Err("expected 0, 1 or 2"),
        }
    }
}

/// `catpor`: the odds that a token is refused, once drawn for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Odds {
    /// The probability of a refusal, 0 to 1.
    pub probability: f64,
    /// Whose lot it is: one that drew badly stays out.
    pub id: Vec<u8>,
    /// When a bad lot is forgotten; `None` for never.
    pub expiry: Option<NumericDate>,
}

impl Odds {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected [probability, id] or [probability, id, expiry]";
        let Item::Array(length @ 2..=3) = reader.next().map_err(read_error)? else {
            return Err(SHAPE);
        };
        let probability = match reader.next().map_err(read_error)? {
            // The shortest form of a whole number is an integer.
            Item::Integer(0) => 0.0,
            Item::Integer(1) => 1.0,
            Item::Float(value) if (0.0..=1.0).contains(&value) => value,
            _ => return Err("expected a probability from 0 to 1"),
        };
        let id = match reader.next().map_err(read_error)? {
            Item::Bytes(id) => [b"b", id].concat(),
            Item::Integer(id) => [b"i".as_slice(), &id.to_be_bytes()].concat(),
            _ => return Err("expected an id of bytes or an integer"),
        };
        let expiry = if length == 3 {
            Some(date(reader).ok_or(SHAPE)?)
        } else {
            None
        };
        Ok(Self {
            probability,
            id,
            expiry,
        })
    }

    /// Whether a uniformly drawn number is a bad lot.
    pub(crate) fn loses(&self, random: u64) -> bool {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        // The 53 highest bits are what an f64 holds exactly.
        ((random >> 11) as f64) * UNIT < self.probability
    }
}
