//! Patterns: which variant a session gets at each position, derived from keys and never stored.
//!
//! The code is a Tardos code with the discrete biases that are best against small coalitions (Nuida and others). Each
//! position has a secret bias p, and a session gets variant B there with probability p. Sessions that mix what they got
//! can emit at a position what one of them has, and nothing else; so each of them stays closer to the mixture than
//! anybody who had no part in it.
//!
//! Both the biases and the bits come from HMAC-SHA-256, sixteen positions from one MAC, and are compared as integers of 16
//! bits: every edge and the detector have the same, whatever machine they run on.
//!
//! - bias `i`: the big-endian 16 bits at 2·(i mod 16) of
//!   `HMAC(K_bias, "selvedge-wm-bias-1" 00 ‖ text(service) ‖ u64(epoch) ‖ u16(⌊i/16⌋))` choose a row of the [design's
//!   table](Design::rows), the first whose end is above them;
//! - bit `i`: those of
//!   `HMAC(K_code, "selvedge-wm-code-1" 00 ‖ u64(wmopid) ‖ text(wmid) ‖ text(service) ‖ u64(epoch) ‖ u16(⌊i/16⌋))` are below
//!   the row's bias.
//!
//! A text is its length in 16 bits and its UTF-8 bytes; longer ones do not exist in tokens. From one secret,
//! `K_bias = HMAC(secret, "selvedge-wm-key-bias")` and `K_code = HMAC(secret, "selvedge-wm-key-code")`.

mod design;
mod pattern;

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub use design::{Bias, Design, Row};
pub use pattern::Pattern;

/// The keys of one version (`wmkeyver`). Who knows the biases' key can mix sessions so that none is found: it is as secret as
/// the other.
#[derive(Clone)]
pub struct CodeKey {
    bias: Hmac<Sha256>,
    code: Hmac<Sha256>,
}

/// What a pattern is for: a service in one of its epochs. Another epoch has other biases and other bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event<'e> {
    /// The service's name, such as the channel's.
    pub service: &'e str,
    /// Counted up by the operator when what was learnt of the biases is to be worth nothing more.
    pub epoch: u64,
    /// Against how many colluders the code is made.
    pub design: Design,
}

/// Whom a pattern names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session<'s> {
    /// The operator (`wmopid`).
    pub operator: u64,
    /// The session, user or device (`wmid`).
    pub id: &'s str,
}

/// How many positions one MAC serves.
pub(crate) const BLOCK: u16 = 16;

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey")
    }
}

impl CodeKey {
    /// Takes the key of the biases and that of the bits.
    pub fn new(bias: &[u8; 32], code: &[u8; 32]) -> Self {
        Self {
            bias: keyed(bias),
            code: keyed(code),
        }
    }

    /// Derives both keys from one secret.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let derive = |purpose: &[u8]| keyed(secret).chain_update(purpose).finalize().into_bytes().into();
        Self::new(&derive(b"selvedge-wm-key-bias"), &derive(b"selvedge-wm-key-code"))
    }

    /// The bias of a position: how probable variant B is.
    pub fn bias(&self, event: &Event<'_>, index: u16) -> Bias {
        event
            .design
            .bias(word(&self.bias_block(event, index / BLOCK), index))
    }

    /// A session's bit at a position.
    pub fn bit(&self, event: &Event<'_>, session: &Session<'_>, index: u16) -> bool {
        let value = word(&self.code_block(event, session, index / BLOCK), index);
        self.bias(event, index).holds(value)
    }

    /// The biases of the first `length` positions.
    pub fn biases(&self, event: &Event<'_>, length: u16) -> Vec<Bias> {
        let mut block = [0; 32];
        (0..length)
            .map(|index| {
                if index.is_multiple_of(BLOCK) {
                    block = self.bias_block(event, index / BLOCK);
                }
                event.design.bias(word(&block, index))
            })
            .collect()
    }

    /// A session's first bits, one for each of `biases`, which are those of the event: what a token of the direct mode
    /// carries, and what a detector compares a leak with. `None` where there are no biases, or more than 65,535.
    pub fn pattern(&self, event: &Event<'_>, session: &Session<'_>, biases: &[Bias]) -> Option<Pattern> {
        let length = u16::try_from(biases.len()).ok()?;
        let mut block = [0; 32];
        let bits = (0..length).zip(biases).map(|(index, bias)| {
            if index.is_multiple_of(BLOCK) {
                block = self.code_block(event, session, index / BLOCK);
            }
            bias.holds(word(&block, index))
        });
        Pattern::of_bits(bits)
    }

    fn bias_block(&self, event: &Event<'_>, block: u16) -> [u8; 32] {
        let mac = self.bias.clone().chain_update(b"selvedge-wm-bias-1\0");
        of_event(mac, event, block)
    }

    /// The 16 bits of each of 16 positions of a session, of which the first is `16 * block`.
    pub(crate) fn words(&self, event: &Event<'_>, session: &Session<'_>, block: u16) -> [u16; 16] {
        let bytes = self.code_block(event, session, block);
        core::array::from_fn(|at| word(&bytes, at as u16))
    }

    fn code_block(&self, event: &Event<'_>, session: &Session<'_>, block: u16) -> [u8; 32] {
        let mac = self
            .code
            .clone()
            .chain_update(b"selvedge-wm-code-1\0")
            .chain_update(session.operator.to_be_bytes());
        of_event(text(mac, session.id), event, block)
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // As HMAC pads a key that is shorter than a block of its hash.
    let mut block = [0; 64];
    if let Some(start) = block.first_chunk_mut() {
        *start = *key;
    }
    Hmac::new(&block.into())
}

fn of_event(mac: Hmac<Sha256>, event: &Event<'_>, block: u16) -> [u8; 32] {
    text(mac, event.service)
        .chain_update(event.epoch.to_be_bytes())
        .chain_update(block.to_be_bytes())
        .finalize()
        .into_bytes()
        .into()
}

fn text(mac: Hmac<Sha256>, text: &str) -> Hmac<Sha256> {
    // No token is as long as a text that would overflow this.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    mac.chain_update(length.to_be_bytes())
        .chain_update(text.as_bytes())
}

/// The 16 bits of a position in its block.
fn word(block: &[u8; 32], index: u16) -> u16 {
    let mut words = block.chunks_exact(2);
    match words.nth(usize::from(index % BLOCK)) {
        Some([high, low]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
