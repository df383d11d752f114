//! Where the client must be: `geohash`, `catgeoiso3166`, `catgeocoord` and `catgeoalt`.
//!
//! All places are on the WGS 84 ellipsoid. A coordinate under another reference system, or under a tag that names
//! one, is malformed: to compare it as it stands would admit the wrong place.

use std::borrow::Cow;

use super::{OneOrMany, texts, truth::Truth};
use crate::{
    cbor::{Item, Reader},
    context::{Coordinates, RequestContext},
    limits::MAX_CLAIMS,
};

/// `geohash`: cells, one of which the client must be in (CTA-5009-A).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cells(Vec<Cell>);

/// A rectangle of degrees, without its northern and eastern edges but for those of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    latitude: (f64, f64),
    longitude: (f64, f64),
}

/// The digits of a geohash: five bits each.
const GEOHASH_DIGITS: &[u8] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A cell of 12 digits is smaller than 4 by 2 centimetres.
const MAX_GEOHASH: usize = 12;

impl Cells {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let hashes = texts(reader, OneOrMany::Either).ok_or("expected a geohash or a list of them")?;
        let cells = hashes.iter().map(|hash| Cell::decode(hash));
        cells
            .collect::<Option<_>>()
            .map(Self)
            .ok_or("a geohash has 1 to 12 of the digits 0 to 9 and b to z without a, i, l and o")
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match place(context) {
            Some(place) => Truth::known(self.0.iter().any(|cell| cell.contains(place))),
            None => Truth::Unknown,
        }
    }
}

impl Cell {
    fn decode(hash: &str) -> Option<Self> {
        if hash.is_empty() || hash.len() > MAX_GEOHASH {
            return None;
        }
        let mut cell = Self {
            latitude: (-90.0, 90.0),
            longitude: (-180.0, 180.0),
        };
        let mut halves_longitude = true;
        for byte in hash.bytes() {
            let digit = GEOHASH_DIGITS.iter().position(|digit| *digit == byte)?;
            for bit in (0..5).rev() {
                let (low, high) = if halves_longitude {
                    &mut cell.longitude
                } else {
                    &mut cell.latitude
                };
                let middle = f64::midpoint(*low, *high);
                if digit >> bit & 1 == 1 {
                    *low = middle;
                } else {
                    *high = middle;
                }
                halves_longitude = !halves_longitude;
            }
        }
        Some(cell)
    }

    fn contains(&self, place: Coordinates) -> bool {
        let within = |(low, high): (f64, f64), value: f64, edge: f64| {
            low <= value && (value < high || (high >= edge && value <= edge))
        };
        within(self.latitude, place.latitude, 90.0) && within(self.longitude, place.longitude, 180.0)
    }
}

/// `catgeoiso3166`: countries (ISO 3166-1 alpha-2) and subdivisions (ISO 3166-2), one of which the client must be
/// in (CTA-5007-B §4.6.15).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Territories(Vec<Territory>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Territory {
    country: String,
    subdivision: Option<String>,
}

impl Territories {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let codes = texts(reader, OneOrMany::Many).ok_or("expected a list of ISO 3166 codes")?;
        let territories = codes.iter().map(|code| Territory::parse(code));
        territories
            .collect::<Option<_>>()
            .map(Self)
            .ok_or("a territory is a code of two capital letters, or one with a hyphen and its subdivision")
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        let Some(country) = context.country() else {
            return Truth::Unknown;
        };
        let subdivision = context.subdivision();
        Truth::any(
            self.0
                .iter()
                .map(|territory| territory.judge(&country, subdivision.as_ref())),
        )
    }
}

