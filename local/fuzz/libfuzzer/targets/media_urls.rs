#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::media_urls(bytes));
