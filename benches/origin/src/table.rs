//! What was measured, as tables.

use std::time::Duration;

use crate::{Bare, Seen};

/// Figures of a server under its players.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    wake: Wake,
    /// Answers in all, and those that waited for nothing.
    answers: u64,
    late: u64,
    /// Processor time of the server and of the players' thread for each answer.
    server: Duration,
    client: Duration,
    /// Of one processor core, in the whole time.
    share: f64,
    /// Bytes of memory for each blocked player.
    memory: u64,
}

/// Figures of the bare loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    wake: Wake,
    /// The median of a whole round.
    round: Duration,
    /// Processor time of one write.
    write: Duration,
}

/// From the last byte in to the first bytes out: medians over all waves.
#[derive(Clone, Copy, Debug, Default)]
struct Wake {
    /// Of each wave the first player, and the last.
    first: Duration,
    last: Duration,
    /// Of all players in all waves.
    median: Duration,
    p99: Duration,
}

impl Wake {
    fn new(waves: &[Vec<Duration>]) -> Self {
        let mut all: Vec<_> = waves.iter().flatten().copied().collect();
        all.sort_unstable();
        let mut firsts: Vec<_> = waves
            .iter()
            .filter_map(|wave| wave.iter().min())
            .copied()
            .collect();
        let mut lasts: Vec<_> = waves
            .iter()
            .filter_map(|wave| wave.iter().max())
            .copied()
            .collect();
        firsts.sort_unstable();
        lasts.sort_unstable();
        Self {
            first: at(&firsts, 50),
            last: at(&lasts, 50),
            median: at(&all, 50),
            p99: at(&all, 99),
        }
    }
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted
        .get(sorted.len() * percent / 100)
        .copied()
        .unwrap_or_default()
}

impl Figures {
    pub(crate) fn new(
        players: usize,
        seen: &Seen,
        server: Duration,
        client: Duration,
        memory: u64,
        time: Duration,
    ) -> Self {
        let each = |used: Duration| used.div_f64(seen.answers.max(1) as f64);
        Self {
            wake: Wake::new(&seen.waves),
            answers: seen.answers,
            late: seen.late,
            server: each(server),
            client: each(client),
            share: server.as_secs_f64() / time.as_secs_f64(),
            memory: memory / players.max(1) as u64,
        }
    }
}

impl Reference {
    pub(crate) fn new(mut bare: Bare) -> Self {
        bare.rounds.sort_unstable();
        let writes: usize = bare.waves.iter().map(Vec::len).sum();
        Self {
            wake: Wake::new(&bare.waves),
            round: at(&bare.rounds, 50),
            write: bare.processor.div_f64(writes.max(1) as f64),
        }
    }
}

pub(crate) fn print(rows: &[(&str, Figures, Reference)]) {
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    let us = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    println!("Last byte in to first byte out, ms; in brackets the bare loop's.\n");
    println!("| case | first player | median | p99 | last player | loop, whole round | median / round |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, ours, bare) in rows {
        let pair = |of: fn(&Wake) -> Duration| format!("{} ({})", ms(of(&ours.wake)), ms(of(&bare.wake)));
        println!(
            "| {name} | {} | {} | {} | {} | {} | {:.2} × |",
            pair(|wake| wake.first),
            pair(|wake| wake.median),
            pair(|wake| wake.p99),
            pair(|wake| wake.last),
            ms(bare.round),
            ours.wake.median.as_secs_f64() / bare.round.as_secs_f64().max(1e-9),
        );
    }
    println!("\nWhat it takes.\n");
    println!(
        "| case | answers | not waited for | server, µs of CPU a request | of one core | players a core at 5 parts/s | bare write, µs | client, µs | KiB a player |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, ours, bare) in rows {
        println!(
            "| {name} | {} | {} | {} | {:.0} % | {:.0} | {} | {} | {:.1} |",
            ours.answers,
            ours.late,
            us(ours.server),
            ours.share * 100.0,
            0.2 / ours.server.as_secs_f64().max(1e-9),
            us(bare.write),
            us(ours.client),
            ours.memory as f64 / 1024.0,
        );
    }
}
