//! `selvedge breaks schema`

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which document
    #[arg(value_enum, default_value_t = Kind::Rules)]
    document: Kind,
}

/// The documents whose schemas are published.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// The rules of a channel, which ad operations write
    Rules,
    /// The pod of a break and a cohort
    Decision,
    /// The break log of a channel
    Log,
    /// The media of an ad or of a slate
    Creative,
    /// What a channel without an encoder shows
    Schedule,
}

pub(super) fn run(args: &Args) {
    print!(
        "{}",
        match args.document {
            Kind::Rules => include_str!("../../../docs/schema/break-rules-1.json"),
            Kind::Decision => include_str!("../../../docs/schema/decision-1.json"),
            Kind::Log => include_str!("../../../docs/schema/break-log-1.json"),
            Kind::Creative => include_str!("../../../docs/schema/creative-1.json"),
            Kind::Schedule => include_str!("../../../docs/schema/schedule-1.json"),
        }
    );
}
