//! Every interleaving of the inbox's operations, tried by loom:
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib inbox::model`.

use super::*;
use crate::callback::UserData;
use loom::sync::atomic::AtomicUsize;
use loom::sync::{Arc, Notify};
use loom::thread;
use std::ffi::c_void;

/// With three threads all interleavings would take hours; those with up to
/// three preemptions take seconds, and find what short races there are.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

/// Stands for the wake-up descriptor: a notification is kept until a wait.
fn wake_if(wake: Wake, descriptor: &Notify) {
    if wake == Wake::Loop {
        descriptor.notify();
    }
}

/// What the loop does when it has nothing to run.
fn sleep(inbox: &Inbox, descriptor: &Notify) {
    if inbox.prepare_sleep(Wake::Loop) {
        descriptor.wait();
    }
    inbox.awake();
}

unsafe extern "C-unwind" fn count(data: *mut c_void) {
    // SAFETY: the tests keep the counter alive beyond the callback.
    unsafe { &*data.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn counting(runs: &AtomicUsize, destroyed: &AtomicUsize) -> Callback {
    let runs: *const AtomicUsize = runs;
    let destroyed: *const AtomicUsize = destroyed;
    // The destructor gets the same pointer as the callback, so two counters
    // need a pair.
    let pair = Box::into_raw(Box::new((runs, destroyed)));
    unsafe extern "C-unwind" fn run(data: *mut c_void) {
        let (runs, _) = unsafe { *data.cast::<(*const AtomicUsize, *const AtomicUsize)>() };
        unsafe { count(runs.cast_mut().cast()) };
    }
    unsafe extern "C-unwind" fn destroy(data: *mut c_void) {
        let pair =
            unsafe { Box::from_raw(data.cast::<(*const AtomicUsize, *const AtomicUsize)>()) };
        unsafe { count(pair.1.cast_mut().cast()) };
    }
    Callback::new(run, UserData::new(pair.cast(), Some(destroy)))
}

#[test]
fn a_post_is_never_lost_and_keeps_each_threads_order() {
    model(|| {
        let shared = Arc::new((Inbox::new(0), Notify::new()));
        let posters: Vec<_> = (0..2)
            .map(|poster| {
                let shared = shared.clone();
                thread::spawn(move || {
                    for turn in 0..2 {
                        let entry = Entry::keyed(Kind::Handle, poster * 10 + turn);
                        wake_if(shared.0.post(entry, false).unwrap(), &shared.1);
                    }
                })
            })
            .collect();
        let (mut received, mut entries) = (Vec::new(), Vec::new());
        // Without a wake-up this never ends, which loom reports as a deadlock.
        while received.len() < 4 {
            if shared.0.is_pending() {
                shared.0.take(&mut entries);
                received.append(&mut entries);
            } else {
                sleep(&shared.0, &shared.1);
            }
        }
        posters.into_iter().for_each(|poster| poster.join().unwrap());
        let mut next = [0, 10];
        for entry in received {
            let crate::ready_queue::Decoded::Keyed(Kind::Handle, key) = entry.decode() else {
                panic!("an entry nobody posted")
            };
            let poster = usize::from(key >= 10);
            assert_eq!(key, next[poster]);
            next[poster] += 1;
        }
    });
}

#[test]
fn a_post_that_races_with_close_is_refused_or_given_back() {
    model(|| {
        let inbox = Arc::new(Inbox::new(0));
        let poster = {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.post(Entry::keyed(Kind::Stop, 0), false).is_ok())
        };
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        let (left, _) = inbox.close();
        let accepted = poster.join().unwrap();
        assert_eq!(taken.len() + left.len(), usize::from(accepted));
        assert!(!inbox.is_pending() && !inbox.prepare_sleep(Wake::Loop));
    });
}

#[test]
fn a_cancelled_callback_has_run_before_or_never_starts() {
    model(|| {
        let inbox = Arc::new(Inbox::new(0));
        let counters = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let (id, _) = inbox.post_shared(counting(&counters.0, &counters.1), false).ok().unwrap();
        let canceller = {
            let (inbox, counters) = (inbox.clone(), counters.clone());
            thread::spawn(move || {
                let cancelled = inbox.cancel(id);
                if let Ok(Cancelled::Running) = cancelled {
                    inbox.wait_until_ended(id);
                }
                let started_before = !matches!(cancelled, Ok(Cancelled::Now(_)));
                drop(cancelled);
                // From here on nothing may happen any more.
                let runs = counters.0.load(Ordering::SeqCst);
                assert_eq!(runs, usize::from(started_before));
                runs
            })
        };
        if let Some(callback) = inbox.begin(id) {
            callback.call();
            drop(callback);
            inbox.end(id);
        }
        let runs = canceller.join().unwrap();
        assert_eq!(counters.0.load(Ordering::SeqCst), runs);
        assert_eq!(counters.1.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn close_destroys_a_callback_that_was_neither_run_nor_cancelled() {
    model(|| {
        let inbox = Arc::new(Inbox::new(0));
        let counters = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let poster = {
            let (inbox, counters) = (inbox.clone(), counters.clone());
            thread::spawn(move || {
                if let Ok((id, _)) = inbox.post_shared(counting(&counters.0, &counters.1), false) {
                    drop(inbox.cancel(id));
                }
            })
        };
        inbox.close().1.for_each(drop);
        poster.join().unwrap();
        assert_eq!(counters.0.load(Ordering::SeqCst), 0);
        assert_eq!(counters.1.load(Ordering::SeqCst), 1);
    });
}
