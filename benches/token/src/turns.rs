//! Measuring in turns: a slow minute of the machine strikes every case alike.

use std::time::{Duration, Instant};

/// Long beside the clock's resolution, short beside a scheduler's slice.
const TURN: Duration = Duration::from_millis(2);
/// For the processor's clock, its caches, and a WebAssembly engine that compiles what is called often once more.
const WARM_UP: Duration = Duration::from_millis(400);
const ROUNDS: usize = 40;

/// Pieces of work to be measured against each other.
#[derive(Default)]
pub(crate) struct Turns {
    cases: Vec<Case>,
}

struct Case {
    name: &'static str,
    work: Box<dyn FnMut()>,
}

impl Turns {
    pub(crate) fn add(&mut self, name: &'static str, work: impl FnMut() + 'static) {
        let work = Box::new(work);
        self.cases.push(Case { name, work });
    }

    /// The name, the median and the least time of each in nanoseconds.
    pub(crate) fn run(mut self) -> Vec<(&'static str, f64, f64)> {
        let batches: Vec<u32> = self.cases.iter_mut().map(Case::batch).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); self.cases.len()];
        for _ in 0..ROUNDS {
            for ((case, batch), times) in self.cases.iter_mut().zip(&batches).zip(&mut times) {
                let started = Instant::now();
                for _ in 0..*batch {
                    (case.work)();
                }
                times.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(*batch));
            }
        }
        self.cases
            .iter()
            .zip(&mut times)
            .map(|(case, times)| {
                times.sort_unstable_by(f64::total_cmp);
                (case.name, times[times.len() / 2], times[0])
            })
            .collect()
    }
}

impl Case {
    /// Warms up, and says how often the work fits into a turn.
    fn batch(&mut self) -> u32 {
        let started = Instant::now();
        let mut done = 0_u32;
        while started.elapsed() < WARM_UP {
            (self.work)();
            done += 1;
        }
        (f64::from(done) * TURN.as_secs_f64() / started.elapsed().as_secs_f64()).max(1.0) as u32
    }
}
