use ciborium::{Value, cbor};
use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Client {
    country: Option<&'static str>,
    subdivision: Option<&'static str>,
    place: Option<Coordinates>,
    altitude: Option<f64>,
}

impl RequestContext for Client {
    fn country(&self) -> Option<Cow<'_, str>> {
        self.country.map(Into::into)
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        self.subdivision.map(Into::into)
    }

    fn coordinates(&self) -> Option<Coordinates> {
        self.place
    }

    fn altitude(&self) -> Option<f64> {
        self.altitude
    }
}

fn at(latitude: f64, longitude: f64) -> Client {
    Client {
        place: Some(Coordinates { latitude, longitude }),
        ..Client::default()
    }
}

fn read<C>(
    value: &Value,
    read: impl Fn(&mut Reader<'_>) -> Result<C, &'static str>,
) -> Result<C, &'static str> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    read(&mut Reader::new(&bytes))
}

fn cells(hashes: &[&str], client: &Client) -> Truth {
    read(&cbor!(hashes).unwrap(), Cells::read).unwrap().judge(client)
}

#[test]
fn a_cell_holds_what_has_its_hash() {
    // The published example of the encoding.
    assert_eq!(cells(&["ezs42"], &at(42.605, -5.603)), Truth::Holds);
    assert_eq!(cells(&["u6sc"], &at(59.33, 18.07)), Truth::Holds);
    assert_eq!(cells(&["u6sc"], &at(57.7, 11.97)), Truth::Fails);
    assert_eq!(cells(&["ezs42", "u6sc"], &at(59.33, 18.07)), Truth::Holds);
    assert_eq!(cells(&["u"], &Client::default()), Truth::Unknown);
    assert_eq!(cells(&["u"], &at(f64::NAN, 0.0)), Truth::Unknown);
    assert_eq!(cells(&["u"], &at(90.5, 0.0)), Truth::Unknown);
    assert!(read(&"u6sc".into(), Cells::read).is_ok());
}

#[test]
fn a_geohash_has_digits_of_its_own() {
    for bad in ["", "u6sa", "U6SC", "u6s-", "u6sé", "0123456789012"] {
        assert!(read(&bad.into(), Cells::read).is_err(), "{bad:?}");
    }
    assert!(read(&cbor!([]).unwrap(), Cells::read).is_err());
    assert!(read(&1.into(), Cells::read).is_err());
}

fn territories(codes: &[&str], country: Option<&'static str>, subdivision: Option<&'static str>) -> Truth {
    let client = Client {
        country,
        subdivision,
        ..Client::default()
    };
    read(&cbor!(codes).unwrap(), Territories::read)
        .unwrap()
        .judge(&client)
}

#[test]
fn a_territory_is_a_country_or_a_part_of_one() {
    assert_eq!(territories(&["SE", "FR"], Some("SE"), None), Truth::Holds);
    assert_eq!(territories(&["SE", "FR"], Some("US"), None), Truth::Fails);
    assert_eq!(territories(&["US-CA"], Some("US"), Some("CA")), Truth::Holds);
    assert_eq!(territories(&["US-CA"], Some("US"), Some("NY")), Truth::Fails);
    assert_eq!(territories(&["US-CA"], Some("MX"), Some("CA")), Truth::Fails);
    assert_eq!(territories(&["US-CA"], Some("US"), None), Truth::Unknown);
    assert_eq!(territories(&["US-CA"], Some("SE"), None), Truth::Fails);
    assert_eq!(territories(&["US-CA", "US"], Some("US"), None), Truth::Holds);
    assert_eq!(territories(&["SE"], None, Some("CA")), Truth::Unknown);
    for bad in ["", "se", "S", "SWE", "US-", "US-ca", "US-CALI", "US-C A", "-CA"] {
        assert!(
            read(&cbor!([bad]).unwrap(), Territories::read).is_err(),
            "{bad:?}"
        );
    }
    assert!(read(&cbor!([]).unwrap(), Territories::read).is_err());
    assert!(read(&"SE".into(), Territories::read).is_err());
}

fn circle(latitude: f64, longitude: f64, radius: f64, client: &Client) -> Truth {
    read(&cbor!([[latitude, longitude, radius]]).unwrap(), Circles::read)
        .unwrap()
        .judge(client)
}

#[test]
fn a_circle_is_drawn_on_the_sphere() {
    assert_eq!(circle(59.33, 18.07, 5000.0, &at(59.334, 18.063)), Truth::Holds);
    assert_eq!(circle(59.33, 18.07, 5000.0, &at(57.7, 11.97)), Truth::Fails);
    // Across the date line, and over a pole.
    assert_eq!(circle(0.0, 179.9, 50_000.0, &at(0.0, -179.9)), Truth::Holds);
    assert_eq!(circle(89.9, 0.0, 23_000.0, &at(89.9, 180.0)), Truth::Holds);
    assert_eq!(circle(0.0, 0.0, 0.0, &at(0.0, 0.0)), Truth::Holds);
    assert_eq!(circle(0.0, 0.0, 1.0, &Client::default()), Truth::Unknown);
    let whole = cbor!([[59, 18, 100_000], [0, 0, 1]]).unwrap();
    assert_eq!(
        read(&whole, Circles::read).unwrap().judge(&at(59.334, 18.063)),
        Truth::Holds
    );
}

