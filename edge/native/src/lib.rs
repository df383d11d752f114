//! The Selvedge edge as a Tokio server
