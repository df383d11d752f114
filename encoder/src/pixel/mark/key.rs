//! The key, and the patterns that follow from it.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use super::{COLUMNS, ROWS};

/// Who has it knows the patterns, and could take them out: 32 bytes that stay with the encoders of a channel.
#[derive(Clone, Eq, PartialEq)]
pub struct Key([u8; 32]);

/// A text that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no key: expected 64 hexadecimal digits, such as `openssl rand -hex 32` gives")]
pub struct KeyError;

impl FromStr for Key {
    type Err = KeyError;

    /// From 64 hexadecimal digits, with nothing but white space around them.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().as_bytes();
        let mut key = [0; 32];
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != key.len() || !rest.is_empty() {
            return Err(KeyError);
        }
        for (byte, pair) in key.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            *byte = ((high.ok_or(KeyError)? << 4) | low.ok_or(KeyError)?) as u8;
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The cells of a window's pattern, row by row: as many +1 as -1.
    pub(super) fn cells(&self, window: u64) -> [i8; CELLS] {
        let mut cells = [1; CELLS];
        cells.iter_mut().take(CELLS / 2).for_each(|cell| *cell = -1);
        // Shuffled from the end, each place with one not behind it.
        let mut drawn = self.draw(window);
        for place in (1..CELLS).rev() {
            let draw = u64::from(drawn.next().unwrap_or_default());
            cells.swap(place, ((draw * (place as u64 + 1)) >> 32) as usize);
        }
        cells
    }

    /// Numbers that only the key foretells, evenly spread. All inputs are of one length, so the bare hash is as good as
    /// one with a key of its own.
    fn draw(&self, window: u64) -> impl Iterator<Item = u32> {
        let start = Sha256::new_with_prefix(b"selvedge watermark pattern 1")
            .chain_update(self.0)
            .chain_update(window.to_be_bytes());
        (0..u32::MAX).flat_map(move |block| {
            let digest: [u8; 32] = start.clone().chain_update(block.to_be_bytes()).finalize().into();
            let (words, _) = digest.as_chunks::<4>();
            let words: [u32; 8] =
                std::array::from_fn(|at| words.get(at).map_or(0, |word| u32::from_be_bytes(*word)));
            words
        })
    }
}

const CELLS: usize = COLUMNS * ROWS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_64_digits_and_stay_out_of_logs() {
        let text = "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100";
        let key: Key = format!(" {text}\n").parse().unwrap();
        assert_eq!((key.0[1], key.0[16]), (0x11, 0xff));
        assert_eq!(format!("{key:?}"), "Key(…)");
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace('a', "g")] {
            assert_eq!(wrong.parse::<Key>(), Err(KeyError));
        }
    }
}
