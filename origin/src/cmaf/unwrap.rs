//! Decode times of 32 bits, which come round again: after 13.25 hours at 90 kHz.

use bytes::Bytes;

use super::boxes::{self, Box4};
use super::write::{boxed, put, shift};
use super::{Chunk, Error};

/// The time that a `tfdt` of 32 bits means, given where the track's media ended so far: it runs on from there, or
/// goes back a little, in any number of turns. A time that does neither is taken as it stands, for its sender has
/// begun again.
pub fn unwrap(narrow: u64, end: u64, timescale: u32) -> u64 {
    let turn = 1_u64 << 32;
    let timescale = u64::from(timescale);
    let same = (end & !(turn - 1)) | (narrow & (turn - 1));
    let candidates = [same.checked_sub(turn), Some(same), same.checked_add(turn)];
    let near = |time: &u64| {
        let (ahead, behind) = (time.saturating_sub(end), end.saturating_sub(*time));
        ahead <= timescale.saturating_mul(AHEAD_S) && behind <= timescale.saturating_mul(BEHIND_S)
    };
    let found = candidates.into_iter().flatten().filter(near);
    found.min_by_key(|time| time.abs_diff(end)).unwrap_or(narrow)
}

impl Chunk {
    /// Gives a chunk whose `tfdt` has 32 bits the time that [`unwrap`] found. Its bytes stay as they came unless
    /// 32 bits cannot hold it: then `tfdt` is written with 64, and all that points behind it is moved on.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a box cannot be read.
    pub fn set_time(&mut self, time: u64) -> Result<(), Error> {
        self.fragment.decode_time = time;
        if time >> 32 == 0 || !self.fragment.narrow {
            return Ok(());
        }
        let mut out = Vec::with_capacity(self.bytes.len() + GROWTH);
        let mut grown = 0;
        for found in boxes::walk(&self.bytes) {
            let found = found?;
            if &found.name == b"moof" {
                let moof = widen(&found, time)?;
                grown = moof.len().saturating_sub(found.bytes.len());
                put(&mut out, &moof);
            } else {
                put(&mut out, found.bytes);
            }
        }
        self.fragment.narrow = false;
        if let Some(offset) = self.fragment.data_offset.as_mut() {
            *offset = offset.saturating_add(i32::try_from(grown).unwrap_or(0));
        }
        self.data_at += grown;
        self.bytes = Bytes::from(out);
        Ok(())
    }
}

fn widen(moof: &Box4<'_>, time: u64) -> Result<Vec<u8>, Error> {
    let mut children = Vec::new();
    for child in moof.children(8) {
        let child = child?;
        if &child.name != b"traf" {
            put(&mut children, child.bytes);
            continue;
        }
        let mut parts = Vec::new();
        for part in child.children(8) {
            let part = part?;
            match &part.name {
                b"tfdt" => {
                    let flags = part.u32(8)? & 0x00ff_ffff | 1 << 24;
                    put(
                        &mut parts,
                        &boxed(b"tfdt", &[&flags.to_be_bytes(), &time.to_be_bytes()]),
                    );
                }
                b"trun" | b"saio" => put(&mut parts, &shift(&part, GROWTH as i64)?),
                _ => put(&mut parts, part.bytes),
            }
        }
        put(&mut children, &boxed(b"traf", &[&parts]));
    }
    Ok(boxed(b"moof", &[&children]))
}

/// How much longer a `tfdt` of 64 bits is.
const GROWTH: usize = 4;
/// Seconds that a sender may have been silent for and go on.
const AHEAD_S: u64 = 3_600;
/// Seconds that a sender may repeat.
const BEHIND_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::unwrap;

    const TURN: u64 = 1 << 32;

    #[test]
    fn a_time_that_came_round_goes_on_and_one_that_began_again_does_not() {
        let at = |narrow, end| unwrap(narrow, end, 90_000);
        assert_eq!(at(1_000, 0), 1_000);
        assert_eq!(at(5, TURN - 10), TURN + 5, "the first turn");
        assert_eq!(at(5, 7 * TURN - 10), 7 * TURN + 5, "the seventh");
        assert_eq!(
            at(TURN - 20, TURN + 5),
            TURN - 20,
            "a repeat from before the turn"
        );
        assert_eq!(
            at(90_000, 3 * TURN + 100),
            3 * TURN + 90_000,
            "later in the fourth"
        );
        assert_eq!(at(0, TURN / 2 + 3 * TURN), 0, "nowhere near: began again");
        assert_eq!(
            at(600 * 90_000, TURN - 1),
            TURN + 600 * 90_000,
            "ten minutes were missed"
        );
    }

    proptest::proptest! {
        #[test]
        fn what_runs_on_is_found_wherever_the_turns_are(end in 0_u64..1 << 50, step in 0_u64..90_000 * 3_000) {
            let time = end + step;
            proptest::prop_assert_eq!(unwrap(time & (TURN - 1), end, 90_000), time);
        }
    }
}
