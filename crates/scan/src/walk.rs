//! Reads what a target consists of, each layer exactly once.
//!
//! A layer goes through three stages, each a thread of its own: read and inflate, hash, walk. So a single large layer
//! keeps two cores busy, and the bytes are touched while they are still in the processor's cache. Layers run side by
//! side, largest first. See [`layer`] for one layer and [`directory`] for trees on disk.

pub mod directory;
pub mod host;
pub mod layer;
pub(crate) mod listing;
mod overlay;
mod stages;

pub use stages::Budget;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` on every item, on as many threads as there are cores, and returns the results in order. Items are started
/// in the order of `priority`, greatest first, so that the longest does not start last. After a failure none is started.
pub(crate) fn try_in_parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    priority: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(priority(&items[index])));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(&items[index]);
            if result.is_err() {
                next.store(order.len(), Ordering::Relaxed);
            }
            done.lock().expect("no worker panics while it holds the lock").push((index, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let mut done = done.into_inner().expect("no worker panics while it holds the lock");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_a_failure_stops_the_rest() {
        let numbers: Vec<u64> = (0..50).collect();
        let doubled = try_in_parallel(&numbers, |number| *number, |number| Ok::<_, ()>(number * 2));
        assert_eq!(doubled, Ok(numbers.iter().map(|number| number * 2).collect()));
        let started = AtomicUsize::new(0);
        let work = |number: &u64| {
            started.fetch_add(1, Ordering::Relaxed);
            if *number == 49 {
                return Err("49");
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(())
        };
        let failed = try_in_parallel(&numbers, |number| *number, work);
        assert_eq!(failed, Err("49"));
        assert!(started.into_inner() < 50);
    }
}
