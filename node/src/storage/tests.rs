//! The promises of the storage thread, with a store that watches what is done to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oboro_cache::{EntryPage, HeldPage, MemoryStore};
use oboro_crypto::ids::{ExtentId, Location, NetworkId, NodeId};

use super::*;

const TODAY: u32 = 20_000;

/// What the store saw.
#[derive(Default)]
struct Seen {
    puts: AtomicUsize,
    flushes: AtomicUsize,
    /// The store waits for it before each put.
    gate: Mutex<()>,
    fail_flush: std::sync::atomic::AtomicBool,
}

/// A memory store that is watched.
struct Watched {
    inner: MemoryStore,
    seen: Arc<Seen>,
}

type Done<T> = Result<T, CacheError>;

impl Store for Watched {
    fn put_extent(&mut self, put: PutExtent) -> Done<Put> {
        drop(self.seen.gate.lock());
        self.seen.puts.fetch_add(1, Ordering::SeqCst);
        self.inner.put_extent(put)
    }
    fn flush(&mut self) -> Done<()> {
        self.seen.flushes.fetch_add(1, Ordering::SeqCst);
        if self.seen.fail_flush.load(Ordering::SeqCst) {
            return Err(CacheError::DiskFull);
        }
        self.inner.flush()
    }
    fn extent(&mut self, location: &Location) -> Done<Option<ExtentInfo>> {
        self.inner.extent(location)
    }
    fn read(&mut self, location: &Location, indexes: &[u8]) -> Done<Vec<Option<Vec<u8>>>> {
        self.inner.read(location, indexes)
    }
    fn copy(&mut self, location: &Location, indexes: &[u8]) -> Done<Vec<Option<Vec<u8>>>> {
        self.inner.copy(location, indexes)
    }
    fn held(&mut self, after: Option<&[u8]>, max: usize) -> Done<HeldPage> {
        self.inner.held(after, max)
    }
    fn names(&mut self, location: &Location) -> Done<Vec<u64>> {
        self.inner.names(location)
    }
    fn put_entry(&mut self, put: PutEntry) -> Done<Put> {
        self.inner.put_entry(put)
    }
    fn entries(&mut self, at: &Location, after: Option<[u8; 16]>, max: usize) -> Done<EntryPage> {
        self.inner.entries(at, after, max)
    }
    fn put_descriptors(&mut self, descriptors: &[(NodeId, Vec<u8>)]) -> Done<usize> {
        self.inner.put_descriptors(descriptors)
    }
    fn descriptors(&mut self) -> Done<Vec<Vec<u8>>> {
        self.inner.descriptors()
    }
    fn forget_descriptors(&mut self, nodes: &[NodeId]) -> Done<()> {
        self.inner.forget_descriptors(nodes)
    }
    fn refuse(&mut self, references: &[Reference]) -> Done<()> {
        self.inner.refuse(references)
    }
    fn allow(&mut self, references: &[Reference]) -> Done<()> {
        self.inner.allow(references)
    }
    fn refused(&self) -> Vec<Reference> {
        self.inner.refused()
    }
    fn is_refused(&self, reference: &Reference) -> bool {
        self.inner.is_refused(reference)
    }
    fn expire(&mut self, today: u32) -> Done<u64> {
        self.inner.expire(today)
    }
    fn stats(&self) -> CacheStats {
        self.inner.stats()
    }
    fn close(self: Box<Self>) -> Done<()> {
        Box::new(self.inner).close()
    }
}

struct Running {
    storage: Storage,
    events: mpsc::Receiver<Event>,
    seen: Arc<Seen>,
}

fn start() -> Running {
    let seen = Arc::new(Seen::default());
    let store = Watched {
        inner: MemoryStore::new(64 << 20),
        seen: Arc::clone(&seen),
    };
    let (answers, events) = mpsc::channel(1000);
    let storage = Storage::start(Box::new(store), answers).unwrap();
    Running {
        storage,
        events,
        seen,
    }
}

fn put(i: u8) -> StoreRequest {
    let references = vec![Reference([i; 32])];
    let location = Location::of_extent(&NetworkId([1; 32]), &ExtentId::of(&references), 0);
    let chunks = vec![vec![i; 32_768]];
    StoreRequest::PutExtent {
        location,
        placement: Placement::from_byte(0),
        references,
        chunks,
        distance: [0; 32],
        today: TODAY,
    }
}

fn location(i: u8) -> Location {
    let references = [Reference([i; 32])];
    Location::of_extent(&NetworkId([1; 32]), &ExtentId::of(&references), 0)
}

impl Running {
    fn submit(&self, ticket: u64, request: StoreRequest) {
        assert!(self.storage.submit(Ticket(ticket), request).is_none());
    }

    fn next(&mut self) -> (u64, StoreOutcome) {
        match self.events.blocking_recv() {
            Some(Event::Stored { ticket, outcome }) => (ticket.0, outcome),
            _ => panic!("the storage thread answers with stored events"),
        }
    }
}

