//! From the nodes of a row to its pixels, in 16 bits throughout, so that eight or sixteen are done at a time.

use super::texture::BLOCK;

/// Thresholds of an ordered screen of 8 by 8 pixels (Bayer's), evenly over one code value, in 8192nds of one. Its
/// coarsest wave is as fine as pixels get: what an encoder leaves out first.
const SCREEN: [[i16; 8]; 8] = screen();

/// Marks one row: `nodes` lie 16 pixels apart.
pub(super) fn mark_row(row: usize, from: &[u8], nodes: &[i16], a: &mut [u8], b: &mut [u8]) {
    let screen = SCREEN[row % 8];
    let variants = a.chunks_mut(BLOCK).zip(b.chunks_mut(BLOCK));
    for ((from, (a, b)), ends) in from.chunks(BLOCK).zip(variants).zip(nodes.windows(2)) {
        let [left, right] = [ends[0], ends[1]];
        match (from.as_array(), a.as_mut_array(), b.as_mut_array()) {
            (Some(from), Some(a), Some(b)) => mark_block(&screen, from, left, right, a, b),
            _ => {
                // The last pixels of a row that is no multiple of 16.
                let mut whole = [[0; BLOCK]; 3];
                whole[0][..from.len()].copy_from_slice(from);
                let [padded, up, down] = &mut whole;
                mark_block(&screen, padded, left, right, up, down);
                a.copy_from_slice(&up[..a.len()]);
                b.copy_from_slice(&down[..b.len()]);
            }
        }
    }
}

fn mark_block(
    screen: &[i16; 8],
    from: &[u8; BLOCK],
    left: i16,
    right: i16,
    a: &mut [u8; BLOCK],
    b: &mut [u8; BLOCK],
) {
    let line = line(left, right);
    for at in 0..BLOCK {
        let (luma, threshold) = (i16::from(from[at]), screen[at % 8]);
        // Shifts round down: as many of the thresholds lift a value to the next whole one as it is above the last one.
        let up = (line[at] + threshold) >> 13;
        let down = (threshold - line[at]) >> 13;
        a[at] = (luma + up).clamp(0, 255) as u8;
        b[at] = (luma + down).clamp(0, 255) as u8;
    }
}

/// A row's amplitudes, in 8192nds of a code value.
pub(super) fn amplitudes(nodes: &[i16], width: usize, out: &mut Vec<i16>) {
    let end = out.len() + width;
    for ends in nodes.windows(2) {
        out.extend_from_slice(&line(ends[0], ends[1]));
    }
    out.truncate(end);
}

/// A straight line of 16 pixels from one node to the next, 16 times as fine as they are. What is between may leave 16
/// bits, what comes out does not: it wraps back.
fn line(left: i16, right: i16) -> [i16; BLOCK] {
    let step = right - left;
    std::array::from_fn(|at| (left * BLOCK as i16).wrapping_add(step.wrapping_mul(at as i16)))
}

const fn screen() -> [[i16; 8]; 8] {
    let mut screen = [[0; 8]; 8];
    let (mut row, mut column) = (0, 0);
    while row < 8 {
        // The bits of the two coordinates, mixed, from the lowest as the highest.
        let (mut rank, mut bit) = (0, 0);
        while bit < 3 {
            let (x, y) = (column >> bit & 1, row >> bit & 1);
            rank = rank << 2 | (x ^ y) << 1 | y;
            bit += 1;
        }
        // In the middle of its share, so that thresholds and their opposites are the same ones.
        screen[row][column] = (rank as i16) * 128 + 64;
        column += 1;
        if column == 8 {
            column = 0;
            row += 1;
        }
    }
    screen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_screen_has_each_threshold_once() {
        let mut all: Vec<i16> = SCREEN.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..64).map(|rank| rank * 128 + 64).collect::<Vec<_>>());
        assert_eq!(SCREEN[0][..4], [64, 64 + 32 * 128, 64 + 8 * 128, 64 + 40 * 128]);
    }

    proptest! {
        #[test]
        fn a_level_amplitude_is_the_mean_of_what_is_added(node in -1520i16..=1520) {
            let (from, mut up, mut down) = ([128u8; 16], [0; 16], [0; 16]);
            let mut sums = [0i32; 2];
            for row in 0..8 {
                mark_row(row, &from, &[node, node], &mut up, &mut down);
                for (sum, variant) in sums.iter_mut().zip([&up, &down]) {
                    *sum += variant.iter().map(|luma| i32::from(*luma) - 128).sum::<i32>();
                }
            }
            // In 512ths; a screen has 64 steps.
            let mean = f64::from(sums[0]) * 512.0 / 128.0;
            prop_assert!((mean - f64::from(node)).abs() <= 4.0, "{mean}");
            // An amplitude that is a threshold falls to one side, in both halves of the row.
            prop_assert!((sums[0] + sums[1]).abs() <= 2);
        }

        #[test]
        fn the_end_of_a_row_is_marked_as_the_middle_is(width in 1usize..40, nodes in prop::collection::vec(-1520i16..=1520, 4)) {
            let (from, mut long, mut other) = ([100u8; 48], [0; 48], [0; 48]);
            mark_row(3, &from, &nodes, &mut long, &mut other);
            let (mut short, mut rest) = (vec![0; width], vec![0; width]);
            mark_row(3, &from[..width], &nodes, &mut short, &mut rest);
            prop_assert_eq!(&long[..width], &short[..]);
            prop_assert_eq!(&other[..width], &rest[..]);
            let mut amplitude = Vec::new();
            amplitudes(&nodes, width, &mut amplitude);
            prop_assert_eq!(amplitude.len(), width);
        }
    }
}
