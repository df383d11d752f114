//! A source that is played once and then stands still.

use std::sync::Arc;

use super::{IngestError, Source};
use crate::{
    clock::Grid,
    pixel::{Picture, Size},
};

/// The first frames of a source; behind them its last picture, and silence.
pub struct Once {
    source: Box<dyn Source>,
    grid: Grid,
    frames: u64,
    last: Option<Arc<Picture>>,
}

impl Once {
    /// The frames from 0 to `frames` of a source.
    #[must_use]
    pub fn new(source: Box<dyn Source>, grid: Grid, frames: u64) -> Self {
        Self {
            source,
            grid,
            frames,
            last: None,
        }
    }
}

impl Source for Once {
    fn shape(&self) -> Size {
        self.source.shape()
    }

    fn picture(&mut self, frame: u64) -> Result<Arc<Picture>, IngestError> {
        match &self.last {
            Some(last) if frame >= self.frames => Ok(Arc::clone(last)),
            _ => {
                let picture = self.source.picture(frame)?;
                self.last = Some(Arc::clone(&picture));
                Ok(picture)
            }
        }
    }

    fn sound(&mut self, first: u64, out: &mut [f32]) -> Result<(), IngestError> {
        let room = self.grid.sample_of(self.frames).saturating_sub(first);
        let there = usize::try_from(room * 2).unwrap_or(out.len()).min(out.len());
        let (sound, silence) = out.split_at_mut(there);
        silence.fill(0.0);
        if sound.is_empty() {
            return Ok(());
        }
        self.source.sound(first, sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{CardSource, Sound, TestSource};

    const SIZE: Size = Size {
        width: 192,
        height: 108,
    };

    #[test]
    fn behind_its_end_a_source_shows_its_last_picture_in_silence() {
        let grid = Grid::with_default_cadence(25).unwrap();
        let source = TestSource::new(SIZE, grid, "X", Sound::Tone);
        let mut once = Once::new(Box::new(source), grid, 2);
        let pictures: Vec<_> = (0..4).map(|frame| once.picture(frame).unwrap()).collect();
        assert_ne!(pictures[0], pictures[1]);
        assert!(pictures[1] == pictures[2] && pictures[2] == pictures[3]);
        let mut sound = vec![1.0; 8];
        once.sound(2 * 1920 - 2, &mut sound).unwrap();
        assert!(sound[..4].iter().all(|value| value.abs() < 1.0));
        assert_eq!(sound[4..], [0.0; 4]);
        once.sound(9000, &mut sound).unwrap();
        assert_eq!(sound, [0.0; 8]);
    }

    #[test]
    fn a_card_says_its_name() {
        let card = |name| CardSource::new(SIZE, name, Sound::Silence).picture(0).unwrap();
        assert_ne!(card("slate"), card("acme-30"));
    }
}
