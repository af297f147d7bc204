//! Reads what a target consists of, each layer exactly once.
//!
//! A layer goes through three stages, each a thread of its own: read and inflate, hash, walk. So a single large layer
//! keeps two cores busy, and the bytes are touched while they are still in the processor's cache. Layers run side by
//! side, largest first. See [`layer`] for one layer and [`directory`] for trees on disk.

pub mod directory;
pub mod layer;
mod stages;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` on every item, on as many threads as there are cores, and returns the results in order. Items are started
/// in the order of `priority`, greatest first, so that the longest does not start last.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    priority: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(priority(&items[index])));
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(&items[index]);
            *results[index].lock().expect("no worker panics while it holds the lock") = Some(result);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let take = |slot: Mutex<Option<R>>| slot.into_inner().ok().flatten().expect("every index was taken once");
    results.into_iter().map(take).collect()
}