impl Territory {
    fn parse(code: &str) -> Option<Self> {
        let (country, subdivision) = code
            .split_once('-')
            .map_or((code, None), |(country, rest)| (country, Some(rest)));
        let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_subdivision = |text: &str| {
            matches!(text.len(), 1..=3)
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        (is_country && subdivision.is_none_or(is_subdivision)).then(|| Self {
            country: country.to_owned(),
            subdivision: subdivision.map(str::to_owned),
        })
    }

    fn judge(&self, country: &str, subdivision: Option<&Cow<'_, str>>) -> Truth {
        if !self.country.eq_ignore_ascii_case(country) {
            return Truth::Fails;
        }
        match (&self.subdivision, subdivision) {
            (None, _) => Truth::Holds,
            (Some(want), Some(have)) => Truth::known(want.eq_ignore_ascii_case(have)),
            (Some(_), None) => Truth::Unknown,
        }
    }
}

/// `catgeocoord`: circles, one of which the client must be in (CTA-5007-B §4.6.16).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Circles(Vec<Circle>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Circle {
    centre: Coordinates,
    /// In metres.
    radius: f64,
}

/// Mean radius of the Earth in metres (IUGG). A sphere of it is off from the ellipsoid by less than 0.6 % of a
/// distance: far less than any location by address.
const EARTH_RADIUS: f64 = 6_371_008.8;

impl Circles {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        let Ok(Item::Array(length @ 1..=MAX_CLAIMS)) = reader.next() else {
            return Err("expected a list of latitude, longitude and radius, without a reference system");
        };
        (0..length)
            .map(|_| Circle::read(reader))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match place(context) {
            Some(place) => Truth::known(
                self.0
                    .iter()
                    .any(|circle| distance(circle.centre, place) <= circle.radius),
            ),
            None => Truth::Unknown,
        }
    }
}

impl Circle {
    fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a circle is a latitude, a longitude and a radius in metres";
        let Ok(Item::Array(3)) = reader.next() else {
            return Err(EXPECTED);
        };
        let mut next = || number(reader).ok_or(EXPECTED);
        let centre = Coordinates {
            latitude: next()?,
            longitude: next()?,
        };
        let radius = next()?;
        if !is_on_earth(centre) {
            return Err("a latitude beyond 90 degrees or a longitude beyond 180");
        }
        if radius < 0.0 {
            return Err("a radius below zero");
        }
        Ok(Self { centre, radius })
    }
}

/// `catgeoalt`: the height that the client must be at (CTA-5007-B §4.6.17).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Altitude {
    /// In metres.
    altitude: f64,
    /// How far from it is near enough, in metres.
    deviation: f64,
}

impl Altitude {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected an altitude and a deviation in metres, without a reference system";
        let Ok(Item::Array(2)) = reader.next() else {
            return Err(EXPECTED);
        };
        let altitude = number(reader).ok_or(EXPECTED)?;
        let deviation = number(reader).ok_or(EXPECTED)?;
        if deviation < 0.0 {
            return Err("a deviation below zero");
        }
        Ok(Self { altitude, deviation })
    }

    pub(crate) fn judge(&self, context: &dyn RequestContext) -> Truth {
        match context.altitude().filter(|altitude| altitude.is_finite()) {
            Some(altitude) => Truth::known((altitude - self.altitude).abs() <= self.deviation),
            None => Truth::Unknown,
        }
    }
}

/// Where the client is. A platform's answer that is no place on Earth is none.
fn place(context: &dyn RequestContext) -> Option<Coordinates> {
    context.coordinates().filter(|place| is_on_earth(*place))
}

fn is_on_earth(place: Coordinates) -> bool {
    // Neither comparison holds for what is not a number.
    place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0
}

fn number(reader: &mut Reader<'_>) -> Option<f64> {
    match reader.next() {
        // Beyond 2^53 it is rounded, and no place nor distance on Earth any more.
        Ok(Item::Integer(number)) => Some(number as f64),
        Ok(Item::Float(number)) if number.is_finite() => Some(number),
        _ => None,
    }
}

/// Distance along a great circle in metres, by the haversine formula, which stays exact for near points.
fn distance(from: Coordinates, to: Coordinates) -> f64 {
    let half_sine_squared = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let chord = half_sine_squared(to.latitude - from.latitude)
        + from.latitude.to_radians().cos()
            * to.latitude.to_radians().cos()
            * half_sine_squared(to.longitude - from.longitude);
    // Rounding may leave a little more than one at the antipodes.
    2.0 * EARTH_RADIUS * chord.min(1.0).sqrt().asin()
}

#[cfg(test)]
mod tests;
