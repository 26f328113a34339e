//! The open sockets of this process: whom they belong to, and what they are to learn.
//!
//! The follower tells it what the change log says, on the thread that has just committed, so nothing here waits: each socket
//! has a queue of its own, and one that does not keep up is closed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// How many events may wait for a socket's reader, and how many bytes of them; one event may always.
const QUEUE: usize = 64;
const QUEUE_BYTES: usize = 256 * 1024;

/// The sockets of one process. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Parts>);

struct Parts {
    sockets: Mutex<Sockets>,
    /// How many there are, to be asked on every write without a lock.
    count: AtomicUsize,
    /// Whether other processes have any.
    elsewhere: AtomicBool,
    per_user: usize,
}

#[derive(Default)]
struct Sockets {
    of: HashMap<i64, Vec<Arc<Line>>>,
    /// When each socket's token ends, the next first.
    ends: BTreeMap<(Timestamp, u64), Arc<Line>>,
    made: u64,
    stopped: bool,
}

/// What a socket's task is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The server stops.
    Stop,
    /// The reader does not keep up.
    Slow,
    /// Something about the session, the user or the time has changed: ask the gate again.
    Check,
    /// An event, as it is sent.
    Event(ByteString),
}

/// What waits for one socket.
struct Line {
    id: u64,
    user: i64,
    inbox: Mutex<Inbox>,
    wake: Notify,
}

#[derive(Default)]
struct Inbox {
    events: VecDeque<ByteString>,
    bytes: usize,
    stop: bool,
    slow: bool,
    check: bool,
}

/// A socket's place in the hub, given back when it is dropped.
pub struct Seat {
    hub: Hub,
    line: Arc<Line>,
    until: Timestamp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub without sockets, which will take `per_user` of each user.
    pub fn new(per_user: usize) -> Self {
        Self(Arc::new(Parts {
            sockets: Mutex::default(),
            count: AtomicUsize::new(0),
            elsewhere: AtomicBool::new(false),
            per_user,
        }))
    }

    /// Whether this process has open sockets.
    pub fn has_sockets(&self) -> bool {
        self.0.count.load(Ordering::Relaxed) > 0
    }

    /// Whether any process has open sockets, as far as is known here.
    pub fn is_heard(&self) -> bool {
        self.has_sockets() || self.0.elsewhere.load(Ordering::Relaxed)
    }

    /// Notes whether any process that follows the same log has open sockets.
    pub fn others_listen(&self, listen: bool) {
        self.0.elsewhere.store(listen, Ordering::Relaxed);
    }

    /// A place for a socket of this user, whose token is good until then. The socket is to check first of all: what has
    /// ended since its token was looked at was told to those alone who were here.
    ///
    /// # Errors
    /// 403 if the user has too many; 503 if the server stops.
    pub fn join(&self, user: i64, until: Timestamp) -> Result<Seat> {
        let mut sockets = lock(&self.0.sockets);
        if sockets.stopped {
            return Err(Error::Unavailable);
        }
        let most = self.0.per_user;
        let open = sockets.of.get(&user).map_or(0, Vec::len);
        if open >= most {
            return Err(Error::Refused(
                format!("You have {open} sockets open already, as many as there may be.").into(),
            ));
        }
        sockets.made += 1;
        let inbox = Mutex::new(Inbox { check: true, ..Inbox::default() });
        let line = Arc::new(Line { id: sockets.made, user, inbox, wake: Notify::new() });
        sockets.of.entry(user).or_default().push(line.clone());
        sockets.ends.insert((until, line.id), line.clone());
        self.0.count.fetch_add(1, Ordering::Relaxed);
        Ok(Seat { hub: self.clone(), line, until })
    }

    /// Tells an event to the sockets of one user, or to all.
    pub fn tell(&self, to: Option<i64>, name: &str, data: &str) {
        if !self.has_sockets() {
            return;
        }
        // The name is a word of ours, which needs no escapes; the data is JSON already.
        // One text for all who are told.
        let text: ByteString = format!(r#"{{"event":"{name}","data":{data}}}"#).into();
        self.each(to, |inbox| inbox.add(&text));
    }

    /// Has the sockets of one user, or all, ask the gate whether they may stay.
    pub fn check(&self, user: Option<i64>) {
        self.each(user, |inbox| inbox.check = true);
    }

    /// Has those ask whose token ends by `now`.
    pub fn check_ends(&self, now: Timestamp) {
        if !self.has_sockets() {
            return;
        }
        let mut sockets = lock(&self.0.sockets);
        while let Some(end) = sockets.ends.first_entry().filter(|end| end.key().0 <= now) {
            end.remove().put(|inbox| inbox.check = true);
        }
    }

    /// Closes all, and takes no more: the server stops.
    pub fn stop(&self) {
        lock(&self.0.sockets).stopped = true;
        self.each(None, |inbox| inbox.stop = true);
    }

    fn each(&self, user: Option<i64>, change: impl Fn(&mut Inbox)) {
        let sockets = lock(&self.0.sockets);
        match user {
            Some(user) => sockets.of.get(&user).into_iter().flatten().for_each(|line| line.put(&change)),
            None => sockets.of.values().flatten().for_each(|line| line.put(&change)),
        }
    }
}

impl Line {
    fn put(&self, change: impl Fn(&mut Inbox)) {
        change(&mut lock(&self.inbox));
        self.wake.notify_one();
    }
}

impl Inbox {
    fn add(&mut self, text: &ByteString) {
        let bytes = self.bytes + text.len();
        if self.slow || self.events.len() >= QUEUE || (bytes > QUEUE_BYTES && !self.events.is_empty()) {
            // It will be closed: what waits is of no use to it, and its memory is to others.
            *self = Self { slow: true, stop: self.stop, check: self.check, ..Self::default() };
            return;
        }
        self.bytes = bytes;
        self.events.push_back(text.clone());
    }

