//! Pictures: planar 4:2:0, the burned-in clock, the watermark, and the generated test picture. Integer arithmetic on
//! plain memory.

pub mod burn;
pub mod card;
pub mod font;
pub mod mark;
pub mod test_picture;

pub use burn::Burn;
pub use mark::Mark;
pub use test_picture::TestPicture;

use font::Mask;

/// A size in pixels. Both sides are even, as 4:2:0 asks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// The largest size of this shape that fits into `frame`, and where its left upper corner goes to be centred there.
    /// All four numbers are even.
    #[must_use]
    pub fn fit(self, frame: Self) -> (Self, u32, u32) {
        let (sw, sh) = (u64::from(self.width.max(1)), u64::from(self.height.max(1)));
        let (fw, fh) = (u64::from(frame.width), u64::from(frame.height));
        let (width, height) = if sw * fh >= fw * sh {
            (fw, fw * sh / sw)
        } else {
            (fh * sw / sh, fh)
        };
        // A shape within two pixel pairs of the frame fills it: 848x480 is not quite 16:9, and a hairline helps nobody.
        let snap = |inner: u64, outer: u64| {
            if inner + 4 >= outer {
                outer
            } else {
                inner.max(2) & !1
            }
        };
        let (width, height) = (snap(width, fw), snap(height, fh));
        let offset = |inner: u64, outer: u64| (((outer - inner) / 2) & !1) as u32;
        (
            Self {
                width: width as u32,
                height: height as u32,
            },
            offset(width, fw),
            offset(height, fh),
        )
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A colour in limited-range BT.709.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Colour {
    /// Luma, 16 to 235.
    pub y: u8,
    /// Blue difference, 16 to 240.
    pub u: u8,
    /// Red difference, 16 to 240.
    pub v: u8,
}

impl Colour {
    /// Reference black.
    pub const BLACK: Self = Self {
        y: 16,
        u: 128,
        v: 128,
    };
    /// Reference white.
    pub const WHITE: Self = Self {
        y: 235,
        u: 128,
        v: 128,
    };

    /// Converts full-range R'G'B' (0xRRGGBB) by BT.709.
    #[must_use]
    pub const fn rgb(rgb: u32) -> Self {
        let (r, g, b) = (
            (rgb >> 16 & 255) as i32,
            (rgb >> 8 & 255) as i32,
            (rgb & 255) as i32,
        );
        // Coefficients times 65536, with 219/255 and 224/255 folded in.
        let y = (11_966 * r + 40_254 * g + 4064 * b + 32_768) / 65_536 + 16;
        let u = (-6596 * r - 22_189 * g + 28_784 * b + 8_421_376) / 65_536;
        let v = (28_784 * r - 26_145 * g - 2639 * b + 8_421_376) / 65_536;
        Self {
            y: y as u8,
            u: u as u8,
            v: v as u8,
        }
    }

    /// The colour `weight`/256 of the way to `other`.
    #[must_use]
    pub const fn mix(self, other: Self, weight: u32) -> Self {
        Self {
            y: lerp(self.y, other.y, weight),
            u: lerp(self.u, other.u, weight),
            v: lerp(self.v, other.v, weight),
        }
    }
}

const fn lerp(from: u8, to: u8, weight: u32) -> u8 {
    ((from as u32 * (256 - weight) + to as u32 * weight + 128) >> 8) as u8
}

/// A rectangle in pixels; drawing rounds it to the even grid of the chroma.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rect {
    /// Left column.
    pub x: u32,
    /// Upper row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// One planar 4:2:0 picture without padding between rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Picture {
    size: Size,
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// A black picture.
    #[must_use]
    pub fn black(size: Size) -> Self {
        let (luma, chroma) = (plane_len(size, 0), plane_len(size, 1));
        Self {
            size,
            planes: [vec![16; luma], vec![128; chroma], vec![128; chroma]],
        }
    }

    /// The picture's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Bytes of plane 0 (luma), 1 (blue difference) or 2 (red difference); empty for any other.
    #[must_use]
    pub fn plane(&self, index: usize) -> &[u8] {
        self.planes.get(index).map_or(&[], Vec::as_slice)
    }

    /// The same to write to.
    #[must_use]
    pub fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        self.planes.get_mut(index).map_or(&mut [], Vec::as_mut_slice)
    }

    /// Bytes in a row of a plane.
    #[must_use]
    pub const fn stride(&self, index: usize) -> usize {
        (if index == 0 {
            self.size.width
        } else {
            self.size.width / 2
        }) as usize
    }

    /// Fills a rectangle, clipped to the picture.
    pub fn fill(&mut self, rect: Rect, colour: Colour) {
        self.blend_rect(rect, colour, 256);
    }

    /// Lays a colour over a rectangle with `weight`/256 of opacity, clipped to the picture.
    pub fn blend_rect(&mut self, rect: Rect, colour: Colour, weight: u32) {
        for (index, value) in [(0, colour.y), (1, colour.u), (2, colour.v)] {
            let shift = u32::from(index > 0);
            let (x0, x1) = self.clip(rect.x >> shift, rect.width >> shift, self.size.width >> shift);
            let (y0, y1) = self.clip(rect.y >> shift, rect.height >> shift, self.size.height >> shift);
            let stride = self.stride(index);
            for row in self.plane_mut(index).chunks_exact_mut(stride).take(y1).skip(y0) {
                match weight {
                    256 => row[x0..x1].fill(value),
                    _ => row[x0..x1]
                        .iter_mut()
                        .for_each(|pixel| *pixel = lerp(*pixel, value, weight)),
                }
            }
        }
    }

    /// Paints a colour through a mask whose left upper corner is at an even place, clipped to the picture.
    pub fn blend_mask(&mut self, mask: &Mask, x: u32, y: u32, colour: Colour) {
        let (x, y) = ((x & !1) as usize, (y & !1) as usize);
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let columns = mask.width().min(width.saturating_sub(x));
        let rows = mask.height().min(height.saturating_sub(y));
        for row in 0..rows {
            let target = &mut self.planes[0][(y + row) * width + x..][..columns];
            for (pixel, alpha) in target.iter_mut().zip(mask.row(row)) {
                if *alpha > 0 {
                    *pixel = lerp(*pixel, colour.y, u32::from(*alpha) + u32::from(*alpha >> 7));
                }
            }
        }
        for row in 0..rows / 2 {
            let (upper, lower) = (mask.row(row * 2), mask.row(row * 2 + 1));
            for column in 0..columns / 2 {
                let sum: u32 = [upper, lower]
                    .iter()
                    .flat_map(|alphas| &alphas[column * 2..column * 2 + 2])
                    .map(|alpha| u32::from(*alpha))
                    .sum();
                if sum > 0 {
                    let at = (y / 2 + row) * (width / 2) + x / 2 + column;
                    let weight = sum * 256 / 1020;
                    self.planes[1][at] = lerp(self.planes[1][at], colour.u, weight);
                    self.planes[2][at] = lerp(self.planes[2][at], colour.v, weight);
                }
            }
        }
    }

    /// Copies another picture of the same size into this one; a picture of another size is left out.
    pub fn copy_from(&mut self, other: &Self) {
        if self.size == other.size {
            for (to, from) in self.planes.iter_mut().zip(&other.planes) {
                to.copy_from_slice(from);
            }
        }
    }

    fn clip(&self, start: u32, length: u32, limit: u32) -> (usize, usize) {
        (
            start.min(limit) as usize,
            start.saturating_add(length).min(limit) as usize,
        )
    }
}

