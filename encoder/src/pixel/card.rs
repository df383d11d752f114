//! A still picture with a name: what a slate shows that nobody made a picture for.

use super::{Colour, Picture, Rect, Size, font::Mask};

/// Draws a card of this size with a name in capital letters in its middle, as large as there is room for.
#[must_use]
pub fn draw(size: Size, name: &str) -> Picture {
    let mut picture = Picture::black(size);
    let whole = Rect {
        x: 0,
        y: 0,
        width: size.width,
        height: size.height,
    };
    picture.fill(whole, GROUND);
    let name = name.to_uppercase();
    let room = size.width as usize * 4 / 5;
    let tallest = size.height / 8;
    let text = Mask::text(&name, tallest);
    let height = if text.width() > room {
        (tallest as usize * room / text.width()) as u32
    } else {
        tallest
    };
    let text = Mask::text(&name, height.max(4));
    let (width, height) = (text.width() as u32, text.height() as u32);
    let left = (size.width.saturating_sub(width) / 2) & !1;
    let top = (size.height.saturating_sub(height) / 2) & !1;
    picture.blend_mask(&text, left, top, Colour::WHITE);
    let rule = Rect {
        x: left,
        y: (top + height + size.height / 40) & !1,
        width,
        height: (size.height / 180).max(2) & !1,
    };
    picture.fill(rule, THREAD);
    picture
}

const GROUND: Colour = Colour::rgb(0x16_2238);
const THREAD: Colour = Colour::rgb(0xe8_5d3d);
