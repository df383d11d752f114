//! The crate `common-access-token`, which has HMAC alone.

use std::hint::black_box;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use common_access_token::{Token, VerificationOptions};

use crate::{
    sample::{HOST, ISSUER, PATH, SECRET, hs256},
    turns::Turns,
};

pub(crate) fn cases(turns: &mut Turns) {
    let token = hs256();
    turns.add("common-access-token HS256", move || {
        let bytes = Base64UrlUnpadded::decode_vec(black_box(&token)).unwrap();
        let token = Token::from_bytes(&bytes).unwrap();
        token.verify(&SECRET).unwrap();
        let options = VerificationOptions::new()
            .verify_exp(true)
            .verify_nbf(true)
            .expected_issuer(ISSUER)
            .verify_catu(true)
            .uri(format!("https://{HOST}{PATH}"))
            .verify_catm(true)
            .http_method("GET");
        token.verify_claims(&options).unwrap();
    });
}
