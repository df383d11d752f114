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
    cases: Vec<(&'static str, Box<dyn FnMut()>)>,
}

impl Turns {
    pub(crate) fn add(&mut self, name: &'static str, work: impl FnMut() + 'static) {
        self.cases.push((name, Box::new(work)));
    }

    /// The name, the median and the least time of each in nanoseconds.
    pub(crate) fn run(mut self) -> Vec<(&'static str, f64, f64)> {
        let batches: Vec<u32> = self.cases.iter_mut().map(|(_, work)| batch(work)).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); self.cases.len()];
        for _ in 0..ROUNDS {
            for ((work, batch), times) in self.cases.iter_mut().zip(&batches).zip(&mut times) {
                let started = Instant::now();
                for _ in 0..*batch {
                    work.1();
                }
                times.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(*batch));
            }
        }
        self.cases
            .iter()
            .zip(&mut times)
            .map(|((name, _), times)| {
                times.sort_unstable_by(f64::total_cmp);
                (*name, times[times.len() / 2], times[0])
            })
            .collect()
    }
}

/// Warms up, and says how often the work fits into a turn.
fn batch(work: &mut Box<dyn FnMut()>) -> u32 {
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < WARM_UP {
        work();
        done += 1;
    }
    (f64::from(done) * TURN.as_secs_f64() / started.elapsed().as_secs_f64()).max(1.0) as u32
}
