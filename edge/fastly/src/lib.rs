//! The Selvedge edge on Fastly Compute
