//! Every interleaving of a writer and a reader, tried by loom.

use super::*;
use loom::sync::Arc;
use loom::thread;

#[test]
fn a_reading_is_of_one_writing() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let published = Arc::new(Published::<2>::new());
        let writer = published.clone();
        let thread = thread::spawn(move || {
            writer.write([1, 1]);
            writer.write([2, 2]);
        });
        if let Some([first, second]) = published.read() {
            assert_eq!(first, second);
        }
        thread.join().unwrap();
        assert_eq!(published.read(), Some([2, 2]));
    });
}