#[test]
fn puts_that_came_together_share_one_flush_and_are_answered_after_it() {
    let mut running = start();
    let gate = running.seen.gate.lock().unwrap();
    for i in 0..20 {
        running.submit(u64::from(i), put(i));
    }
    // The first put holds the thread; nothing is flushed or answered while it does.
    assert!(running.events.try_recv().is_err());
    drop(gate);
    for i in 0..20 {
        let (ticket, outcome) = running.next();
        assert!(ticket == i && matches!(outcome, StoreOutcome::Put(PutOutcome::Stored)));
        assert!(running.seen.flushes.load(Ordering::SeqCst) > 0);
    }
    assert!(running.seen.flushes.load(Ordering::SeqCst) <= 2);
    running.storage.close();
}

#[test]
fn what_could_not_be_flushed_was_not_stored() {
    let mut running = start();
    running.seen.fail_flush.store(true, Ordering::SeqCst);
    running.submit(1, put(1));
    assert!(matches!(running.next(), (1, StoreOutcome::Failed)));
    running.storage.close();
}

#[test]
fn reading_never_flushes_and_gives_back_what_was_put() {
    let mut running = start();
    running.submit(1, put(7));
    running.next();
    let flushes = running.seen.flushes.load(Ordering::SeqCst);
    running.submit(2, StoreRequest::Extent(location(7)));
    let (_, StoreOutcome::Extent(Some(extent))) = running.next() else {
        panic!("it is there")
    };
    assert_eq!(
        (extent.references.as_slice(), extent.present),
        (&[Reference([7; 32])][..], 1)
    );
    running.submit(
        3,
        StoreRequest::Read {
            location: location(7),
            indexes: vec![0],
        },
    );
    let (_, StoreOutcome::Chunks(chunks)) = running.next() else {
        panic!("it can be read")
    };
    assert!(chunks[0].as_ref().unwrap() == &vec![7; 32_768]);
    running.submit(4, StoreRequest::Extent(location(8)));
    assert!(matches!(running.next(), (4, StoreOutcome::Extent(None))));
    assert_eq!(running.seen.flushes.load(Ordering::SeqCst), flushes);
    running.storage.close();
}

#[test]
fn what_does_not_fit_fails_at_once_and_what_does_is_carried_out() {
    let mut running = start();
    let gate = running.seen.gate.lock().unwrap();
    running.submit(0, put(0));
    let mut refused = 0;
    let most = QUEUE_MAX as u64 + 50;
    for i in 1..=most {
        let early = running
            .storage
            .submit(Ticket(i), StoreRequest::Extent(location(9)));
        if let Some(Event::Stored {
            outcome: StoreOutcome::Failed,
            ..
        }) = early
        {
            refused += 1;
        }
    }
    drop(gate);
    assert!((50..=51).contains(&refused), "{refused}");
    let answered = std::iter::repeat_with(|| running.next()).take((most - refused) as usize);
    assert_eq!(answered.count() as u64, most - refused);
    running.next();
    running.storage.close();
}

#[test]
fn what_was_given_before_the_end_is_stored_at_the_end() {
    let running = start();
    for i in 0..50 {
        running.submit(u64::from(i), put(i));
    }
    let seen = Arc::clone(&running.seen);
    running.storage.close();
    assert_eq!(seen.puts.load(Ordering::SeqCst), 50);
}

#[test]
fn an_operator_refuses_and_allows_and_learns_how_full_it_is() {
    let mut running = start();
    let refuse = |refuse| {
        let (reply, done) = oneshot::channel();
        running
            .storage
            .refuse(vec![Reference([3; 32])], refuse, reply);
        done.blocking_recv().unwrap().unwrap();
    };
    refuse(true);
    running.submit(1, put(3));
    assert!(matches!(
        running.events.blocking_recv(),
        Some(Event::Stored {
            outcome: StoreOutcome::Put(PutOutcome::Refused),
            ..
        })
    ));
    refuse(false);
    running.submit(2, put(3));
    assert!(matches!(
        running.next(),
        (2, StoreOutcome::Put(PutOutcome::Stored))
    ));
    let (reply, stats) = oneshot::channel();
    running.storage.stats(reply);
    assert_eq!(stats.blocking_recv().unwrap().chunks, 1);
    running.storage.close();
}

#[test]
fn a_driver_that_is_gone_does_not_hold_the_thread() {
    let mut running = start();
    running.events.close();
    for i in 0..10 {
        running.submit(u64::from(i), put(i));
    }
    let (closed, done) = std::sync::mpsc::channel();
    let storage = running.storage;
    std::thread::spawn(move || {
        storage.close();
        let _ = closed.send(());
    });
    done.recv_timeout(Duration::from_secs(30)).unwrap();
}
