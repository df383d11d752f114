//! The `selvedge` command: an origin, an edge, an encoder's launcher, tokens, and all of it as a demo.

#![forbid(unsafe_code)]

mod cmd;
mod config;
mod failure;
mod files;
mod log;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

use crate::{failure::Failure, log::LogFormat};

/// A wave of players is a burst of small allocations and of as many releases, on several threads at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Live and on-demand video from the broadcaster's encoder to the viewer's player.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// How log lines on standard error look [default: human]
    #[arg(long, global = true, value_enum)]
    log_format: Option<LogFormat>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run encoder, origin, edge and a page that plays the channel, on loopback with throw-away keys
    Demo(cmd::demo::Args),
    /// Take CMAF from encoders and serve HLS and DASH to edges
    Origin(cmd::origin::Args),
    /// Check tokens and serve viewers from an origin
    Edge(cmd::edge::Args),
    /// Encode a file or a test picture and push it to an origin (starts `selvedge-encoder`)
    Encode(cmd::encode::Args),
    /// Rule, schedule and watch the breaks of channels
    #[command(subcommand)]
    Breaks(cmd::breaks::Command),
    /// Condition ads and slates, and give them to an origin
    #[command(subcommand)]
    Creative(cmd::creative::Command),
    /// Make keys, mint tokens and look into them
    #[command(subcommand)]
    Token(cmd::token::Command),
    /// Plan watermarks, and find out whose session a recording is
    #[command(subcommand)]
    Watermark(cmd::watermark::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.log_format.unwrap_or_default());
    files::allow_many();
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("selvedge: {failure}");
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Demo(args) => block_on(done(cmd::demo::run(args, cli.log_format))),
        Command::Origin(args) => block_on(done(cmd::origin::run(args))),
        Command::Edge(args) => block_on(done(cmd::edge::run(args))),
        Command::Encode(args) => cmd::encode::run(args, cli.log_format),
        Command::Breaks(command) => block_on(cmd::breaks::run(command)),
        Command::Creative(command) => block_on(done(cmd::creative::run(command, cli.log_format))),
        Command::Token(command) => cmd::token::run(command),
        Command::Watermark(command) => block_on(cmd::watermark::run(command, cli.log_format)),
    }
}

fn block_on(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::run("the runtime", error))?;
    runtime.block_on(work)
}

/// Of a command whose end is all that it has to say.
async fn done(work: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    work.await.map(|()| ExitCode::SUCCESS)
}
