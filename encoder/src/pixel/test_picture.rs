//! The generated test picture: what a channel shows when it has no input.
//!
//! A pure function of the frame number. Everything that stands still is drawn once; a frame costs one copy of that
//! background, two scrolled bands, a dial and a line of digits.

use super::{
    Colour, Picture, Rect, Size,
    burn::strip_height,
    font::{Digits, Mask},
};
use crate::clock::Grid;

/// Draws test pictures of one size.
#[derive(Clone, Debug)]
pub struct TestPicture {
    grid: Grid,
    background: Picture,
    weave: Weave,
    clock: Digits,
    clock_at: (u32, u32),
    dial: Dial,
    shuttle: Mask,
    track: Rect,
}

impl TestPicture {
    /// Prepares pictures of this size, with a name in capital letters, for a grid.
    #[must_use]
    pub fn new(size: Size, grid: Grid, name: &str) -> Self {
        let unit = |share: u32| (size.height * share / 720).max(2) & !1;
        let top = strip_height(size);
        let mut background = Picture::black(size);
        draw_ground(&mut background);

        let weave = Weave::new(
            size,
            Rect {
                x: 0,
                y: top,
                width: size.width,
                height: unit(56),
            },
        );
        let bars = Rect {
            x: 0,
            y: size.height - unit(180),
            width: size.width,
            height: unit(76),
        };
        draw_bars(&mut background, bars);
        draw_ramp(
            &mut background,
            Rect {
                y: bars.y + bars.height,
                height: unit(20),
                ..bars
            },
        );

        let left = unit(96);
        let title = Mask::text(name, unit(62));
        background.blend_mask(&title, left, top + unit(126), Colour::WHITE);
        let rule = Rect {
            x: left,
            y: top + unit(226),
            width: title.width() as u32,
            height: unit(4),
        };
        background.fill(rule, THREAD);
        let caption = format!(
            "LIVE TEST PICTURE  {}X{}  {} FPS",
            size.width,
            size.height,
            grid.fps()
        );
        background.blend_mask(&Mask::text(&caption, unit(16)), left, rule.y + unit(22), MUTED);

        let clock = Digits::new(unit(104));
        let dial_size = unit(236);
        let dial = Dial::new(
            dial_size,
            (size.width.saturating_sub(dial_size + left)) & !1,
            top + unit(114),
        );
        background.blend_mask(&dial.groove, dial.x, dial.y, GROOVE);

        let track = Rect {
            x: left,
            y: top + unit(458),
            width: size.width.saturating_sub(2 * left),
            height: unit(4),
        };
        background.fill(track, GROOVE);
        let shuttle = disc(unit(26) as usize);
        Self {
            grid,
            background,
            weave,
            clock,
            clock_at: (left, top + unit(306)),
            dial,
            shuttle,
            track,
        }
    }

    /// Draws one frame of the epoch grid.
    #[must_use]
    pub fn draw(&self, frame: u64) -> Picture {
        let mut picture = self.background.clone();
        let fps = u64::from(self.grid.fps());
        self.weave.draw(&mut picture, (frame * 100 / fps) as usize);

        let (hours, minutes, seconds, _) = self.grid.time(frame).time_of_day();
        let text = format!("{hours:02}:{minutes:02}:{seconds:02}");
        let (x, y) = self.clock_at;
        self.clock
            .layout(&text, x, |mask, x| picture.blend_mask(mask, x, y, Colour::WHITE));

        let in_second = (frame % fps) as u32;
        self.dial.draw(&mut picture, in_second, self.grid.fps());
        self.draw_shuttle(&mut picture, frame);
        picture
    }

    /// The shuttle crosses the picture in two seconds and comes back in two.
    fn draw_shuttle(&self, picture: &mut Picture, frame: u64) {
        let period = 4 * u64::from(self.grid.fps());
        let phase = frame % period;
        let there = phase.min(period - phase) as u32;
        let reach = self.track.width.saturating_sub(self.shuttle.width() as u32);
        let x = self.track.x + reach * there / (period as u32 / 2);
        let y = self.track.y + self.track.height / 2 - self.shuttle.height() as u32 / 2;
        picture.blend_mask(&self.shuttle, x, y, THREAD);
    }
}

/// The dial fills once a second and flashes on the full second, together with the beep.
#[derive(Clone, Debug)]
struct Dial {
    x: u32,
    y: u32,
    groove: Mask,
    core: Mask,
    /// Pixels of the ring by turn: column, row, coverage.
    ring: Vec<(f32, u32, u32, u8)>,
    digits: Digits,
    centre: (u32, u32),
}

