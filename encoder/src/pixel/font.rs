//! A small typeface of strokes, drawn into coverage masks at any height.
//!
//! Each glyph is a few strokes on a grid of 5 columns and 7 rows; a stroke marked `~` is smoothed by cutting its corners.
//! One pen of constant width and round ends draws them, so the letters stay legible from a phone to a wall.

/// Coverage of each pixel, 0 to 255. Both sides are even.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mask {
    width: usize,
    height: usize,
    alpha: Vec<u8>,
}

impl Mask {
    /// A mask computed from a coverage function of the pixel's column and row, 0.0 to 1.0.
    #[must_use]
    pub fn from_fn(width: usize, height: usize, coverage: impl Fn(usize, usize) -> f32) -> Self {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let alpha = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| (coverage(x, y).clamp(0.0, 1.0) * 255.0).round() as u8)
            .collect();
        Self { width, height, alpha }
    }

    /// One line of text. `height` is that of a capital letter in pixels, without the pen's own overhang. Characters
    /// that the typeface lacks are left blank.
    #[must_use]
    pub fn text(text: &str, height: u32) -> Self {
        let unit = height as f32 / 6.0;
        let pad = (PEN * unit).ceil().max(1.0);
        let mut segments = Vec::new();
        let mut pen_x = 0.0;
        for letter in text.chars() {
            let (left, advance) = spacing(letter);
            for stroke in glyph(letter).split(';').filter(|stroke| !stroke.is_empty()) {
                let points = points(stroke);
                segments.extend(points.windows(2).map(|pair| {
                    [
                        pen_x + pair[0].0 - left,
                        pair[0].1,
                        pen_x + pair[1].0 - left,
                        pair[1].1,
                    ]
                }));
            }
            pen_x += advance;
        }
        let width = ((pen_x - 2.0).max(0.0) * unit + 2.0 * pad).ceil() as usize;
        let rows = (6.0 * unit + 2.0 * pad).ceil() as usize;
        let mut mask = Self::from_fn(width, rows, |_, _| 0.0);
        let radius = PEN / 2.0 * unit;
        for [x0, y0, x1, y1] in segments {
            mask.stroke(
                [x0 * unit + pad, y0 * unit + pad, x1 * unit + pad, y1 * unit + pad],
                radius,
            );
        }
        mask
    }

    /// Columns.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Coverage of one row; empty below the last.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        self.alpha
            .get(row * self.width..(row + 1) * self.width)
            .unwrap_or(&[])
    }

    fn stroke(&mut self, [x0, y0, x1, y1]: [f32; 4], radius: f32) {
        let reach = radius + 1.0;
        let clamp = |value: f32, limit: usize| (value.max(0.0) as usize).min(limit);
        let columns = clamp(x0.min(x1) - reach, self.width)..clamp(x0.max(x1) + reach + 1.0, self.width);
        let rows = clamp(y0.min(y1) - reach, self.height)..clamp(y0.max(y1) + reach + 1.0, self.height);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length = (dx * dx + dy * dy).max(1e-6);
        for y in rows {
            for x in columns.clone() {
                let (px, py) = (x as f32 + 0.5 - x0, y as f32 + 0.5 - y0);
                let along = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let cover = ((radius - distance + 0.5).clamp(0.0, 1.0) * 255.0) as u8;
                let pixel = &mut self.alpha[y * self.width + x];
                *pixel = (*pixel).max(cover);
            }
        }
    }
}

/// Masks of the characters of a clock at one height, laid out with equal steps so that digits do not dance.
#[derive(Clone, Debug)]
pub struct Digits {
    glyphs: Vec<(char, Mask)>,
    unit: f32,
}

impl Digits {
    /// Draws all glyphs of the typeface once, at a capital's height in pixels.
    #[must_use]
    pub fn new(height: u32) -> Self {
        let glyphs = ALPHABET
            .chars()
            .map(|letter| (letter, Mask::text(&letter.to_string(), height)))
            .collect();
        Self {
            glyphs,
            unit: height as f32 / 6.0,
        }
    }

    /// Calls `draw` with the mask and the column of each character of a line of text that starts at column `x`.
    pub fn layout<'a>(&'a self, text: &str, x: u32, mut draw: impl FnMut(&'a Mask, u32)) {
        let mut pen = x as f32;
        for letter in text.chars() {
            if let Some((_, mask)) = self.glyphs.iter().find(|(known, _)| *known == letter) {
                draw(mask, pen.round() as u32);
            }
            pen += spacing(letter).1 * self.unit;
        }
    }

    /// Width of a line of text in pixels.
    #[must_use]
    pub fn width(&self, text: &str) -> u32 {
        (text.chars().map(|letter| spacing(letter).1).sum::<f32>() * self.unit).ceil() as u32
    }
}