    /// What must not wait for the reader.
    fn urgent(&mut self) -> Option<Word> {
        // A check first: whoever is signed out learns that, and of a queue that was too long nothing.
        if std::mem::take(&mut self.check) {
            Some(Word::Check)
        } else if self.stop {
            Some(Word::Stop)
        } else {
            self.slow.then_some(Word::Slow)
        }
    }

    fn next(&mut self) -> Option<Word> {
        self.urgent().or_else(|| {
            let event = self.events.pop_front()?;
            self.bytes -= event.len();
            if self.events.is_empty() {
                self.events = VecDeque::new(); // idle sockets are many, and hold nothing
            }
            Some(Word::Event(event))
        })
    }
}

impl Seat {
    /// What to do next, as soon as there is anything.
    pub async fn next(&self) -> Word {
        self.wait(Inbox::next).await
    }

    /// What must not wait until an event has been sent.
    pub async fn urgent(&self) -> Word {
        self.wait(Inbox::urgent).await
    }

    async fn wait(&self, take: impl Fn(&mut Inbox) -> Option<Word>) -> Word {
        loop {
            // The guard is gone before the wait; a word that comes in between leaves its mark with `wake`.
            let word = take(&mut lock(&self.line.inbox));
            if let Some(word) = word {
                return word;
            }
            self.line.wake.notified().await;
        }
    }

    /// Notes that the socket has shown another token, which is good until then.
    pub fn extend(&mut self, until: Timestamp) {
        let mut sockets = lock(&self.hub.0.sockets);
        sockets.ends.remove(&(self.until, self.line.id));
        sockets.ends.insert((until, self.line.id), self.line.clone());
        self.until = until;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sockets = lock(&self.hub.0.sockets);
        sockets.ends.remove(&(self.until, self.line.id));
        if let Some(lines) = sockets.of.get_mut(&self.line.user) {
            lines.retain(|line| line.id != self.line.id);
            if lines.is_empty() {
                sockets.of.remove(&self.line.user);
            }
        }
        self.hub.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp::from_seconds(100);

    fn words(seat: &Seat) -> Vec<Word> {
        std::iter::from_fn(|| lock(&seat.line.inbox).next()).take(100).collect()
    }

    #[test]
    fn a_user_is_told_of_their_own_and_of_what_is_everyones_in_order() {
        let hub = Hub::new(2);
        let (ann, bob) = (hub.join(1, LATER).unwrap(), hub.join(2, LATER).unwrap());
        hub.tell(Some(1), "task.created", "1");
        hub.tell(None, "article.created", "2");
        let event = |text: &str| Word::Event(text.into());
        let (task, article) =
            (event(r#"{"event":"task.created","data":1}"#), event(r#"{"event":"article.created","data":2}"#));
        assert_eq!(words(&ann), [Word::Check, task, article.clone()]);
        assert_eq!(words(&bob), [Word::Check, article]);
    }

    #[test]
    fn a_reader_who_does_not_keep_up_is_told_so_and_holds_no_memory() {
        let hub = Hub::new(2);
        let few = |count: usize, size: usize| {
            let seat = hub.join(1, LATER).unwrap();
            words(&seat);
            (0..count).for_each(|_| hub.tell(None, "x", &"1".repeat(size)));
            let inbox = lock(&seat.line.inbox);
            (inbox.slow, inbox.events.len())
        };
        assert_eq!(few(QUEUE, 1), (false, QUEUE));
        assert_eq!(few(QUEUE + 1, 1), (true, 0));
        assert_eq!(few(1, 2 * QUEUE_BYTES), (false, 1));
        assert_eq!(few(2, QUEUE_BYTES), (true, 0));
    }

    #[test]
    fn whose_token_ends_must_ask_and_one_who_has_shown_another_need_not() {
        let hub = Hub::new(2);
        let (short, mut long) = (hub.join(1, LATER).unwrap(), hub.join(1, LATER).unwrap());
        words(&short);
        words(&long);
        long.extend(Timestamp::from_seconds(200));
        hub.check_ends(Timestamp::from_seconds(99));
        assert_eq!((words(&short), words(&long)), (vec![], vec![]));
        hub.check_ends(LATER);
        assert_eq!((words(&short), words(&long)), (vec![Word::Check], vec![]));
        hub.check_ends(Timestamp::from_seconds(200));
        assert_eq!((words(&short), words(&long)), (vec![], vec![Word::Check]));
    }

    #[test]
    fn a_seat_is_given_back_and_a_stopped_hub_gives_none() {
        let hub = Hub::new(1);
        let seat = hub.join(1, LATER).unwrap();
        assert!(hub.is_heard() && matches!(hub.join(1, LATER), Err(Error::Refused(_))));
        drop(seat);
        assert!(!hub.is_heard() && lock(&hub.0.sockets).of.is_empty() && lock(&hub.0.sockets).ends.is_empty());
        let seat = hub.join(1, LATER).unwrap();
        hub.stop();
        lock(&seat.line.inbox).check = false;
        assert_eq!(lock(&seat.line.inbox).next(), Some(Word::Stop));
        assert!(matches!(hub.join(2, LATER), Err(Error::Unavailable)));
    }
}
