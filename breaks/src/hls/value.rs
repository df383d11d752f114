//! Values of attributes, as playlists write them (RFC 8216bis §4.2): what an origin and an edge write is written alike.

use core::fmt;

use crate::time::Micros;

/// A length as seconds in decimals, exact: without trailing zeros, or with all six (`{:.6}`), as `EXTINF`s have them.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Micros);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.0.max(0);
        let (whole, mut part, mut digits) = (micros / 1_000_000, micros % 1_000_000, 6);
        if f.precision().is_none() {
            if part == 0 {
                return write!(f, "{whole}");
            }
            while part % 10 == 0 {
                part /= 10;
                digits -= 1;
            }
        }
        write!(f, "{whole}.{part:0digits$}")
    }
}

/// Bytes as a hexadecimal-sequence.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Text for a quoted-string: what it may not hold is percent-encoded, and `%` with it.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                // `{$name}` would be read as a variable.
                '"' | '%' | '{' => write!(f, "%{:02X}", u32::from(letter))?,
                letter if letter.is_control() => write!(f, "%{:02X}", u32::from(letter))?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_as_short_as_they_are_exact_or_as_long_as_asked() {
        let write = |micros| Seconds(Micros(micros)).to_string();
        assert_eq!(write(320_000), "0.32");
        assert_eq!(write(2_000_000), "2");
        assert_eq!(write(533_333), "0.533333");
        assert_eq!(format!("{:.6}", Seconds(Micros(2_000_000))), "2.000000");
    }

    #[test]
    fn quoted_text_can_neither_end_its_string_nor_name_a_variable() {
        assert_eq!(Quoted("a\"b\r\n{$c}%").to_string(), "a%22b%0D%0A%7B$c}%25");
    }

    #[test]
    fn bytes_are_hexadecimal_in_capitals() {
        assert_eq!(Hex(&[0xfc, 0x30, 0x0a]).to_string(), "0xFC300A");
    }
}
