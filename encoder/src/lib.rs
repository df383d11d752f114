//! The Selvedge encoder: FFmpeg in, CMAF pushed by DASH-IF live ingest out
