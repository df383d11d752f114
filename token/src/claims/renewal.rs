//! `catr`: how a token that runs out is followed by another (CTA-5007-B §4.9.2).

use crate::{
    cbor::{Item, Reader},
    http_field::{is_open_name, is_token, is_value},
    limits::MAX_CLAIMS,
    time::{NumericDate, UnixMillis},
};

/// What `catr` says. It never decides whether the token admits a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RenewalTerms {
    kind: Option<RenewalKind>,
    extension: NumericDate,
    deadline: Option<NumericDate>,
    cookie_name: Option<String>,
    header_name: Option<String>,
    cookie_parameters: Vec<String>,
    header_parameters: Vec<String>,
    status: Option<u64>,
}

/// By what way the new token reaches the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RenewalKind {
    /// By the one that the token came in (0).
    Automatic,
    /// `Set-Cookie` (1).
    Cookie,
    /// A header field of the response (2).
    Header,
    /// A redirect to the same place with the new token (3).
    Redirect,
}

/// Keys of the map.
const TYPE: i128 = 0;
const EXPADD: i128 = 1;
const DEADLINE: i128 = 2;
const COOKIE_NAME: i128 = 3;
const HEADER_NAME: i128 = 4;
const COOKIE_PARAMS: i128 = 5;
const HEADER_PARAMS: i128 = 6;
const CODE: i128 = 7;

/// The name of cookie and header field where the token gives none.
const DEFAULT_NAME: &str = "CTA-Common-Access-Token";

/// The redirect's status where the token gives none.
const DEFAULT_STATUS: u16 = 302;

/// How long before its end a token without a relative deadline is renewed, in seconds.
const DEFAULT_LEAD: f64 = 60.0;

/// A deadline below this is a number of seconds before `exp`, any other a date. The text is read in both ways in
/// the field; no token lives for the three years that this is, and no date is so close to 1970.
const LEAST_DATE: f64 = 1e8;

