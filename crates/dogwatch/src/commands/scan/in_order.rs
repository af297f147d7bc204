//! Work done side by side whose results are wanted one after the other.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// How many results, per worker, may wait for an earlier one that takes long. Each may be many MiB.
const WAITING_PER_WORKER: usize = 4;

/// Calls `work` for every item on `workers` threads, and `tell` with each result in the order of the items, as soon as
/// those before it were told. After a failure of `tell` no work is begun.
pub(super) fn in_order<T: Sync, R: Send, E: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    tell: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let state = Mutex::new(State { next: 0, told: 0, waiting: BTreeMap::new(), tell, failure: None });
    let changed = Condvar::new();
    let worker = || {
        while let Some(index) = State::take(&state, &changed, items.len(), workers * WAITING_PER_WORKER) {
            let result = work(&items[index]);
            state.lock().unwrap_or_else(PoisonError::into_inner).done(index, result);
            changed.notify_all();
        }
    };
    std::thread::scope(|scope| (0..workers.min(items.len())).for_each(|_| drop(scope.spawn(worker))));
    state.into_inner().unwrap_or_else(PoisonError::into_inner).failure.map_or(Ok(()), Err)
}

struct State<R, E, Tell> {
    /// The next item to begin with.
    next: usize,
    /// How many were told.
    told: usize,
    waiting: BTreeMap<usize, R>,
    tell: Tell,
    failure: Option<E>,
}

impl<R, E, Tell: FnMut(R) -> Result<(), E>> State<R, E, Tell> {
    /// The next item, once it is not too far ahead of what was told; none when there is none.
    fn take(state: &Mutex<Self>, changed: &Condvar, count: usize, ahead_max: usize) -> Option<usize> {
        let too_far = |state: &mut Self| state.failure.is_none() && state.next >= state.told + ahead_max;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = changed.wait_while(state, too_far).unwrap_or_else(PoisonError::into_inner);
        let index = Some(state.next).filter(|next| *next < count && state.failure.is_none())?;
        state.next += 1;
        Some(index)
    }

    fn done(&mut self, index: usize, result: R) {
        self.waiting.insert(index, result);
        while self.failure.is_none()
            && let Some(result) = self.waiting.remove(&self.told)
        {
            self.told += 1;
            self.failure = (self.tell)(result).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_are_told_in_order_whatever_takes_how_long() {
        let items: Vec<u64> = (0..60).collect();
        let mut told = Vec::new();
        let work = |item: &u64| {
            std::thread::sleep(std::time::Duration::from_millis(if *item == 0 { 30 } else { item % 3 }));
            item * 2
        };
        let result = in_order(&items, 4, work, |result| {
            told.push(result);
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(told, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_takes_long_does_not_let_the_others_pile_up() {
        let (ahead, first_done) = (AtomicUsize::new(0), Mutex::new(false));
        let items: Vec<usize> = (0..100).collect();
        let work = |item: &usize| {
            if *item == 0 {
                std::thread::sleep(std::time::Duration::from_millis(100));
                *first_done.lock().unwrap() = true;
            } else if !*first_done.lock().unwrap() {
                ahead.fetch_add(1, Ordering::Relaxed);
            }
        };
        in_order(&items, 2, work, |()| Ok::<_, ()>(())).unwrap();
        assert!(ahead.load(Ordering::Relaxed) <= 2 * WAITING_PER_WORKER);
    }

    #[test]
    fn when_nobody_listens_any_more_nothing_is_begun() {
        let begun = AtomicUsize::new(0);
        let work = |_: &usize| begun.fetch_add(1, Ordering::Relaxed);
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(in_order(&items, 2, work, |_| Err("closed")), Err("closed"));
        assert!(begun.into_inner() < 1000);
    }
}
