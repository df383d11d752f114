//! Values of attributes, as playlists write them.

use std::fmt;

/// Nanoseconds as seconds in decimals, to the nearest microsecond and without trailing zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(pub(super) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.saturating_add(500).max(0) / 1_000;
        let (whole, mut part, mut digits) = (micros / 1_000_000, micros % 1_000_000, 6);
        if part == 0 {
            return write!(f, "{whole}");
        }
        while part % 10 == 0 {
            part /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{part:0digits$}")
    }
}

/// Bytes as a hexadecimal-sequence (bis 4.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Text for a quoted-string (bis 4.2): what it may not hold is percent-encoded, and `%` with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '%' => write!(f, "%{:02X}", u32::from(letter))?,
                letter if letter.is_control() => write!(f, "%{:02X}", u32::from(letter))?,
                // `{$name}` would be read as a variable.
                '{' => f.write_str("%7B")?,
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
    fn seconds_are_as_short_as_they_are_exact() {
        let write = |nanos| Seconds(nanos).to_string();
        assert_eq!(write(320_000_000), "0.32");
        assert_eq!(write(2_000_000_000), "2");
        assert_eq!(write(533_333_333), "0.533333");
        assert_eq!(write(1_000_999_999), "1.001");
        assert_eq!(write(12_000_010_000), "12.00001");
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
