//! The init segment parser: any bytes are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::cmaf::Init;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(init) = Init::parse(bytes) {
        assert!(init.timescale > 0);
        assert_eq!(Init::parse(&init.bytes).map(|again| again.hash), Ok(init.hash));
    }
});
