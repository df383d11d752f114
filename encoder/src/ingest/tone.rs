//! Generated sound: a soft chord with a beep on every full second of UTC.

use std::{f32::consts::TAU, sync::LazyLock};

use crate::clock::SAMPLE_RATE;

/// What is heard when an input has no sound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sound {
    /// A soft 440 Hz with its fifth, and a beep of a tenth of a second at each full second.
    #[default]
    Tone,
    /// Nothing.
    Silence,
}

/// Fills `out` (left and right in turn) with the sound from sample `first` since 1970 on.
///
/// All frequencies are whole numbers of cycles a second, so one second holds everything and the sound of an instant does
/// not depend on when the encoder was started.
pub fn fill(sound: Sound, first: u64, out: &mut [f32]) {
    match sound {
        Sound::Silence => out.fill(0.0),
        Sound::Tone => {
            let start = (first % u64::from(SAMPLE_RATE)) as usize;
            let second = SECOND.iter().cycle().skip(start);
            for (pair, value) in out.chunks_exact_mut(2).zip(second) {
                pair.fill(*value);
            }
        }
    }
}

static SECOND: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..SAMPLE_RATE)
        .map(|sample| {
            let seconds = sample as f32 / SAMPLE_RATE as f32;
            let wave = |hertz: f32| (TAU * (hertz * seconds).fract()).sin();
            let bed = 0.035 * wave(440.0) + 0.012 * wave(660.0);
            // Sharp attack, for it marks an instant; soft release, for it is heard all day.
            let attack = (seconds / 0.001).min(1.0);
            let release = ((0.1 - seconds) / 0.03).clamp(0.0, 1.0);
            bed + 0.22 * attack * release * wave(1000.0)
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(first: u64, samples: usize) -> Vec<f32> {
        let mut out = vec![0.0; samples * 2];
        fill(Sound::Tone, first, &mut out);
        out
    }

    #[test]
    fn pieces_join_to_the_same_sound() {
        let whole = sound(47_000, 3000);
        let pieces = [sound(47_000, 1500), sound(48_500, 1500)].concat();
        assert_eq!(whole, pieces);
    }

    #[test]
    fn beep_stands_out_in_the_first_tenth_of_a_second_only() {
        let peak = |first, samples| {
            sound(first, samples)
                .iter()
                .fold(0.0f32, |peak, value| peak.max(value.abs()))
        };
        assert!(peak(48_000 * 7, 2400) > 0.2);
        assert!(peak(48_000 * 7 + 4800, 43_200) < 0.06);
    }
}