#[test]
fn a_circle_that_is_none_on_earth_is_malformed() {
    for bad in [
        cbor!([]),
        cbor!([[91, 18, 5000]]),
        cbor!([[59, 180.5, 5000]]),
        cbor!([[59, 18, (-1)]]),
        cbor!([[59, 18]]),
        cbor!([[59, 18, 1, 1]]),
        cbor!([59, 18, 5000]),
        cbor!([["59", 18, 5000]]),
        cbor!([[59, 18, f64::INFINITY]]),
        cbor!([[59, 18, f64::NAN]]),
    ] {
        let bad = bad.unwrap();
        assert!(read(&bad, Circles::read).is_err(), "{bad:?}");
    }
    let tagged = Value::Tag(279, Box::new(cbor!([[59, 18, 5000]]).unwrap()));
    assert!(read(&tagged, Circles::read).is_err());
}

#[test]
fn an_altitude_is_near_enough_or_not() {
    let judge = |altitude| {
        let client = Client {
            altitude,
            ..Client::default()
        };
        read(&cbor!([100, 50]).unwrap(), Altitude::read)
            .unwrap()
            .judge(&client)
    };
    assert_eq!(judge(Some(120.0)), Truth::Holds);
    assert_eq!(judge(Some(50.0)), Truth::Holds);
    assert_eq!(judge(Some(200.0)), Truth::Fails);
    assert_eq!(judge(None), Truth::Unknown);
    assert_eq!(judge(Some(f64::NAN)), Truth::Unknown);
    for bad in [cbor!([100]), cbor!([100, (-1)]), cbor!([100, "1"]), cbor!(100)] {
        assert!(read(&bad.unwrap(), Altitude::read).is_err());
    }
}

#[test]
fn known_distances_are_met() {
    let place = |latitude, longitude| Coordinates { latitude, longitude };
    let stockholm_gothenburg = distance(place(59.3293, 18.0686), place(57.7089, 11.9746));
    assert!(
        (stockholm_gothenburg - 397_500.0).abs() < 2000.0,
        "{stockholm_gothenburg}"
    );
    let half_way_round = distance(place(0.0, 0.0), place(0.0, 180.0));
    assert!((half_way_round - core::f64::consts::PI * EARTH_RADIUS).abs() < 1.0);
}

/// The hash of a place, by the encoding as it is published: the other way round than cells are read.
fn hash(place: Coordinates, length: usize) -> String {
    let bits = |value: f64, bound: f64, count: u32| {
        let steps = 2_f64.powi(count as i32);
        ((value + bound) / (2.0 * bound) * steps).min(steps - 1.0) as u64
    };
    let total = length as u32 * 5;
    let longitude = bits(place.longitude, 180.0, total.div_ceil(2));
    let latitude = bits(place.latitude, 90.0, total / 2);
    let mut digits = vec![0_usize; length];
    for bit in 0..total {
        let (source, count) = if bit % 2 == 0 {
            (longitude, total.div_ceil(2))
        } else {
            (latitude, total / 2)
        };
        let value = source >> (count - 1 - bit / 2) & 1;
        digits[bit as usize / 5] = digits[bit as usize / 5] << 1 | value as usize;
    }
    digits
        .iter()
        .map(|digit| char::from(GEOHASH_DIGITS[*digit]))
        .collect()
}

proptest! {
    #[test]
    fn a_place_is_in_the_cell_of_its_own_hash(latitude in -90.0..=90.0, longitude in -180.0..=180.0, length in 1_usize..=8) {
        let place = Coordinates { latitude, longitude };
        prop_assert_eq!(cells(&[&hash(place, length)], &at(latitude, longitude)), Truth::Holds);
    }

    #[test]
    fn cells_of_one_length_do_not_overlap(latitude in -90.0..=90.0, longitude in -180.0..=180.0, digit in 0_usize..32) {
        let place = Coordinates { latitude, longitude };
        let own = hash(place, 5);
        let other = format!("{}{}", &own[..4], char::from(GEOHASH_DIGITS[digit]));
        prop_assert_eq!(cells(&[&other], &at(latitude, longitude)), Truth::known(other == own));
    }

    #[test]
    fn a_distance_is_the_same_both_ways_and_never_more_than_half_way_round(
        a in (-90.0..=90.0, -180.0..=180.0),
        b in (-90.0..=90.0, -180.0..=180.0),
    ) {
        let [a, b] = [a, b].map(|(latitude, longitude)| Coordinates { latitude, longitude });
        let there = distance(a, b);
        prop_assert!((there - distance(b, a)).abs() < 0.01);
        prop_assert!((0.0..=core::f64::consts::PI * EARTH_RADIUS + 1.0).contains(&there));
    }
}
