//! `selvedge breaks`: what ad operations do with a channel's rules and breaks.

mod air;
mod change;
mod channel;
mod diff;
mod document;
mod follow;
mod list;
mod place;
mod push;
mod schema;
mod store;
mod validate;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say all that is wrong with rules or a schedule, each fault with its place
    ///
    /// Prints a line for each fault: file, line, column, JSON pointer, what is wrong. Exit code 1 where there is one. What is
    /// no fault and yet odd, such as a break longer than max_ms, is a note; notes do not change the exit code.
    Validate(validate::Args),
    /// Say what rules would change, in words of breaks
    Diff(diff::Args),
    /// Show a channel's breaks: aired, on air and to come
    List(list::Args),
    /// Ask the origin for a break, without changing the rules
    Schedule(channel::Schedule),
    /// Move a break that has not begun, or give it another length
    Move(channel::Move),
    /// Cancel a break, or end the one that is on air
    Cancel(channel::Cancel),
    /// Put rules in force, and read them back
    ///
    /// Rules with faults replace nothing. Prints what changes; where a change is too close to air for the time that the store
    /// takes to be heard everywhere, nothing is sent without --force. If something fails on the way, the last line says which
    /// rules are in force.
    Push(push::Args),
    /// Carry rules from a store to the origin whenever they change there
    ///
    /// Runs until it is stopped. Rules with faults, a key that is not there and a store that does not answer change nothing:
    /// the log says so, once, and what is in force stays.
    Follow(follow::Args),
    /// Print the JSON schema of a document
    Schema(schema::Args),
}

pub(crate) async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Validate(args) => validate::run(&args),
        Command::Diff(args) => diff::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Schedule(args) => channel::schedule(args).await,
        Command::Move(args) => channel::alter(args).await,
        Command::Cancel(args) => channel::cancel(args).await,
        Command::Push(args) => push::run(args).await,
        Command::Follow(args) => follow::run(args).await,
        Command::Schema(args) => {
            schema::run(&args);
            Ok(ExitCode::SUCCESS)
        }
    }
}
