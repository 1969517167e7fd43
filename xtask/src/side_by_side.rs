//! Runs CPU-bound work in parallel: as many items at a time as there are processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

/// Does `work` for each item and returns the results in the order of the items.
///
/// # Errors
/// The first in that order; the other items are processed regardless.
pub(crate) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    done.lock().expect("nobody panics while holding it").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("nobody panics while holding it");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_items_and_every_item_is_processed() {
        let tried = AtomicUsize::new(0);
        let double = |n: &u64| {
            tried.fetch_add(1, Ordering::Relaxed);
            thread::sleep(std::time::Duration::from_millis(5 - n));
            Ok(2 * n)
        };
        assert_eq!(side_by_side(&[1, 2, 3, 4], double).expect("all are fine"), [2, 4, 6, 8]);
        let odd = |n: &u64| {
            tried.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(n % 2 == 1, "{n} is even");
            Ok(())
        };
        assert_eq!(side_by_side(&[1, 2, 3, 4], odd).expect_err("two are even").to_string(), "2 is even");
        assert_eq!(tried.into_inner(), 8);
        assert!(side_by_side(&[], |(): &()| Ok(())).expect("nothing to do").is_empty());
    }
}
