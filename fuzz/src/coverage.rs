//! Which code an input reached, when the program was built to tell.
//!
//! LLVM's inline 8-bit counters: each instrumented module registers an array with a byte per edge, and the code counts
//! there. Without instrumentation nothing registers, and every input is as good as any other.
//!
//! Source: Clang documentation, "SanitizerCoverage", "Inline 8bit-counters".

use std::sync::Mutex;

static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called by each instrumented module before `main`.
///
/// # Safety
///
/// `start` and `stop` bound an array that lives as long as the program: the compiler's promise.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    if let Ok(mut counters) = COUNTERS.lock()
        && !counters.iter().any(|&(known, _)| known == start as usize)
    {
        counters.push((start as usize, stop as usize - start as usize));
    }
}

/// What has been reached so far.
pub(crate) struct Coverage {
    seen: Vec<u8>,
}

impl Coverage {
    pub(crate) fn new() -> Self {
        Self { seen: Vec::new() }
    }

    /// How many edges were reached; none without instrumentation.
    pub(crate) fn edges(&self) -> usize {
        self.seen.iter().filter(|&&bits| bits != 0).count()
    }

    /// Whether the input since the last call reached something new, or more often than before (in powers of two). Clears
    /// the counters.
    pub(crate) fn grew(&mut self) -> bool {
        let Ok(counters) = COUNTERS.lock() else { return false };
        self.seen.resize(counters.iter().map(|(_, length)| length).sum(), 0);
        let (mut grew, mut at) = (false, 0);
        for &(start, length) in counters.iter() {
            // SAFETY: registered above, one byte per edge, and no other thread counts while a target is not running.
            let counts = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, length) };
            for (count, seen) in counts.iter_mut().zip(&mut self.seen[at..]).filter(|(count, _)| **count != 0) {
                let bit = 1 << count.ilog2();
                grew |= *seen & bit == 0;
                *seen |= bit;
                *count = 0;
            }
            at += length;
        }
        grew
    }
}
