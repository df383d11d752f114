//! What follows from a programme and its breaks, counted once: views are taken of days, one a moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{collections::BTreeMap, sync::Arc};

use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Decision, Key, Micros, Mode, Return, Slot, Sums,
    decision::{Ad, Media, Part, Segment},
};

use super::{Channel, Fill, Planned};

/// What a channel's views have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The discontinuity sequence number of each source segment.
    pub(super) discontinuities: Vec<u64>,
    /// The source segment with which the Period of each begins.
    pub(super) epochs: Vec<usize>,
    /// The breaks, as they are once they are over.
    pub(super) breaks: Vec<Settled>,
}

/// A break that is over.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) airing: Airing,
    pub(super) decision: Option<Arc<Decision>>,
    /// What all breaks before it have added to the numbers.
    pub(super) before: Sums,
    /// Whether it begins with the segment that the one before it returns with.
    pub(super) meets: bool,
}

impl Settled {
    pub(super) fn back(&self) -> Option<Return> {
        self.airing.anchor.and_then(|anchor| anchor.back)
    }

    /// Whether anything of it fits between its begin and its end.
    pub(super) fn holds_any(&self) -> bool {
        holds_any(&self.airing)
    }
}

/// Whether anything fits into a break; as long as its end is open, something does.
pub(super) fn holds_any(airing: &Airing) -> bool {
    airing
        .length()
        .is_none_or(|length| airing.structure.within(length).next().is_some())
}

impl Ledger {
    pub(super) fn of(channel: &Channel) -> Self {
        let mut ledger = Self::default();
        let (mut number, mut epoch) = (0, 0);
        for (index, piece) in channel.programme.iter().enumerate() {
            if piece.breaks_off {
                (number, epoch) = (number + 1, index);
            }
            ledger.discontinuities.push(number);
            ledger.epochs.push(epoch);
        }
        let mut sums = Sums::default();
        for (index, brk) in channel.breaks.iter().enumerate() {
            let mut settled = Settled {
                airing: airing(index, brk),
                decision: None,
                before: sums,
                meets: false,
            };
            settled.decision = decision(channel, brk, &settled.airing).map(Arc::new);
            let listed = |at| Some(channel.segment_at(at)).filter(|index| *index < channel.programme.len());
            let last = ledger.breaks.last().filter(|last| last.holds_any());
            let back = last.and_then(Settled::back);
            settled.airing.anchor = listed(brk.out).map(|out| {
                let meets = back.filter(|back| back.msn_in == channel.number(out) && settled.holds_any());
                settled.meets = meets.is_some();
                let before = out.checked_sub(1);
                Anchor {
                    msn_out: channel.number(out),
                    dsn_before: match (meets, before) {
                        (Some(back), _) => back.dsn_in,
                        (None, Some(before)) => ledger.discontinuities[before],
                        (None, None) => 0,
                    },
                    back: settled.airing.rejoin().and_then(listed).map(|back| Return {
                        msn_in: channel.number(back),
                        dsn_in: ledger.discontinuities[back],
                    }),
                }
            });
            // One discontinuity for both.
            sums.dsn -= i64::from(settled.meets);
            sums = sums.plus(settled.airing.sums().unwrap_or_default());
            ledger.breaks.push(settled);
        }
        ledger
    }
}

fn airing(index: usize, brk: &Planned) -> Airing {
    Airing {
        id: BreakId::new("news", brk.out, &Key::Insert(u32::try_from(index).unwrap())),
        mode: Mode::Replace,
        out: brk.out,
        planned: brk.length,
        t_in: Some(brk.t_in),
        revision: 1,
        effective_from: brk.out,
        structure: brk.structure.clone(),
        anchor: None,
    }
}

/// What fills a break, for renditions `v` and `a`.
fn decision(channel: &Channel, brk: &Planned, airing: &Airing) -> Option<Decision> {
    let id = airing.id.to_string();
    let ad = |name: String, slot: &Slot, segments: u32| {
        let media = |rendition: &str| Media {
            init: Some(format!("{name}/{rendition}/init.mp4")),
            segments: (0..segments)
                .map(|index| {
                    let is_last = index + 1 == slot.segments();
                    let duration = if is_last { slot.last() } else { slot.segment() };
                    Segment {
                        duration,
                        uri: format!("{name}/{rendition}/{index}.m4s"),
                        parts: parts(channel, duration),
                    }
                })
                .collect(),
        };
        Ad {
            creative: name.clone(),
            duration: slot.length(),
            renditions: BTreeMap::from([("v".to_owned(), media("v")), ("a".to_owned(), media("a"))]),
        }
    };
    if brk.fill == Fill::Undecided {
        return None;
    }
    let slots = airing.structure.slots.iter().enumerate();
    let ads = slots.map(|(index, slot)| {
        let is_miscut = brk.fill == Fill::Miscut && index == 0;
        ad(
            format!("ad/{id}/{index}"),
            slot,
            slot.segments() + u32::from(is_miscut),
        )
    });
    Some(Decision {
        version: serde_json::from_str("1").unwrap(),
        break_id: airing.id.clone(),
        cohort: "all".into(),
        ads: ads.collect(),
        slate: match &airing.structure.after {
            After::Slate(slot) => Some(ad("ad/slate".into(), slot, slot.segments())),
            After::Wait | After::Resume => None,
        },
    })
}

fn parts(channel: &Channel, duration: Micros) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut left = duration;
    while channel.parts.is_some() && left.0 > 0 {
        let duration = left.min(channel.part());
        parts.push(Part {
            duration,
            bytes: 1000,
        });
        left = left.less(duration);
    }
    parts
}
