//! Digest access authentication (RFC 7616): MD5 and SHA-256, `qop=auth`, nonces that need no memory.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::table::{User, hex};
use super::{is_equal, param::Params};
use crate::time::UnixMillis;

/// The hash of a challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn of(&self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// Hash of `name:realm:password` of a user, if the table says enough to know it.
pub(super) fn user_hash(user: &User, realm: &str, algorithm: Algorithm) -> Option<String> {
    let kept = match algorithm {
        Algorithm::Md5 => &user.md5,
        Algorithm::Sha256 => &user.sha256,
    };
    let made = || {
        let password = user.password.as_ref()?.reveal();
        Some(algorithm.of(&format!("{}:{realm}:{password}", user.name)))
    };
    kept.as_ref()
        .map(|kept| kept.reveal().to_ascii_lowercase())
        .or_else(made)
}

/// What became of an answer to a challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Right,
    /// It would be right, were its nonce not too old.
    Stale,
    Wrong(&'static str),
}

/// Makes and checks nonces: the time in milliseconds and a code over it, so that any number of them costs nothing.
#[derive(Clone)]
pub(super) struct Nonces {
    secret: [u8; 32],
}

impl Nonces {
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub(super) fn make(&self, now: UnixMillis) -> String {
        format!("{:016x}{}", now.0, self.code(now.0))
    }

    /// When it was made; `None` when it was not made here.
    fn made(&self, nonce: &str) -> Option<UnixMillis> {
        let (time, code) = nonce.split_at_checked(16)?;
        let time = i64::from_str_radix(time, 16).ok()?;
        is_equal(self.code(time).as_bytes(), code.as_bytes()).then_some(UnixMillis(time))
    }

    fn code(&self, time: i64) -> String {
        // A key of any length will do (RFC 2104 §3).
        Hmac::<Sha256>::new_from_slice(&self.secret).map_or_else(
            |_| String::new(),
            |mut mac| {
                mac.update(&time.to_be_bytes());
                let code = mac.finalize().into_bytes();
                hex(code.get(..16).unwrap_or_default())
            },
        )
    }

    /// Judges the parameters of `Authorization: Digest`.
    pub(super) fn judge(
        &self,
        users: &[User],
        realm: &str,
        offer: &Params,
        method: &str,
        target: &str,
        now: UnixMillis,
    ) -> Verdict {
        let algorithm = match offer.get("algorithm") {
            None => Algorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
            Some(_) => return Verdict::Wrong("an algorithm that was not offered"),
        };
        let need = |name| offer.get(name).unwrap_or_default();
        if need("qop") != "auth" {
            return Verdict::Wrong("without qop=auth");
        }
        if need("realm") != realm {
            return Verdict::Wrong("another realm");
        }
        // What was signed must be what is asked for (RFC 7616 §3.4.6). Proxies make targets absolute.
        let uri = need("uri");
        if uri != target && !(uri.starts_with("http") && uri.ends_with(target)) {
            return Verdict::Wrong("another URI");
        }
        let Some(made) = self.made(need("nonce")) else {
            // Of a process before this one, perhaps: its answer is right or wrong, and a fresh nonce will tell.
            return Verdict::Stale;
        };
        let Some(user) = users.iter().find(|user| user.name == need("username")) else {
            return Verdict::Wrong("an unknown user");
        };
        let Some(first) = user_hash(user, realm, algorithm) else {
            return Verdict::Wrong("an algorithm that this user has no hash for");
        };
        let second = algorithm.of(&format!("{method}:{uri}"));
        let wanted = algorithm.of(&format!(
            "{first}:{}:{}:{}:auth:{second}",
            need("nonce"),
            need("nc"),
            need("cnonce")
        ));
        let response = need("response").to_ascii_lowercase();
        if !is_equal(wanted.as_bytes(), response.as_bytes()) {
            return Verdict::Wrong("the password");
        }
        if now.0.abs_diff(made.0) > LIFETIME_MS {
            return Verdict::Stale;
        }
        Verdict::Right
    }
}

/// Milliseconds for which a nonce may be answered: what is overheard is good for no longer.
const LIFETIME_MS: u64 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_262_400_000);

    fn user() -> User {
        User {
            name: "Mufasa".into(),
            password: Some("Circle of Life".into()),
            ..User::default()
        }
    }

    /// An answer as RFC 7616 §3.4.1 makes it, written out by hand.
    fn answer(nonce: &str, algorithm: Algorithm, password: &str) -> Params {
        let first = algorithm.of(&format!("Mufasa:selvedge:{password}"));
        let second = algorithm.of("PUT:/ingest/a/v/init.mp4");
        let response = algorithm.of(&format!("{first}:{nonce}:00000001:0a4f113b:auth:{second}"));
        let name = algorithm.name();
        Params::read(&format!(
            "username=\"Mufasa\", realm=\"selvedge\", nonce=\"{nonce}\", uri=\"/ingest/a/v/init.mp4\", \
             algorithm={name}, qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"{response}\""
        ))
        .unwrap()
    }

    #[test]
    fn the_documents_own_examples_come_out_the_same() {
        // RFC 7616 §3.9.1.
        let between = ":7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth:";
        for (algorithm, wanted) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let first = user_hash(&user(), "http-auth@example.org", algorithm).unwrap();
            let second = algorithm.of("GET:/dir/index.html");
            assert_eq!(algorithm.of(&format!("{first}{between}{second}")), wanted);
        }
    }

    #[test]
    fn a_right_answer_is_right_until_its_nonce_is_too_old() {
        let nonces = Nonces::new([7; 32]);
        let users = [user()];
        let judge =
            |offer: &Params, now| nonces.judge(&users, "selvedge", offer, "PUT", "/ingest/a/v/init.mp4", now);
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let offer = answer(&nonces.make(NOW), algorithm, "Circle of Life");
            assert_eq!(judge(&offer, NOW), Verdict::Right);
            assert_eq!(judge(&offer, NOW.plus_seconds(299)), Verdict::Right);
            assert_eq!(judge(&offer, NOW.plus_seconds(301)), Verdict::Stale);
            let wrong = answer(&nonces.make(NOW), algorithm, "Circle of Strife");
            assert_eq!(judge(&wrong, NOW), Verdict::Wrong("the password"));
            let other = nonces.judge(&users, "selvedge", &offer, "PUT", "/ingest/b/v/init.mp4", NOW);
            assert_eq!(other, Verdict::Wrong("another URI"));
        }
        let foreign = answer(&Nonces::new([8; 32]).make(NOW), Algorithm::Md5, "Circle of Life");
        assert_eq!(judge(&foreign, NOW), Verdict::Stale, "of another process");
    }
}
