//! `selvedge creative`: ads and slates, conditioned for a channel and put where decisions find them.

mod door;
mod list;
mod make;
mod upload;

use std::path::PathBuf;

use clap::Subcommand;

use crate::{failure::Failure, log::LogFormat};
use door::Door;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Condition a file for a channel and give it to an origin
    ///
    /// Starts `selvedge-encoder`, which cuts the file into the channel's own segments and renditions: give it the
    /// configuration of the channel's encoder. The last segment is filled with the last picture, in silence. Prints the
    /// item for the channel's rules.
    Add(make::Add),
    /// Make a slate of a picture, or of its name, and give it to an origin
    Slate(make::Slate),
    /// Give an origin a creative that lies in a folder, made earlier or by another packager
    Upload(Upload),
    /// List an origin's creatives
    List(List),
}

/// Which origin, and what opens its door.
#[derive(Debug, clap::Args)]
struct OriginArgs {
    /// The origin's door for operators, such as http://127.0.0.1:9090 [env: SELVEDGE_ORIGIN]; the token for it is in
    /// SELVEDGE_ADMIN_TOKEN
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
}

/// A folder to give away.
#[derive(Debug, clap::Args)]
pub(crate) struct Upload {
    /// The folder that creative.json lies in
    folder: PathBuf,
    #[command(flatten)]
    origin: OriginArgs,
}

/// Which creatives.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    origin: OriginArgs,
}

pub(crate) async fn run(command: Command, log_format: Option<LogFormat>) -> Result<(), Failure> {
    match command {
        Command::Add(add) => make::add(add, log_format).await,
        Command::Slate(slate) => make::slate(slate, log_format).await,
        Command::Upload(Upload { folder, origin }) => {
            let door = Door::open(origin.origin)?;
            upload::run(&folder, &door).await.map(drop)
        }
        Command::List(List { origin }) => list::run(&Door::open(origin.origin)?).await,
    }
}