impl RenewalTerms {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected a map with type and expadd";
        let entries = reader.map().map_err(|_| SHAPE)?;
        let (mut kind, mut extension) = (None, None);
        let mut terms = Self {
            kind: None,
            extension: NumericDate::Integer(0),
            deadline: None,
            cookie_name: None,
            header_name: None,
            cookie_parameters: Vec::new(),
            header_parameters: Vec::new(),
            status: None,
        };
        let mut seen = Vec::with_capacity(entries);
        for _ in 0..entries {
            let key = reader.key().map_err(|_| SHAPE)?;
            if seen.contains(&key) {
                return Err("a setting of the renewal stands twice");
            }
            seen.push(key);
            match key {
                Item::Integer(TYPE) => kind = Some(unsigned(reader).ok_or("expected a number as type")?),
                Item::Integer(EXPADD) => {
                    extension = Some(super::date(reader).ok_or("expected a number as expadd")?);
                }
                Item::Integer(DEADLINE) => {
                    terms.deadline = Some(super::date(reader).ok_or("expected a number as deadline")?);
                }
                Item::Integer(COOKIE_NAME) => {
                    terms.cookie_name =
                        Some(super::text(reader).ok_or("expected text as the cookie's name")?);
                }
                Item::Integer(HEADER_NAME) => {
                    terms.header_name =
                        Some(super::text(reader).ok_or("expected text as the header's name")?);
                }
                Item::Integer(COOKIE_PARAMS) => {
                    terms.cookie_parameters =
                        list(reader).ok_or("expected texts as the cookie's parameters")?;
                }
                Item::Integer(HEADER_PARAMS) => {
                    terms.header_parameters =
                        list(reader).ok_or("expected texts as the header's parameters")?;
                }
                Item::Integer(CODE) => {
                    terms.status = Some(unsigned(reader).ok_or("expected a number as code")?)
                }
                _ => reader.skip().map_err(|_| SHAPE)?,
            }
        }
        terms.kind = match kind.ok_or(SHAPE)? {
            0 => Some(RenewalKind::Automatic),
            1 => Some(RenewalKind::Cookie),
            2 => Some(RenewalKind::Header),
            3 => Some(RenewalKind::Redirect),
            _ => None,
        };
        terms.extension = extension.ok_or(SHAPE)?;
        Ok(terms)
    }

    /// By what way the new token goes. `None` for a type that the standard does not define: no renewal is made
    /// and the token stands as it is.
    pub const fn kind(&self) -> Option<RenewalKind> {
        self.kind
    }

    /// The `exp` of a token that is renewed at `now`, in whole seconds since 1970: `now` and `expadd`, rounded
    /// down. `expires` is the token's `exp`.
    ///
    /// `None` where no renewal is due: it is too early (the deadline is relative and has not come, or there is
    /// none and more than 60 seconds are left), too late (the deadline is a date and has passed), the type is
    /// unknown, the token never expires or has expired, or the new one would not outlive it.
    pub fn renewed_until(&self, expires: Option<NumericDate>, now: UnixMillis) -> Option<i64> {
        self.kind?;
        let exp = as_f64(expires?);
        let at = seconds(now);
        if self.last_date().is_some_and(|date| at >= as_f64(date)) {
            return None;
        }
        let lead = self.lead();
        let renewed = (now.seconds() as f64 + as_f64(self.extension)).floor();
        (at < exp && at >= exp - lead && renewed > exp).then_some(renewed as i64)
    }

    /// How many seconds before its end a token is renewed.
    fn lead(&self) -> f64 {
        match self.deadline.map(as_f64) {
            Some(lead) if lead < LEAST_DATE => lead,
            _ => DEFAULT_LEAD,
        }
    }

    /// The date after which no renewal is made.
    fn last_date(&self) -> Option<NumericDate> {
        self.deadline.filter(|date| as_f64(*date) >= LEAST_DATE)
    }

    /// Whether a renewed token would be due for another renewal at once, because the deadline is no less than
    /// what a renewal adds. A redirect to it would lead to another, without end.
    pub fn is_always_due(&self) -> bool {
        self.lead() >= as_f64(self.extension)
    }

    /// The `exp` of a session that is opened at `now` with a token of these terms, in whole seconds since 1970:
    /// `horizon_seconds` on, as if the token were renewed again and again, but not beyond a deadline that is a date.
    /// `None` where the token's own `exp` (`expires`) is to stand: it reaches as far, or a renewal that the session
    /// could stand for would never be due. That is so of a token that never expires, too.
    pub fn session_until(
        &self,
        expires: Option<NumericDate>,
        now: UnixMillis,
        horizon_seconds: u32,
    ) -> Option<i64> {
        self.kind?;
        let exp = expires?;
        // Ends are whole seconds: to add less than two never goes beyond the end that is still to come.
        if as_f64(self.extension) < 2.0 || self.lead() <= 0.0 {
            return None;
        }
        let horizon = now.seconds().saturating_add(i64::from(horizon_seconds));
        let end = self
            .last_date()
            .map_or(horizon, |date| horizon.min(date.seconds()));
        (end as f64 > as_f64(exp)).then_some(end)
    }

    /// The value of a `Set-Cookie` field that carries `token`: the name given or `CTA-Common-Access-Token`, and
    /// the parameters given, none beside them. `None` where the name is no token of RFC 9110 or a parameter
    /// cannot stand in a field: no renewal is made by cookie.
    pub fn set_cookie(&self, token: &str) -> Option<String> {
        let name = self.cookie_name.as_deref().unwrap_or(DEFAULT_NAME);
        is_token(name).then_some(())?;
        with_parameters(format!("{name}={token}"), &self.cookie_parameters)
    }

    /// The name of the cookie that carries the new token, as given or by default; not checked.
    pub fn cookie_name(&self) -> &str {
        self.cookie_name.as_deref().unwrap_or(DEFAULT_NAME)
    }

    /// Name and value of a response's field that carries `token`: the name given or `CTA-Common-Access-Token`,
    /// and the parameters given after the token, each behind `; `. `None` where the name is no field name or one
    /// that the message itself needs, or where a parameter cannot stand in a field: no renewal is made by header.
    pub fn header(&self, token: &str) -> Option<(&str, String)> {
        let name = self.header_name.as_deref().unwrap_or(DEFAULT_NAME);
        is_open_name(name).then_some(())?;
        Some((name, with_parameters(token.to_owned(), &self.header_parameters)?))
    }

    /// The status of a redirect that carries the new token: the one given, or 302. `None` where the one given is
    /// not of the 3xx: no renewal is made by redirect.
    pub fn redirect_status(&self) -> Option<u16> {
        match self.status {
            None => Some(DEFAULT_STATUS),
            Some(code) => u16::try_from(code).ok().filter(|code| (300..400).contains(code)),
        }
    }
}