const fn plane_len(size: Size, index: usize) -> usize {
    let pixels = size.width as usize * size.height as usize;
    if index == 0 { pixels } else { pixels / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn bars_have_their_textbook_values() {
        assert_eq!(
            Colour::rgb(0xff_ffff),
            Colour {
                y: 235,
                u: 128,
                v: 128
            }
        );
        assert_eq!(Colour::rgb(0), Colour::BLACK);
        assert_eq!(
            Colour::rgb(0xff_0000),
            Colour {
                y: 63,
                u: 102,
                v: 240
            }
        );
        assert_eq!(
            Colour::rgb(0x00_00ff),
            Colour {
                y: 32,
                u: 240,
                v: 118
            }
        );
    }

    #[test]
    fn shapes_are_fitted_and_centred_on_even_pixels() {
        assert_eq!(size(640, 272).fit(size(1280, 720)), (size(1280, 544), 0, 88));
        assert_eq!(size(480, 480).fit(size(1280, 720)), (size(720, 720), 280, 0));
        assert_eq!(size(1280, 720).fit(size(848, 480)), (size(848, 480), 0, 0));
        assert_eq!(size(1920, 1080).fit(size(480, 270)), (size(480, 270), 0, 0));
    }

    #[test]
    fn drawing_outside_the_picture_is_clipped() {
        let mut picture = Picture::black(size(16, 16));
        picture.fill(
            Rect {
                x: 8,
                y: 8,
                width: 100,
                height: 100,
            },
            Colour::WHITE,
        );
        picture.fill(
            Rect {
                x: 99,
                y: 99,
                width: 4,
                height: 4,
            },
            Colour::WHITE,
        );
        let mask = Mask::text("88", 40);
        picture.blend_mask(&mask, 10, 12, Colour::WHITE);
        assert_eq!(picture.plane(0)[7 * 16 + 7], 16);
        assert_eq!(picture.plane(0)[15 * 16 + 15], 235);
    }
}
