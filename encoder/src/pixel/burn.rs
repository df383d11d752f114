//! The burned-in clock: a line that people read and a strip of blocks that programs read.
//!
//! The strip lies at the very top of the picture, one eighteenth of its height. It has 48 blocks over the full width,
//! white for one: block 0 white and block 1 black (to find the levels), the low 44 bits of the UTC milliseconds since
//! 1970 at which the frame was captured, most significant first, their even parity, and a last white block. Blocks are
//! luma 16 or 235 with neutral chroma, and so wide that they survive the lowest rung of a ladder.

use super::{Colour, Picture, Rect, Size, font::Digits};
use crate::clock::Utc;

/// Blocks in the strip.
pub const BLOCKS: u32 = 48;
/// Bits of the time in the strip.
pub const TIME_BITS: u32 = 44;

/// Height of the strip in rows: one eighteenth of the picture, rounded to an even number, at least 2.
#[must_use]
pub fn strip_height(picture: Size) -> u32 {
    ((picture.height + 18) / 36 * 2).max(2)
}

/// Draws the clock into pictures of one size.
#[derive(Clone, Debug)]
pub struct Burn {
    digits: Digits,
    size: Size,
    text_height: u32,
}

impl Burn {
    /// A clock for pictures of this size.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let text_height = (size.height / 30).max(10);
        Self {
            digits: Digits::new(text_height),
            size,
            text_height,
        }
    }

    /// Draws the strip and the readable line of a frame captured at `at`.
    pub fn draw(&self, picture: &mut Picture, at: Utc, frame: u64) {
        self.draw_strip(picture, at);
        let (hours, minutes, seconds, millis) = at.time_of_day();
        let text = format!("UTC {hours:02}:{minutes:02}:{seconds:02}.{millis:03}  {frame}");
        let pad = self.text_height;
        let width = self.digits.width(&text) + pad;
        let box_ = Rect {
            x: self.size.width.saturating_sub(width + pad) & !1,
            y: self.size.height.saturating_sub(pad * 3) & !1,
            width: width.next_multiple_of(2),
            height: (pad * 2).next_multiple_of(2),
        };
        picture.blend_rect(box_, Colour::BLACK, 168);
        let row = box_.y + pad / 2 - self.text_height / 6;
        self.digits.layout(&text, box_.x + pad / 2, |mask, x| {
            picture.blend_mask(mask, x, row, Colour::WHITE)
        });
    }

    fn draw_strip(&self, picture: &mut Picture, at: Utc) {
        let height = strip_height(self.size);
        picture.fill(
            Rect {
                x: 0,
                y: 0,
                width: self.size.width,
                height,
            },
            Colour::BLACK,
        );
        let word = strip_word(at);
        let stride = picture.stride(0);
        for row in picture
            .plane_mut(0)
            .chunks_exact_mut(stride)
            .take(height as usize)
        {
            for block in (0..BLOCKS).filter(|block| word >> (BLOCKS - 1 - block) & 1 == 1) {
                let edge = |block: u32| (block * self.size.width / BLOCKS) as usize;
                row[edge(block)..edge(block + 1)].fill(Colour::WHITE.y);
            }
        }
    }
}

/// Reads the strip of a picture: the low 44 bits of the milliseconds since 1970, or nothing when there is no intact
/// strip.
#[must_use]
pub fn read_strip(picture: &Picture) -> Option<u64> {
    let size = picture.size();
    let row = (strip_height(size) / 2) as usize;
    let luma = picture.plane(0).get(row * size.width as usize..)?;
    let sample = |block: u32| {
        luma.get(((2 * block + 1) * size.width / (2 * BLOCKS)) as usize)
            .copied()
    };
    let threshold = (u16::from(sample(0)?) + u16::from(sample(1)?)) / 2;
    if sample(0)?.saturating_sub(sample(1)?) < 64 {
        return None;
    }
    let mut word = 0u64;
    for block in 0..BLOCKS {
        word = word << 1 | u64::from(u16::from(sample(block)?) > threshold);
    }
    let time = word >> 2 & ((1 << TIME_BITS) - 1);
    (word == frame_word(time)).then_some(time)
}

fn strip_word(at: Utc) -> u64 {
    frame_word(at.as_millis() & ((1 << TIME_BITS) - 1))
}

fn frame_word(time: u64) -> u64 {
    let parity = u64::from(time.count_ones() % 2);
    1 << (BLOCKS - 1) | time << 2 | parity << 1 | 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strip_of_a_known_instant_has_the_agreed_blocks() {
        let word = strip_word(Utc::from_millis(0b1011));
        assert_eq!(word, 1 << 47 | 0b1011 << 2 | 1 << 1 | 1);
        assert_eq!(
            strip_height(Size {
                width: 1280,
                height: 720
            }),
            40
        );
        assert_eq!(
            strip_height(Size {
                width: 848,
                height: 480
            }),
            26
        );
    }

    #[test]
    fn a_broken_strip_is_not_read() {
        let size = Size {
            width: 480,
            height: 270,
        };
        let mut picture = Picture::black(size);
        assert_eq!(read_strip(&picture), None);
        Burn::new(size).draw(&mut picture, Utc::from_millis(1_700_000_000_123), 1);
        picture.fill(
            Rect {
                x: 480 * 20 / 48,
                y: 0,
                width: 10,
                height: 16,
            },
            Colour::WHITE,
        );
        let flipped = picture.clone();
        picture.fill(
            Rect {
                x: 480 * 20 / 48,
                y: 0,
                width: 10,
                height: 16,
            },
            Colour::BLACK,
        );
        assert!(read_strip(&picture).is_none() || read_strip(&flipped).is_none());
    }

    proptest! {
        #[test]
        fn strip_is_read_back_on_every_rung(millis in 0u64..1 << 44, rung in 0usize..4) {
            let (width, height) = [(1280, 720), (848, 480), (480, 270), (320, 180)][rung];
            let size = Size { width, height };
            let mut picture = Picture::black(size);
            Burn::new(size).draw(&mut picture, Utc::from_millis(millis), millis);
            prop_assert_eq!(read_strip(&picture), Some(millis));
        }
    }
}
