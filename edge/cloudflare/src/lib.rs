//! The Selvedge edge on Cloudflare Workers
