//! How fast a registry is asked, by all threads together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Keeps requests to one host apart, and lets a host rest that said "later".
#[derive(Debug, Default)]
pub struct Pace {
    /// Between two requests; none sends them as they come.
    interval: Option<Duration>,
    /// When each host may be asked next.
    next: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    /// At most so many requests per second to one host. Zero and less are no limit.
    pub fn per_second(rate: f64) -> Self {
        let interval = (rate > 0.0).then(|| Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX));
        Self { interval, next: Mutex::default() }
    }

    /// Waits until a host may be asked.
    pub(super) fn turn(&self, host: &str) {
        let slot = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let slot = next.get(host).map_or(now, |slot| now.max(*slot));
            if let Some(interval) = self.interval {
                next.insert(host.to_owned(), slot.checked_add(interval).unwrap_or(slot));
            }
            slot
        };
        thread::sleep(slot.saturating_duration_since(Instant::now()));
    }

    /// Asks a host for nothing for some time.
    pub(super) fn rest(&self, host: &str, pause: Duration) {
        let until = Instant::now() + pause;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.entry(host.to_owned()).or_insert(until);
        *slot = until.max(*slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_one_host_are_kept_apart_across_threads_and_others_do_not_wait() {
        let pace = Pace::per_second(50.0);
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..4).for_each(|_| pace.turn("a")));
            }
        });
        assert!(started.elapsed() >= Duration::from_millis(11 * 20), "{:?}", started.elapsed());
        let started = Instant::now();
        pace.rest("b", Duration::from_millis(60));
        pace.turn("c");
        assert!(started.elapsed() < Duration::from_millis(60));
        pace.turn("b");
        assert!(started.elapsed() >= Duration::from_millis(60));
    }
}
