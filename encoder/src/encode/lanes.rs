//! A rung's ways from pictures to chunks: one, or one for each variant, in step.

use std::{collections::VecDeque, panic::resume_unwind, sync::Arc, thread};

use bytes::Bytes;

use super::{Coded, EncodeError, VideoEncoder};
use crate::{
    clock::Utc,
    cmaf::{CmafError, Sample, Segmenter, Sink, equalise},
    pixel::Picture,
    stats::TrackStats,
};

/// One variant's way.
pub(crate) struct Lane {
    encoder: VideoEncoder,
    /// What waits for the other variants.
    ready: VecDeque<Coded>,
    segmenter: Segmenter,
    sink: Box<dyn Sink>,
    stats: Arc<TrackStats>,
}

impl Lane {
    pub(crate) fn new(
        encoder: VideoEncoder,
        segmenter: Segmenter,
        sink: Box<dyn Sink>,
        stats: Arc<TrackStats>,
    ) -> Self {
        Self {
            encoder,
            ready: VecDeque::new(),
            segmenter,
            sink,
            stats,
        }
    }
}

/// The lanes of a rung; never none. All have the same frames as samples of the same size, so that they cut the same
/// chunks, and a chunk leaves each of them at the same moment.
pub(super) struct Lanes(Vec<Lane>);

impl Lanes {
    pub(super) const fn new(lanes: Vec<Lane>) -> Self {
        Self(lanes)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// FFmpeg's name of the encoders.
    pub(super) fn encoder(&self) -> &'static str {
        self.0.first().map_or("", |lane| lane.encoder.name())
    }

    pub(super) fn begins_at(&self, frame: u64) -> bool {
        self.0.first().is_some_and(|lane| lane.segmenter.begins_at(frame))
    }

    /// Sends the init segment: it is the same for all variants and goes the first one's way.
    pub(super) fn send_init(&mut self) {
        if let Some(lane) = self.0.first_mut() {
            lane.sink.init(lane.encoder.init());
        }
    }

    /// Tells all segmenters the same.
    pub(super) fn tell(&mut self, tell: impl Fn(&mut Segmenter)) {
        self.0.iter_mut().for_each(|lane| tell(&mut lane.segmenter));
    }

    /// Encodes a frame's picture of each variant, beside each other.
    pub(super) fn encode(&mut self, pictures: &[&Picture], index: u64, idr: bool) -> Result<(), EncodeError> {
        let mut pairs = self.0.iter_mut().zip(pictures);
        let Some((first, picture)) = pairs.next() else {
            return Ok(());
        };
        thread::scope(|scope| {
            let others: Vec<_> = pairs
                .map(|(lane, picture)| scope.spawn(move || lane.encoder.encode(picture, index, idr)))
                .collect();
            let encoded = first.encoder.encode(picture, index, idr);
            let others = others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            others.fold(encoded, Result::and)
        })
    }

    /// Asks the encoders for what they still hold.
    pub(super) fn finish(&mut self) {
        self.0.iter_mut().for_each(|lane| lane.encoder.finish());
    }

    /// The next frame that all variants have: its index, and whether it is a sync sample in all of them.
    pub(super) fn next_frame(&mut self) -> Option<(u64, bool)> {
        for lane in &mut self.0 {
            while let Some(coded) = lane.encoder.pop() {
                lane.ready.push_back(coded);
            }
        }
        // What one encoder left out, the others' is left out as well; the segmenters see the gap.
        loop {
            let fronts = self.0.iter().map(|lane| lane.ready.front());
            let fronts: Vec<_> = fronts.collect::<Option<_>>()?;
            let latest = fronts.iter().map(|coded| coded.index).max()?;
            if fronts.iter().all(|coded| coded.index == latest) {
                return Some((latest, fronts.iter().all(|coded| coded.key)));
            }
            for lane in &mut self.0 {
                lane.ready.retain(|coded| coded.index >= latest);
            }
        }
    }

    /// Hands the frame that [`Lanes::next_frame`] told of to the segmenters.
    pub(super) fn push(&mut self, index: u64, key: bool, captured: Utc) -> Result<(), CmafError> {
        let mut samples: Vec<Bytes> = self
            .0
            .iter_mut()
            .filter_map(|lane| lane.ready.pop_front())
            .map(|coded| coded.data)
            .collect();
        equalise(&mut samples);
        let mut pushed = Ok(());
        for (lane, data) in self.0.iter_mut().zip(samples) {
            lane.stats.encoded(data.len());
            let sample = Sample {
                index,
                data,
                key,
                captured,
            };
            pushed = pushed.and(lane.segmenter.push(sample, &mut *lane.sink));
        }
        pushed
    }

    /// Ends the open segments where they are.
    pub(super) fn cut(&mut self) -> Result<(), CmafError> {
        let cut = |lane: &mut Lane| lane.segmenter.cut(&mut *lane.sink);
        self.0.iter_mut().map(cut).fold(Ok(()), Result::and)
    }

    /// Gives the open segments up.
    pub(super) fn abort(&mut self) {
        for lane in &mut self.0 {
            lane.segmenter.abort(&mut *lane.sink);
        }
    }

    /// Goes on with other encoders, as many as there are lanes.
    pub(super) fn replace(&mut self, encoders: Vec<VideoEncoder>) {
        for (lane, encoder) in self.0.iter_mut().zip(encoders) {
            lane.encoder = encoder;
            lane.ready.clear();
        }
        self.send_init();
    }
}
