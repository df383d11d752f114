//! Splices on their way: from who asks for them and from the input, to the tracks.

use std::sync::{Arc, mpsc::Receiver};

use super::Conductor;
use crate::{
    control::Command,
    encode::{AudioMessage, VideoMessage},
    ingest::Source,
    splice::{Splice, Splicer},
};

/// Where splices come from.
pub(super) struct Splices<'a> {
    splicer: Splicer,
    commands: Option<&'a Receiver<Command>>,
}

impl<'a> Splices<'a> {
    pub(super) const fn new(splicer: Splicer, commands: Option<&'a Receiver<Command>>) -> Self {
        Self { splicer, commands }
    }
}

impl Conductor<'_> {
    /// Takes what was asked for and what the input says, before the frame `next` is handed out.
    pub(super) fn splice(&mut self, source: &mut dyn Source, next: u64) {
        for heard in source.splices() {
            if let Some(splice) = self.splices.splicer.hear(&heard, next) {
                self.hand_out(splice, next);
            }
        }
        let commands = self.splices.commands;
        while let Some(command) = commands.and_then(|commands| commands.try_recv().ok()) {
            let planned = self.splices.splicer.ask(command.request, next);
            if let Ok(splice) = &planned {
                self.hand_out(splice.clone(), next);
            }
            // Who asked may have gone; the splice is made all the same.
            let _ = command.answer.send(planned);
        }
    }

    /// Every track hears of a splice before the frames that it is about.
    fn hand_out(&self, splice: Splice, next: u64) {
        tracing::info!(
            event = splice.event.map(|event| event.0),
            frame = splice.frame,
            ahead_ms = self
                .grid
                .time(splice.frame)
                .since(self.grid.time(next))
                .as_millis(),
            "splice"
        );
        let splice = Arc::new(splice);
        for (track, _) in &self.tracks.video {
            // A track that is gone has its own error to tell.
            let _ = track.send(VideoMessage::Splice(Arc::clone(&splice)));
        }
        if let Some(track) = &self.tracks.audio {
            let _ = track.send(AudioMessage::Splice(splice));
        }
    }
}