impl Dial {
    fn new(size: u32, x: u32, y: u32) -> Self {
        let middle = size as f32 / 2.0;
        let radius = move |px: usize, py: usize| (px as f32 + 0.5 - middle).hypot(py as f32 + 0.5 - middle);
        let (outer, inner) = (middle - 1.0, middle * 0.80);
        let groove = Mask::from_fn(size as usize, size as usize, |px, py| {
            (outer - radius(px, py) + 0.5).min(radius(px, py) - inner + 0.5)
        });
        let core = Mask::from_fn(size as usize, size as usize, |px, py| {
            middle * 0.68 - radius(px, py) + 0.5
        });
        let mut ring: Vec<_> = (0..groove.height())
            .flat_map(|py| (0..groove.width()).map(move |px| (px, py)))
            .filter_map(|(px, py)| {
                let cover = groove.row(py)[px];
                let (dx, dy) = (px as f32 + 0.5 - middle, py as f32 + 0.5 - middle);
                let turn = (dx.atan2(-dy) / std::f32::consts::TAU).rem_euclid(1.0);
                (cover > 0).then_some((turn, px as u32, py as u32, cover))
            })
            .collect();
        ring.sort_by(|a, b| a.0.total_cmp(&b.0));
        let digits = Digits::new((size * 30 / 100) & !1);
        Self {
            x,
            y,
            groove,
            core,
            ring,
            digits,
            centre: (x + size / 2, y + size / 2),
        }
    }

    fn draw(&self, picture: &mut Picture, in_second: u32, fps: u32) {
        let turn = (in_second + 1) as f32 / fps as f32;
        let end = self.ring.partition_point(|pixel| pixel.0 < turn);
        let width = picture.stride(0);
        for (_, px, py, cover) in &self.ring[..end] {
            let (x, y) = ((self.x + px) as usize, (self.y + py) as usize);
            let weight = u32::from(*cover) + u32::from(*cover >> 7);
            picture.put(0, y * width + x, THREAD.y, weight);
            if (x | y) & 1 == 0 {
                picture.put(1, y / 2 * (width / 2) + x / 2, THREAD.u, weight);
                picture.put(2, y / 2 * (width / 2) + x / 2, THREAD.v, weight);
            }
        }
        // As long as the beep: a tenth of a second.
        let flash = in_second * 10 < fps;
        if flash {
            picture.blend_mask(&self.core, self.x, self.y, Colour::WHITE);
        }
        let text = format!("{in_second:02}");
        let height = self.digits.width("0") * 7 / 6;
        let left = self.centre.0.saturating_sub(self.digits.width(&text) / 2) + height / 7;
        let row = self.centre.1.saturating_sub(height / 2);
        let ink = if flash { GROUND_TOP } else { Colour::WHITE };
        self.digits
            .layout(&text, left, |mask, x| picture.blend_mask(mask, x, row, ink));
    }
}

impl Picture {
    fn put(&mut self, plane: usize, at: usize, value: u8, weight: u32) {
        if let Some(pixel) = self.plane_mut(plane).get_mut(at) {
            *pixel = super::lerp(*pixel, value, weight);
        }
    }
}

/// A woven band that scrolls sideways: rows of a texture one repeat wider than the picture.
#[derive(Clone, Debug)]
struct Weave {
    texture: Picture,
    rect: Rect,
    repeat: usize,
}

impl Weave {
    fn new(size: Size, rect: Rect) -> Self {
        let thread = (rect.height / 4).max(4) & !1;
        let repeat = thread * 4;
        let texture_size = Size {
            width: size.width + repeat,
            height: rect.height,
        };
        let mut texture = Picture::black(texture_size);
        // A 2/2 twill: each weft passes over two warps, one step further in every row.
        for row in 0..rect.height.div_ceil(thread) {
            for column in 0..texture_size.width.div_ceil(thread) {
                let over = (column + row) % 4 < 2;
                let (colour, edge) = if over {
                    (THREAD, THREAD_SHADE)
                } else {
                    (WARP, WARP_SHADE)
                };
                let cell = Rect {
                    x: column * thread,
                    y: row * thread,
                    width: thread,
                    height: thread,
                };
                texture.fill(cell, colour);
                let lip = (thread / 7).max(2) & !1;
                let shade = match over {
                    true => Rect {
                        y: cell.y + thread - lip,
                        height: lip,
                        ..cell
                    },
                    false => Rect {
                        x: cell.x + thread - lip,
                        width: lip,
                        ..cell
                    },
                };
                texture.fill(shade, edge);
            }
        }
        Self {
            texture,
            rect,
            repeat: repeat as usize,
        }
    }

