//! Every interleaving of a stopwatch's owner and a reader, tried by loom.

use super::*;
use loom::sync::Arc;
use loom::thread;

/// A clock that all threads agree on, and that moves whenever it is read.
struct Clock(AtomicU64);

impl Clock {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

#[test]
fn the_sum_never_goes_back() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let shared = Arc::new((Stopwatch::new(), Clock(AtomicU64::new(1))));
        let owner = shared.clone();
        let thread = thread::spawn(move || {
            let (watch, clock) = &*owner;
            watch.start(clock.now());
            watch.stop(|| clock.now());
        });
        let (watch, clock) = &*shared;
        let first = watch.read(|| clock.now());
        let second = watch.read(|| clock.now());
        thread.join().unwrap();
        let third = watch.read(|| clock.now());
        assert!(first <= second && second <= third, "{first} {second} {third}");
    });
}
