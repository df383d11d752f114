//! Common Access Token (CTA-5007-B): mint, parse and verify, with no I/O, clock or randomness
