//! The test picture and its tone as a source.

use std::sync::Arc;

use super::{IngestError, Sound, Source, fill_sound};
use crate::{
    clock::Grid,
    pixel::{Picture, Size, TestPicture},
};

/// Generates the test picture and a sound. Never ends, never fails.
#[derive(Debug)]
pub struct TestSource {
    picture: TestPicture,
    size: Size,
    sound: Sound,
}

impl TestSource {
    /// A source of test pictures of this size on a grid, with the channel's name in them.
    #[must_use]
    pub fn new(size: Size, grid: Grid, name: &str, sound: Sound) -> Self {
        Self {
            picture: TestPicture::new(size, grid, name),
            size,
            sound,
        }
    }
}

impl Source for TestSource {
    fn shape(&self) -> Size {
        self.size
    }

    fn picture(&mut self, frame: u64) -> Result<Arc<Picture>, IngestError> {
        Ok(Arc::new(self.picture.draw(frame)))
    }

    fn sound(&mut self, first: u64, out: &mut [f32]) -> Result<(), IngestError> {
        fill_sound(self.sound, first, out);
        Ok(())
    }
}
