//! The Selvedge edge core: everything a PoP decides, with no I/O
