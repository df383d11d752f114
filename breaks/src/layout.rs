//! How a break of some length is laid out in slots.

use crate::{
    structure::{After, MAX_SLOTS, Slot, Structure},
    time::Micros,
};

/// What the breaks of a channel are laid out by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    /// The slots of a pod, in order, as long as its ads are: as many are taken as there is room for.
    pub pod: Vec<Slot>,
    /// What fills what they leave.
    pub after: After,
    /// By how much a segment may end behind the end of the break, at most.
    pub tolerance: Micros,
}

impl Layout {
    /// The slots of a break of length `planned`: an ad that does not fit whole ends the pod.
    pub fn structure(&self, planned: Micros) -> Structure {
        let room = planned.plus(self.tolerance);
        let mut filled = Micros::ZERO;
        let slots = self.pod.iter().take(MAX_SLOTS).take_while(|slot| {
            filled = filled.plus(slot.length());
            filled <= room
        });
        Structure {
            slots: slots.copied().collect(),
            after: self.after,
            tolerance: self.tolerance,
        }
    }
}

/// No ads, and the programme stays on.
impl Default for Layout {
    fn default() -> Self {
        Self {
            pod: Vec::new(),
            after: After::Resume,
            tolerance: HALF_A_FRAME,
        }
    }
}

/// At 25 frames a second.
const HALF_A_FRAME: Micros = Micros::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ad_that_does_not_fit_whole_ends_the_pod() {
        let slot = |seconds| Slot::cut(Micros::from_seconds(seconds), Micros::from_seconds(2)).unwrap();
        let layout = Layout {
            pod: vec![slot(30), slot(15), slot(10)],
            ..Layout::default()
        };
        assert_eq!(layout.structure(Micros::from_seconds(60)).slots.len(), 3);
        assert_eq!(layout.structure(Micros::from_seconds(45)).slots.len(), 2);
        assert_eq!(layout.structure(Micros::from_seconds(40)).slots.len(), 1);
        assert_eq!(layout.structure(Micros::from_seconds(29)).slots.len(), 0);
    }
}
