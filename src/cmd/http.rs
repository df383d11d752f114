//! Requests to origins and stores: bounded in time and size, and every answer that is not the wanted one put in words.

use std::{fmt, time::Duration};

use reqwest::{Client, RequestBuilder, StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::Value;

use crate::failure::Failure;

/// The longest answer: all creatives of an origin.
const MAX_ANSWER: usize = 32 << 20;

/// What says where the origin's door for operators is.
pub(super) const ORIGIN: &str = "SELVEDGE_ORIGIN";
/// What opens it.
pub(super) const ADMIN_TOKEN: &str = "SELVEDGE_ADMIN_TOKEN";

/// Why something was not read or written.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// It refused: nothing has changed there.
    Refused(String),
    /// It may or may not have done what it was asked for.
    Unsure(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why) | Self::Unsure(why)) = self;
        f.write_str(why)
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What the store said is wrong, whichever of the usual forms it says it in.
    pub(super) fn complaint(&self) -> String {
        let json = self.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let json = json.as_ref();
        let member = |name: &str| json.and_then(|json| json.get(name));
        let of_list = |list: &str, say: fn(&Value) -> Option<String>| {
            let said: Vec<String> = member(list)?.as_array()?.iter().filter_map(say).collect();
            (!said.is_empty()).then(|| said.join("; "))
        };
        let faults = of_list("faults", |fault| {
            let (at, message) = (fault.get("at")?.as_str()?, fault.get("message")?.as_str()?);
            Some(format!(
                "{}: {message}",
                if at.is_empty() { "document" } else { at }
            ))
        });
        let errors = of_list("errors", |error| {
            let message = error.get("message")?.as_str()?;
            Some(match error.get("code").and_then(Value::as_u64) {
                Some(code) => format!("{message} ({code})"),
                None => message.to_owned(),
            })
        });
        let told = faults.or(errors).or_else(|| {
            ["detail", "message", "msg", "title"]
                .iter()
                .find_map(|name| member(name).and_then(text))
        });
        let told = told.map(|told| plain(&told)).filter(|told| !told.is_empty());
        match told {
            Some(told) => format!("{}: {told}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// What others wrote, fit for a terminal: a line, and not too long.
fn plain(text: &str) -> String {
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = text.take(500).collect();
    text.trim().to_owned()
}

/// A variable of the environment; an empty one is none.
pub(super) fn variable_of(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The URL of an origin's door for operators, without a slash at its end. A token goes nowhere in the clear but to this
/// machine.
pub(super) fn door(url: &str, has_token: bool) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::configuration("--origin", problem);
    let parsed = reqwest::Url::parse(url).ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(parsed) = parsed else {
        return Err(wrong(format!("{url:?} is no URL such as http://127.0.0.1:9090")));
    };
    if has_token && parsed.scheme() == "http" && !is_here(&parsed) {
        return Err(wrong(format!(
            "{url:?} would carry the token in the clear: give an https URL"
        )));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// What is wrong with the token of an origin's door; `None` where an answer says something else.
pub(super) fn shut(answer: &Answer, has_token: bool) -> Option<String> {
    let is_shut = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let complaint = answer.complaint();
    is_shut.then(|| match has_token {
        true => format!("{complaint}: {ADMIN_TOKEN} is not the origin's admin_token"),
        false => format!("{complaint}: set {ADMIN_TOKEN} to the origin's admin_token"),
    })
}

fn is_here(url: &reqwest::Url) -> bool {
    url.host_str()
        .is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
}

/// A client for what is below a URL: it waits for so long, and takes nobody elsewhere with what it carries.
pub(super) fn client(base: &str, patience: Duration) -> Result<Client, Failure> {
    // Whichever was installed first serves: an error means that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .timeout(patience)
        .redirect(Policy::none())
        .user_agent(concat!("selvedge/", env!("CARGO_PKG_VERSION")));
    if reqwest::Url::parse(base).is_ok_and(|url| is_here(&url)) {
        client = client.no_proxy();
    }
    client
        .build()
        .map_err(|error| Failure::run("the HTTP client", error))
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Answer, Trouble> {
    let mut response = request.send().await.map_err(|error| {
        let why = told(&error);
        if error.is_connect() || error.is_builder() {
            Trouble::Refused(why)
        } else {
            Trouble::Unsure(why)
        }
    })?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                return Err(Trouble::Unsure(format!(
                    "the answer is longer than {MAX_ANSWER} bytes"
                )));
            }
            Ok(None) => break,
            Err(error) => return Err(Trouble::Unsure(told(&error))),
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// What an answer means that is not the wanted one: a server that failed may have done it all the same.
pub(super) fn unwanted(answer: &Answer) -> Trouble {
    let why = answer.complaint();
    if answer.status.is_server_error() || answer.status.is_success() {
        Trouble::Unsure(why)
    } else {
        Trouble::Refused(why)
    }
}

/// The innermost cause says what happened; the outermost repeats the URL.
fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    cause.to_string()
}

/// The base URL of a platform's API: the variable's, else the platform's own. Credentials go nowhere in the clear but to
/// this machine.
pub(super) fn base(variable: &str, default: &str) -> Result<String, Failure> {
    let Some(url) = variable_of(variable) else {
        return Ok(default.to_owned());
    };
    let parsed = reqwest::Url::parse(&url).map_err(|error| Failure::configuration(variable, error))?;
    if parsed.scheme() != "https" && !is_here(&parsed) {
        return Err(Failure::configuration(
            variable,
            format!("{url:?} would carry a token in the clear: give an https URL"),
        ));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn every_platform_complains_in_a_form_of_its_own() {
        let cases = [
            (
                403,
                r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#,
                "403 Forbidden: Authentication error (10000)",
            ),
            (
                422,
                r#"{"faults":[{"at":"/fill/pod/0","message":"is no object"},{"at":"","message":"odd"}]}"#,
                "422 Unprocessable Entity: /fill/pod/0: is no object; document: odd",
            ),
            (
                401,
                r#"{"msg":"Provided credentials are missing"}"#,
                "401 Unauthorized: Provided credentials are missing",
            ),
            (
                409,
                r#"{"title":"Conflict","detail":"it is\ntoo late"}"#,
                "409 Conflict: it is too late",
            ),
            (502, "<html>", "502 Bad Gateway"),
        ];
        for (status, body, said) in cases {
            assert_eq!(answer(status, body).complaint(), said);
        }
    }

    #[test]
    fn a_token_is_sent_in_the_clear_to_this_machine_alone() {
        for (url, has_token) in [
            ("http://127.0.0.1:9090/", true),
            ("http://localhost:9090", true),
            ("https://origin.example", true),
            ("http://origin.example", false),
        ] {
            assert_eq!(door(url, has_token).unwrap(), url.trim_end_matches('/'));
        }
        assert!(door("http://origin.example", true).is_err());
        for wrong in ["origin", "ftp://origin.example", "http://"] {
            assert!(door(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(segment("breaks/news 1"), "breaks%2Fnews%201");
    }

    #[test]
    fn a_server_that_failed_may_have_done_it_and_one_that_refused_has_not() {
        assert!(matches!(unwanted(&answer(502, "")), Trouble::Unsure(_)));
        assert!(matches!(unwanted(&answer(412, "")), Trouble::Refused(_)));
    }
}