/// Width of the pen in grid units.
const PEN: f32 = 0.95;

const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:.-/";

/// Left bearing taken off, and step to the next character, in grid units.
const fn spacing(letter: char) -> (f32, f32) {
    match letter {
        ':' | '.' => (1.5, 3.0),
        ' ' => (0.0, 3.5),
        _ => (0.0, 6.0),
    }
}

const fn glyph(letter: char) -> &'static str {
    match letter {
        '0' | 'O' => "~10 30 41 45 36 16 05 01 10",
        '1' => "02 20 26",
        '2' => "~01 10 30 41 42 33 06;06 46",
        '3' => "~01 10 30 41 42 33 23;~23 33 44 45 36 16 05",
        '4' => "36 30 04 44",
        '5' => "40 00 03;~03 12 32 43 45 36 16 05",
        '6' => "~41 30 10 01 04;~13 33 44 45 36 16 05 04 13",
        '7' => "00 40 16",
        '8' => "~10 30 41 42 33 13 02 01 10;~13 33 44 45 36 16 05 04 13",
        '9' => "~13 33 42 41 30 10 01 02 13;~42 45 36 16 05",
        'A' => "06 20 46;14 34",
        'B' => "00 06;~00 30 41 42 33 03;~03 33 44 45 36 06",
        'C' => "~41 30 10 01 05 16 36 45",
        'D' => "00 06;~00 20 41 45 26 06",
        'E' => "40 00 06 46;03 33",
        'F' => "40 00 06;03 33",
        'G' => "~41 30 10 01 05 16 36 45 43;43 23",
        'H' => "00 06;40 46;03 43",
        'I' => "10 30;20 26;16 36",
        'J' => "~40 45 36 16 05",
        'K' => "00 06;40 03;13 46",
        'L' => "00 06 46",
        'M' => "06 00 23 40 46",
        'N' => "06 00 46 40",
        'P' => "00 06;~00 30 41 42 33 03",
        'Q' => "~10 30 41 45 36 16 05 01 10;34 46",
        'R' => "00 06;~00 30 41 42 33 03;23 46",
        'S' => "~41 30 10 01 02 13 33 44 45 36 16 05",
        'T' => "00 40;20 26",
        'U' => "~00 05 16 36 45 40",
        'V' => "00 26 40",
        'W' => "00 16 22 36 40",
        'X' => "00 46;40 06",
        'Y' => "00 23 40;23 26",
        'Z' => "00 40 06 46",
        ':' => "22 22;25 25",
        '.' => "26 26",
        '-' => "13 33",
        '/' => "40 06",
        _ => "",
    }
}

fn points(stroke: &str) -> Vec<(f32, f32)> {
    let smooth = stroke.starts_with('~');
    let mut points: Vec<(f32, f32)> = stroke
        .trim_start_matches('~')
        .split(' ')
        .filter_map(|pair| {
            let mut digits = pair.chars().filter_map(|digit| digit.to_digit(10));
            Some((digits.next()? as f32, digits.next()? as f32))
        })
        .collect();
    for _ in 0..if smooth { 3 } else { 0 } {
        points = cut_corners(&points);
    }
    points
}

/// One round of Chaikin's corner cutting; the ends of an open line stay where they are.
fn cut_corners(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    let closed = points.first() == points.last();
    let between = |a: (f32, f32), b: (f32, f32), t: f32| (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t);
    let mut cut = Vec::with_capacity(points.len() * 2);
    for pair in points.windows(2) {
        cut.push(between(pair[0], pair[1], 0.25));
        cut.push(between(pair[0], pair[1], 0.75));
    }
    if let (Some(first), Some(last), false) = (points.first(), points.last(), closed) {
        cut.insert(0, *first);
        cut.push(*last);
    } else if let Some(first) = cut.first().copied() {
        cut.push(first);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_alphabet_has_ink_and_no_two_look_alike() {
        let masks: Vec<_> = ALPHABET
            .chars()
            .map(|letter| Mask::text(&letter.to_string(), 24))
            .collect();
        for (index, mask) in masks.iter().enumerate() {
            assert!(
                mask.alpha.iter().any(|alpha| *alpha > 200),
                "glyph {index} is blank"
            );
        }
        for a in 0..masks.len() {
            for b in a + 1..masks.len() {
                let twins = ALPHABET.chars().nth(a) == Some('0') && ALPHABET.chars().nth(b) == Some('O');
                assert!(twins || masks[a] != masks[b], "glyphs {a} and {b} look alike");
            }
        }
    }

    #[test]
    fn masks_have_even_sides() {
        for height in 5..40 {
            let mask = Mask::text("12:34", height);
            assert_eq!((mask.width() % 2, mask.height() % 2), (0, 0));
        }
    }
}
