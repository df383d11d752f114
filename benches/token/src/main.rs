//! What it costs to judge a request by a token.
//!
//! One program, built natively and for `wasm32-wasip1`; each prints one line a case, `name`, median and least time
//! in nanoseconds, separated by tabs. `scripts/bench-token.mjs` runs both in turns, and `eyevinn.mjs` beside them,
//! and prints them as one table. What is measured is asserted to be right before it is timed.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops here")]

mod ours;
#[cfg(not(target_family = "wasm"))]
mod peer;
mod sample;
mod turns;

use turns::Turns;

fn main() {
    let mut turns = Turns::default();
    ours::cases(&mut turns);
    #[cfg(not(target_family = "wasm"))]
    peer::cases(&mut turns);
    println!("token\ths256\t{}", sample::hs256());
    println!("token\tes256\t{}", sample::es256());
    for (name, median, least) in turns.run() {
        println!("time\t{name}\t{median:.1}\t{least:.1}");
    }
}