fn with_parameters(mut value: String, parameters: &[String]) -> Option<String> {
    for parameter in parameters {
        is_value(parameter).then_some(())?;
        value.push_str("; ");
        value.push_str(parameter);
    }
    Some(value)
}

fn unsigned(reader: &mut Reader<'_>) -> Option<u64> {
    match reader.next() {
        Ok(Item::Integer(value)) => u64::try_from(value).ok(),
        _ => None,
    }
}

/// Texts, also none.
fn list(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    match reader.next() {
        Ok(Item::Array(length @ 0..=MAX_CLAIMS)) => (0..length).map(|_| super::text(reader)).collect(),
        _ => None,
    }
}

/// A date or a span for sums. What a float cannot hold exactly lies hundreds of millions of years away.
fn as_f64(number: NumericDate) -> f64 {
    match number {
        NumericDate::Integer(seconds) => seconds as f64,
        NumericDate::Float(seconds) => seconds,
    }
}

fn seconds(now: UnixMillis) -> f64 {
    now.0 as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use ciborium::{Value, cbor};
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn read(value: &Value) -> Result<RenewalTerms, &'static str> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        RenewalTerms::read(&mut Reader::new(&bytes))
    }

    fn due(value: &Value, left: i64) -> Option<i64> {
        let exp = NumericDate::Integer(i128::from(NOW.seconds() + left));
        read(value)
            .unwrap()
            .renewed_until(Some(exp), NOW)
            .map(|exp| exp - NOW.seconds())
    }

    #[test]
    fn a_key_with_content_of_its_own_shifts_nothing() {
        // {0: 1, 1: 300, [… 15 items]: ["x"]}: the list's head alone is no key.
        let shifted = [0xa3, 0x00, 0x01, 0x01, 0x19, 0x01, 0x2c, 0x8f, 0x81, 0x61, b'x'];
        assert!(RenewalTerms::read(&mut Reader::new(&shifted)).is_err());
    }

    #[test]
    fn a_relative_deadline_is_a_lead_and_an_absolute_one_an_end() {
        let relative = cbor!({0 => 2, 1 => 120, 2 => 30}).unwrap();
        assert_eq!((due(&relative, 31), due(&relative, 30)), (None, Some(120)));
        assert_eq!((due(&relative, 1), due(&relative, 0)), (Some(120), None));
        let absent = cbor!({0 => 0, 1 => 120}).unwrap();
        assert_eq!((due(&absent, 61), due(&absent, 60)), (None, Some(120)));
        let ended = cbor!({0 => 0, 1 => 120, 2 => 1_800_000_000}).unwrap();
        assert_eq!(due(&ended, 30), None);
        let ending = cbor!({0 => 0, 1 => 120, 2 => 1_800_000_001}).unwrap();
        assert_eq!((due(&ending, 61), due(&ending, 30)), (None, Some(120)));
    }

    #[test]
    fn a_renewal_that_would_not_outlive_the_token_is_none() {
        let short = cbor!({0 => 0, 1 => 30}).unwrap();
        assert_eq!((due(&short, 30), due(&short, 29)), (None, Some(30)));
        for nothing in [cbor!({0 => 0, 1 => (-5)}), cbor!({0 => 0, 1 => 0})] {
            assert_eq!(due(&nothing.unwrap(), 10), None);
        }
        assert_eq!(
            read(&cbor!({0 => 0, 1 => 9}).unwrap())
                .unwrap()
                .renewed_until(None, NOW),
            None
        );
    }

    #[test]
    fn a_session_reaches_the_horizon_or_the_last_date_and_never_shortens() {
        let until = |value: Value, left: i64| {
            let exp = NumericDate::Integer(i128::from(NOW.seconds() + left));
            let terms = read(&value).unwrap();
            terms
                .session_until(Some(exp), NOW, 1000)
                .map(|end| end - NOW.seconds())
        };
        assert_eq!(until(cbor!({0 => 0, 1 => 60}).unwrap(), 60), Some(1000));
        assert_eq!(
            until(cbor!({0 => 0, 1 => 60, 2 => 1_800_000_500}).unwrap(), 60),
            Some(500)
        );
        assert_eq!(until(cbor!({0 => 0, 1 => 60}).unwrap(), 2000), None);
        assert_eq!(
            until(cbor!({0 => 0, 1 => 60, 2 => 1_700_000_000}).unwrap(), 60),
            None
        );
        assert_eq!(until(cbor!({0 => 9, 1 => 60}).unwrap(), 60), None);
        assert_eq!(until(cbor!({0 => 0, 1 => 0}).unwrap(), 60), None);
    }

    #[test]
    fn what_is_malformed_is_an_error_and_what_is_unknown_is_not() {
        for bad in [
            cbor!(null),
            cbor!({}),
            cbor!({1 => 60}),
            cbor!({0 => 1}),
            cbor!({0 => "1", 1 => 60}),
            cbor!({0 => (-1), 1 => 60}),
            cbor!({0 => 1, 1 => "60"}),
            cbor!({0 => 1, 1 => 60, 5 => "Secure"}),
            cbor!({0 => 1, 1 => 60, 7 => 302.5}),
        ] {
            let bad = bad.unwrap();
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        let unknown = read(&cbor!({0 => 9, 1 => 60, 99 => [1, 2], "x" => null}).unwrap()).unwrap();
        assert_eq!(unknown.kind(), None);
        assert_eq!(due(&cbor!({0 => 9, 1 => 60}).unwrap(), 10), None);
        // {0: 0, 1: 60, 0: 1}
        let twice = [0xa3, 0x00, 0x00, 0x01, 0x18, 0x3c, 0x00, 0x01];
        assert!(RenewalTerms::read(&mut Reader::new(&twice)).is_err());
    }

    #[test]
    fn names_and_parameters_are_written_or_the_carrier_is_left_alone() {
        let field = read(
            &cbor!({0 => 1, 1 => 60, 2 => 30, 3 => "CTA-Common-Access-Token",
                    5 => ["Secure", "Domain=.example.com", "path=/", "SameSite=None"]})
            .unwrap(),
        )
        .unwrap();
        assert_eq!(field.kind(), Some(RenewalKind::Cookie));
        assert_eq!(
            field.set_cookie("2D3R").unwrap(),
            "CTA-Common-Access-Token=2D3R; Secure; Domain=.example.com; path=/; SameSite=None"
        );
        let header = read(&cbor!({0 => 2, 1 => 60, 4 => "X-Token", 6 => ["v=1"]}).unwrap()).unwrap();
        assert_eq!(header.header("2D3R").unwrap(), ("X-Token", "2D3R; v=1".into()));
        assert_eq!(header.redirect_status(), Some(302));
        let hostile = read(
            &cbor!({0 => 0, 1 => 60, 3 => "a=b", 4 => "Content-Length", 5 => [], 6 => ["a\r\nb: c"], 7 => 200}).unwrap(),
        )
        .unwrap();
        assert_eq!(hostile.set_cookie("t"), None);
        assert_eq!(hostile.header("t"), None);
        assert_eq!(hostile.redirect_status(), None);
    }

    proptest! {
        #[test]
        fn no_date_makes_a_renewal_that_ends_before_the_token(
            extension in any::<f64>().prop_filter("finite", |x| x.is_finite()),
            deadline in proptest::option::of(any::<i64>()),
            exp in any::<i64>(),
            now in any::<i64>(),
        ) {
            let mut map = vec![(0.into(), 0.into()), (1.into(), Value::Float(extension))];
            map.extend(deadline.map(|deadline| (2.into(), deadline.into())));
            let terms = read(&Value::Map(map)).unwrap();
            let exp = NumericDate::Integer(exp.into());
            let now = UnixMillis(now);
            for end in [terms.renewed_until(Some(exp), now), terms.session_until(Some(exp), now, 9)].into_iter().flatten() {
                prop_assert!(end >= exp.seconds());
            }
        }
    }
}
