//! The Selvedge origin: CMAF ingest, packaging, storage, HLS and DASH
