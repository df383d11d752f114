//! A card with a name as a source: a slate for who has no picture.

use std::sync::Arc;

use super::{IngestError, Sound, Source, fill_sound};
use crate::pixel::{Picture, Size, card};

/// One picture, and a sound. Never ends, never fails.
#[derive(Debug)]
pub struct CardSource {
    picture: Arc<Picture>,
    sound: Sound,
}

impl CardSource {
    /// A card of this size with a name on it.
    #[must_use]
    pub fn new(size: Size, name: &str, sound: Sound) -> Self {
        Self {
            picture: Arc::new(card::draw(size, name)),
            sound,
        }
    }
}

impl Source for CardSource {
    fn shape(&self) -> Size {
        self.picture.size()
    }

    fn picture(&mut self, _: u64) -> Result<Arc<Picture>, IngestError> {
        Ok(Arc::clone(&self.picture))
    }

    fn sound(&mut self, first: u64, out: &mut [f32]) -> Result<(), IngestError> {
        fill_sound(self.sound, first, out);
        Ok(())
    }
}
