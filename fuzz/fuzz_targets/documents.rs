//! The documents of breaks: any bytes are read or refused, and what was read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_breaks::{Creative, Decision, Log, Rules, Schedule, Slice};

/// Reads a document, and what is written of it.
macro_rules! twice {
    ($document:ident, $bytes:expr) => {
        if let Ok(read) = $document::read($bytes) {
            let written = serde_json::to_vec(&read).expect("a document is JSON");
            assert_eq!($document::read(&written).ok(), Some(read));
        }
    };
}

fuzz_target!(|bytes: &[u8]| {
    twice!(Decision, bytes);
    twice!(Creative, bytes);
    twice!(Log, bytes);
    let _ = Rules::read(bytes);
    let _ = Schedule::read(bytes);
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(Some(read)) = Slice::read(text) {
        assert_eq!(Slice::read(&read.to_string()), Ok(Some(read)));
    }
});