    fn draw(&self, picture: &mut Picture, offset: usize) {
        for plane in 0..3 {
            let shift = usize::from(plane > 0);
            let offset = (offset * 2 % self.repeat) >> shift;
            let (stride, from) = (picture.stride(plane), self.texture.stride(plane));
            let rows = picture
                .plane_mut(plane)
                .chunks_exact_mut(stride)
                .skip((self.rect.y >> shift) as usize);
            for (to, row) in rows.zip(self.texture.plane(plane).chunks_exact(from)) {
                to.copy_from_slice(&row[offset..offset + to.len()]);
            }
        }
    }
}

fn draw_ground(picture: &mut Picture) {
    let size = picture.size();
    for y in (0..size.height).step_by(2) {
        let weight = y * 256 / size.height;
        let row = Rect {
            x: 0,
            y,
            width: size.width,
            height: 2,
        };
        picture.fill(row, GROUND_TOP.mix(GROUND_BOTTOM, weight));
    }
    let step = (size.height / 12).max(4) & !1;
    for x in (step..size.width).step_by(step as usize) {
        picture.blend_rect(
            Rect {
                x,
                y: 0,
                width: 2,
                height: size.height,
            },
            Colour::WHITE,
            7,
        );
    }
    for y in (step..size.height).step_by(step as usize) {
        picture.blend_rect(
            Rect {
                x: 0,
                y,
                width: size.width,
                height: 2,
            },
            Colour::WHITE,
            7,
        );
    }
}

/// Colour bars of 75 % amplitude, white to black.
fn draw_bars(picture: &mut Picture, rect: Rect) {
    let bars = [
        0xbf_bfbf, 0xbf_bf00, 0x00_bfbf, 0x00_bf00, 0xbf_00bf, 0xbf_0000, 0x00_00bf, 0x00_0000,
    ];
    for (index, rgb) in (0u32..).zip(bars) {
        let edge = |index: u32| (rect.width * index / 8) & !1;
        let bar = Rect {
            x: rect.x + edge(index),
            width: edge(index + 1) - edge(index),
            ..rect
        };
        picture.fill(bar, Colour::rgb(rgb));
    }
}

/// A ramp from black to white, to judge levels and banding.
fn draw_ramp(picture: &mut Picture, rect: Rect) {
    for x in (0..rect.width).step_by(2) {
        let column = Rect {
            x: rect.x + x,
            width: 2,
            ..rect
        };
        picture.fill(column, Colour::BLACK.mix(Colour::WHITE, x * 256 / rect.width));
    }
}

fn disc(size: usize) -> Mask {
    let middle = size as f32 / 2.0;
    Mask::from_fn(size, size, |x, y| {
        middle - (x as f32 + 0.5 - middle).hypot(y as f32 + 0.5 - middle)
    })
}

const GROUND_TOP: Colour = Colour::rgb(0x0e_1726);
const GROUND_BOTTOM: Colour = Colour::rgb(0x1d_2f4a);
const GROOVE: Colour = Colour::rgb(0x2c_4263);
const MUTED: Colour = Colour::rgb(0x9f_b3cd);
const THREAD: Colour = Colour::rgb(0xe8_5d3d);
const THREAD_SHADE: Colour = Colour::rgb(0xb8_4229);
const WARP: Colour = Colour::rgb(0xf2_e9dc);
const WARP_SHADE: Colour = Colour::rgb(0xcf_c2ae);

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> TestPicture {
        let grid = Grid::with_default_cadence(25).unwrap();
        TestPicture::new(
            Size {
                width: 640,
                height: 360,
            },
            grid,
            "SELVEDGE",
        )
    }

    #[test]
    fn the_same_frame_is_the_same_picture_and_the_next_one_differs() {
        let test = picture();
        assert_eq!(test.draw(44_000_000_000), test.draw(44_000_000_000));
        assert_ne!(test.draw(44_000_000_000), test.draw(44_000_000_001));
    }

    #[test]
    fn dial_flashes_on_the_full_second_only() {
        let test = picture();
        let (x, y) = ((test.dial.centre.0) as usize, (test.dial.y + 46) as usize);
        let luma = |frame| test.draw(frame).plane(0)[y * 640 + x];
        assert_eq!((luma(2500), luma(2502)), (235, 235));
        assert!(luma(2503) < 60 && luma(2524) < 60);
    }

    #[test]
    fn odd_and_tiny_sizes_are_drawn() {
        let grid = Grid::with_default_cadence(30).unwrap();
        for (width, height) in [(64, 36), (176, 144), (254, 142), (1920, 1080)] {
            let size = Size { width, height };
            assert_eq!(TestPicture::new(size, grid, "SELVEDGE").draw(7).size(), size);
        }
    }
}
