//! How fast the origin wakes its blocked players, beside a bare send loop and a peer.
//!
//! A channel is pushed in real time, part by part; each player asks for the media playlist with the part that comes
//! next and is blocked until it is there. What is measured is how long after the last byte of a part went in the first
//! byte of each answer came out, and what the server used for it.

mod answer;
mod bare;
mod media;
mod players;
mod playlist;
mod precedence;
mod push;
mod server;
mod table;

use std::{error::Error, path::PathBuf, thread, time::Duration};

use clap::Parser;

use crate::{
    bare::Bare,
    media::{Cadence, LADDER},
    players::{Habit, Manner, Players, Seen},
    precedence::Precedence,
    push::Pusher,
    server::Server,
    table::{Figures, Reference},
};

type Failure = Box<dyn Error + Send + Sync>;

/// Measures `selvedge origin`, and `multimux` where it is given.
#[derive(Debug, Parser)]
struct Arguments {
    /// The release build of `selvedge`
    #[arg(long)]
    selvedge: PathBuf,

    /// The peer
    #[arg(long)]
    multimux: Option<PathBuf>,

    /// How long each case is measured, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,

    /// Only the cases whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    players: usize,
    cadence: Cadence,
    manner: Manner,
    fetches_parts: bool,
    peer: bool,
}

const CASES: [Case; 6] = [
    Case {
        name: "2,000 players",
        players: 2_000,
        cadence: Cadence::ALIGNED,
        manner: Manner::AfterTheWave,
        fetches_parts: false,
        peer: false,
    },
    Case {
        name: "2,000 players, asking again at once",
        players: 2_000,
        cadence: Cadence::ALIGNED,
        manner: Manner::AtOnce,
        fetches_parts: false,
        peer: false,
    },
    Case {
        name: "1,000 players",
        players: 1_000,
        cadence: Cadence::ALIGNED,
        manner: Manner::AfterTheWave,
        fetches_parts: false,
        peer: false,
    },
    Case {
        name: "1,000 players, multimux",
        players: 1_000,
        cadence: Cadence::ALIGNED,
        manner: Manner::AfterTheWave,
        fetches_parts: false,
        peer: true,
    },
    Case {
        name: "5,000 players, 5 parts a second",
        players: 5_000,
        cadence: Cadence::FIVE,
        manner: Manner::AtOnce,
        fetches_parts: false,
        peer: false,
    },
    Case {
        name: "2,000 players, parts fetched too",
        players: 2_000,
        cadence: Cadence::ALIGNED,
        manner: Manner::AfterTheWave,
        fetches_parts: true,
        peer: false,
    },
];

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&arguments.only)) {
        let binary = match (case.peer, &arguments.multimux) {
            (false, _) => &arguments.selvedge,
            (true, Some(peer)) => peer,
            (true, None) => continue,
        };
        eprintln!("» {}", case.name);
        let measured = measure(case, binary, Duration::from_secs(arguments.seconds));
        let (figures, seen) = match measured {
            Ok(measured) => measured,
            Err(error) => {
                // What was measured before is worth its row.
                eprintln!("error: {error}");
                continue;
            }
        };
        let rounds = u32::try_from(arguments.seconds * 3)?;
        let bare = bare::measure(&seen.sample, case.players, rounds, case.cadence.part())?;
        rows.push((case.name, figures, Reference::new(bare)));
    }
    table::print(&rows);
    Ok(())
}

fn measure(case: &Case, binary: &std::path::Path, time: Duration) -> Result<(Figures, Seen), Failure> {
    let folder = tempfile::tempdir()?;
    let Case { cadence, .. } = *case;
    let server = if case.peer {
        // It has one rendition a route; sound would be a channel of its own.
        Server::multimux(
            binary,
            folder.path(),
            &LADDER[..3],
            cadence.part(),
            cadence.segment(),
        )?
    } else {
        // Left to itself, the origin makes one part of two chunks as short as 200 ms.
        let settings = format!("part_target_ms = {}", cadence.part().as_millis());
        Server::selvedge(binary, folder.path(), &LADDER, &settings)?
    };
    let pusher = Pusher::start(server.tracks.clone(), cadence)?;
    // Two segments and a half: the middle of the time between two parts, some playlist behind it.
    while pusher.ledger.parts(server.tracks.len() - 1) < 2 * cadence.parts as usize + 3 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(cadence.part() / 2);
    let habit = Habit {
        manner: case.manner,
        fetches_parts: case.fetches_parts,
        parts: cadence.parts,
    };
    let empty = server.memory()?;
    let ledger = pusher.ledger.clone();
    let mut players = Players::connect(&server.views, case.players, habit, &ledger)?;
    for _ in 0..4 {
        // The middle between two parts.
        let out = ledger.parts(server.tracks.len() - 1);
        while ledger.parts(server.tracks.len() - 1) == out {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(cadence.part() / 2);
        players.look()?;
    }
    let first = Precedence::of_this_thread();
    players.ask_all()?;
    players.play(Duration::from_secs(4), false)?;
    let blocked = server.memory()?;
    let (used, used_here) = (server.processor()?, bare::thread_time());
    players.play(time, true)?;
    let (used, used_here) = (server.processor()? - used, bare::thread_time() - used_here);
    drop(first);
    let seen = players.leave();
    let figures = Figures::new(
        case.players,
        &seen,
        used,
        used_here,
        blocked.saturating_sub(empty),
        time,
    );
    drop(server);
    // The encoder finds its server gone, which is how this ends.
    let _ = pusher.stop();
    Ok((figures, seen))
}
