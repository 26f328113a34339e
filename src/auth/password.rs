//! Passwords: made into argon2id hashes, and compared with them, on a few threads of their own.
//!
//! A hash costs tens of milliseconds and as many megabytes, on purpose. So the threads and what waits for them are
//! bounded: a storm of sign-ins is answered with 503, and every other request goes on as before. Whether a user exists,
//! has a password at all, or gave one that is too long: an answer always costs one hash.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::oneshot;

use crate::auth::foreign_hash::ForeignHash;
use crate::auth::password_rules::too_long;
use crate::error::{Error, Result};
use crate::settings::rules::{MOST_MEMORY_KIB, MOST_PASSES};
use crate::settings::{self, Secret};

/// After so long without work a thread gives its work area back.
const IDLE: Duration = Duration::from_secs(5);
/// So long the allocator waits until it may pass memory on, and a little more.
const SETTLED: Duration = Duration::from_millis(1200);
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// argon2's memory, kept from one hash to the next: to get 19 MiB anew costs a good part of a hash.
pub type Area = Vec<Block>;
type Job = Box<dyn FnOnce(&mut Area) + Send>;

/// What comparing a password with a stored hash shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, but the hash is not of today's kind and cost: time to store a new one.
    RightButOld,
}

/// The hashing threads. Clones share them; they end with the last clone.
#[derive(Clone)]
pub struct Passwords {
    queue: Sender<Job>,
    recipe: Arc<Recipe>,
}

impl Passwords {
    /// Starts the threads and makes the hash that stands in for users who have none.
    pub fn start(settings: &settings::Passwords) -> anyhow::Result<Self> {
        let recipe = Recipe::new(settings).context("passwords.memory_kib, passes and lanes do not fit together")?;
        let (queue, jobs) = bounded::<Job>(settings.queue.max(1));
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if settings.hashing_threads == 0 { (cores / 2).max(1) } else { settings.hashing_threads };
        for number in 0..threads {
            start_thread(number, jobs.clone()).context("a thread for hashing passwords cannot be started")?;
        }
        Ok(Self { queue, recipe: Arc::new(recipe) })
    }

    /// A new hash of `plain`, as PHC text. One that is too long is refused even where nobody asked the rules before.
    pub async fn hash(&self, plain: Secret) -> Result<String> {
        if let Some(complaint) = too_long(plain.expose()) {
            return Err(Error::field("password", complaint));
        }
        let recipe = self.recipe.clone();
        self.run(move |area| recipe.hash(&plain, area).map_err(Error::internal)).await
    }

    /// Compares `plain` with a user's `stored` hash; of a user who does not exist, with a hash that nobody has.
    pub async fn verify(&self, plain: Secret, stored: Option<String>) -> Result<Verified> {
        self.verify_among(plain, stored, Vec::new()).await
    }

    /// The same where other users have the hashes `foreign`, made by another server and costlier than ours: a refusal takes
    /// as long as the costliest, whoever was named.
    pub async fn verify_among(&self, plain: Secret, stored: Option<String>, foreign: Vec<String>) -> Result<Verified> {
        let recipe = self.recipe.clone();
        self.run(move |area| Ok(recipe.verify(&plain, stored.as_deref(), &foreign, area))).await
    }

    /// How many hashes were computed so far: what sign-ins cost.
    pub fn computed(&self) -> u64 {
        self.recipe.computed.load(Ordering::Relaxed)
    }

    /// Has a thread do `work`, unless nobody waits for it any more when its turn comes.
    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Area) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |area: &mut Area| {
            if !answer.is_closed() {
                // The client may have gone meanwhile; then nobody needs the answer.
                let _ = answer.send(work(area));
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|_| Error::Unavailable)?;
        answered.await.unwrap_or_else(|_| Err(Error::internal("a password could not be hashed: the job panicked")))
    }
}

/// What stands in place of a hash where there is no password: Django's form, which nothing matches. Each is another, so that
/// whatever hangs on the former one is dead.
///
/// # Errors
/// If the system has no random bytes.
pub fn unusable() -> Result<String> {
    let random = random::<20>().map_err(Error::internal)?;
    Ok(format!("!{}", hex::encode(random)))
}

/// Starts a thread that hashes until there is nobody left who could ask.
///
/// The allocator passes memory on to the system when a thread ends, if it was given back a second before. So a thread that
/// gives its work area back leaves its place to a fresh one, and ends a little later.
fn start_thread(number: usize, jobs: Receiver<Job>) -> std::io::Result<()> {
    let work = move || {
        let mut area = Area::new();
        let mut had_area = false;
        while turn(&jobs, &mut area, IDLE) {
            let gave_back = had_area && area.is_empty();
            had_area = !area.is_empty();
            if gave_back && start_thread(number, jobs.clone()).is_ok() {
                drop(jobs);
                return thread::sleep(SETTLED);
            }
        }
    };
    thread::Builder::new().name(format!("hash-{number}")).spawn(work).map(drop)
}

/// A thread's one round: a job, or a while without any. False when there will be none any more.
fn turn(jobs: &Receiver<Job>, area: &mut Area, idle: Duration) -> bool {
    let job = if area.is_empty() { jobs.recv().map_err(Into::into) } else { jobs.recv_timeout(idle) };
    match job {
        Ok(job) => {
            // A panic is told by the job's answer, which is dropped; the thread must live on.
            if catch_unwind(AssertUnwindSafe(|| job(area))).is_err() {
                *area = Area::new();
            }
        }
        Err(RecvTimeoutError::Timeout) => *area = Area::new(),
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    true
}

/// Today's way to hash.
struct Recipe {
    params: Params,
    /// How many hashes were computed so far.
    computed: AtomicU64,
    /// Compared with where there is nothing to compare with, so that the time tells nothing.
    dummy: Stored,
}

impl Recipe {
    fn new(settings: &settings::Passwords) -> anyhow::Result<Self> {
        let params = Params::new(settings.memory_kib, settings.passes, settings.lanes, Some(HASH_BYTES))?;
        let dummy = Stored::new(params.clone(), &random::<SALT_BYTES>()?, &random::<HASH_BYTES>()?)?;
        Ok(Self { params, computed: AtomicU64::new(0), dummy })
    }

    fn hash(&self, plain: &Secret, area: &mut Area) -> anyhow::Result<String> {
        let salt = random::<SALT_BYTES>()?;
        let mut output = [0; HASH_BYTES];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        self.computed.fetch_add(1, Ordering::Relaxed);
        compute(&argon2, plain.expose(), &salt, &mut output, area)?;
        Stored::new(self.params.clone(), &salt, &output)?.phc()
    }

    fn is_of(&self, stored: &Stored, plain: &str, area: &mut Area) -> bool {
        self.computed.fetch_add(1, Ordering::Relaxed);
        stored.is_of(plain, area)
    }

    fn verify(&self, plain: &Secret, stored: Option<&str>, foreign: &[String], area: &mut Area) -> Verified {
        let plain = plain.expose();
        // A text that is too long was never hashed, and is not worth hashing: an empty one takes its time.
        let (plain, stored) = if too_long(plain).is_some() { ("", None) } else { (plain, stored) };
        let made_elsewhere = stored.and_then(|text| ForeignHash::read(text).ok());
        let verified = match &made_elsewhere {
            None => self.compare(plain, stored.and_then(Stored::read), area),
            Some(hash) => {
                self.is_of(&self.dummy, plain, area);
                self.computed.fetch_add(1, Ordering::Relaxed);
                if hash.is_of(plain, area) { Verified::RightButOld } else { Verified::Wrong }
            }
        };
        let costliest = foreign.iter().filter_map(|text| ForeignHash::read(text).ok()).max_by_key(ForeignHash::work);
        if let (Verified::Wrong, Some(costliest)) = (verified, costliest) {
            costliest.make_up_for(made_elsewhere.as_ref(), plain, area);
        }
        verified
    }

    /// Compares with a hash of ours, at the cost of the present one at least.
    fn compare(&self, plain: &str, stored: Option<Stored>, area: &mut Area) -> Verified {
        let Some(stored) = stored else {
            self.is_of(&self.dummy, plain, area);
            return Verified::Wrong;
        };
        if stored.is_cheaper_than(&self.params) {
            self.is_of(&self.dummy, plain, area); // or a quick answer would tell that there is such a user
        }
        match (self.is_of(&stored, plain, area), stored.is_made_with(&self.params)) {
            (false, _) => Verified::Wrong,
            (true, true) => Verified::Right,
            (true, false) => Verified::RightButOld,
        }
    }
}

/// A hash of argon2 with what it was made of.
pub struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    hash: Output,
}

impl Stored {
    fn new(params: Params, salt: &[u8], hash: &[u8]) -> anyhow::Result<Self> {
        let (salt, hash) = (Salt::new(salt)?, Output::new(hash)?);
        Ok(Self { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, salt, hash })
    }

    /// PHC text of one of argon2's kinds. Not what would bind a thread or the machine's memory for long: no setting of
    /// ours has ever made such a hash.
    fn read(text: &str) -> Option<Self> {
        let bearable = |params: &Params| params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES;
        Self::read_any(text).filter(|stored| bearable(&stored.params))
    }

    /// PHC text, whatever it would cost to check. Argon2 before 1.3 wrote no version.
    pub(super) fn read_any(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&phc).ok()?;
        let algorithm = phc.algorithm.as_str().parse().ok()?;
        let version = phc.version.map_or(Ok(Version::V0x10), TryInto::try_into).ok()?;
        Some(Self { algorithm, version, params, salt: phc.salt?, hash: phc.hash? })
    }

    /// The memory of a check, in KiB.
    pub(super) fn memory(&self) -> u64 {
        self.params.m_cost().into()
    }

    /// KiB that a check writes, over all passes.
    pub(super) fn memory_passes(&self) -> u64 {
        self.memory().saturating_mul(self.params.t_cost().into())
    }

    fn phc(&self) -> anyhow::Result<String> {
        let phc = PasswordHash {
            algorithm: self.algorithm.into(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params)?,
            salt: Some(self.salt),
            hash: Some(self.hash),
        };
        Ok(phc.to_string())
    }

    fn is_cheaper_than(&self, params: &Params) -> bool {
        self.memory_passes() < u64::from(params.m_cost()) * u64::from(params.t_cost())
    }

    fn is_made_with(&self, params: &Params) -> bool {
        (self.algorithm, self.version, &self.params) == (Algorithm::Argon2id, Version::V0x13, params)
    }

    pub(super) fn is_of(&self, plain: &str, area: &mut Area) -> bool {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let mut output = vec![0; self.hash.len()];
        compute(&argon2, plain, &self.salt, &mut output, area).is_ok()
            && verify_slices_are_equal(&output, self.hash.as_bytes()).is_ok()
    }
}

/// The hash itself. The area is as large as this hash needs: a costlier one of former days leaves nothing behind.
fn compute(argon2: &Argon2, plain: &str, salt: &[u8], output: &mut [u8], area: &mut Area) -> argon2::Result<()> {
    let blocks = argon2.params().block_count();
    if area.len() != blocks {
        *area = Area::new();
        area.resize(blocks, Block::new());
    }
    argon2.hash_password_into_with_memory(plain.as_bytes(), salt, output, area.as_mut_slice())
}

fn random<const BYTES: usize>() -> anyhow::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// One thread, one place to wait, and the cheapest hash.
    fn passwords() -> Passwords {
        Passwords::start(&cheap()).unwrap()
    }

    fn cheap() -> settings::Passwords {
        let default = settings::Passwords::default();
        settings::Passwords { hashing_threads: 1, queue: 1, memory_kib: 8, passes: 1, lanes: 1, ..default }
    }

    async fn verify(passwords: &Passwords, plain: &str, stored: &str) -> Verified {
        passwords.verify(plain.into(), Some(stored.into())).await.unwrap()
    }

    /// Puts a call into the queue without waiting for its answer.
    async fn begun<F: Future>(call: F) -> Pin<Box<F>> {
        let mut call = Box::pin(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("answered at once"),
            () = std::future::ready(()) => call,
        }
    }

    /// Keeps the only thread busy until the sender is used or dropped.
    async fn busy(passwords: &Passwords) -> (Pin<Box<impl Future<Output = Result<()>>>>, Sender<()>) {
        let (release, released) = bounded::<()>(1);
        let (starting, started) = bounded(1);
        let passwords = passwords.clone();
        let call = begun(async move {
            let wait = move |_: &mut Area| {
                starting.send(()).unwrap();
                let _ = released.recv();
                Ok(())
            };
            passwords.run(wait).await
        });
        let call = call.await;
        started.recv().unwrap();
        (call, release)
    }

    #[tokio::test]
    async fn a_hash_is_right_for_its_password_alone() {
        let passwords = passwords();
        let stored = passwords.hash("pässword".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert_eq!(verify(&passwords, "pässword", &stored).await, Verified::Right);
        assert_eq!(verify(&passwords, "Pässword", &stored).await, Verified::Wrong);
        assert_ne!(stored, passwords.hash("pässword".into()).await.unwrap());
    }

    #[tokio::test]
    async fn the_defaults_are_what_owasp_advises() {
        let settings = settings::Passwords { hashing_threads: 1, ..settings::Passwords::default() };
        let stored = Passwords::start(&settings).unwrap().hash("correct horse 9".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    }

    /// Made by argon2-cffi for Django 5.2.
    const OF_DJANGO: &str =
        "$argon2id$v=19$m=102400,t=2,p=8$QzY4cGxLQUx3c0YyVkc4NDN5OTg4Ug$ZeLn96YPP1TFYjPd7bn9hVcoqj4vLnA7vaAqZ0jvcjI";

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_but_old() {
        let passwords = passwords();
        assert_eq!(verify(&passwords, "pässword", OF_DJANGO).await, Verified::RightButOld);
        assert_eq!(verify(&passwords, "password", OF_DJANGO).await, Verified::Wrong);
        let dearer = Passwords::start(&settings::Passwords { passes: 2, ..cheap() }).unwrap();
        let stored = dearer.hash("x".into()).await.unwrap();
        assert_eq!(verify(&passwords, "x", &stored).await, Verified::RightButOld);
        assert_eq!(verify(&dearer, "x", &stored).await, Verified::Right);
    }

    #[tokio::test]
    async fn what_is_no_hash_of_ours_is_wrong() {
        let passwords = passwords();
        let stored = passwords.hash("x".into()).await.unwrap();
        let cut = &stored[..stored.len() - 1];
        let huge = stored.replace("m=8,", "m=4294967295,");
        let endless = stored.replace("t=1,", "t=4294967295,");
        let unversioned = stored.replace("$v=19", "");
        for text in ["", "!", "!abc", "x", "$", "$argon2id$", "md5$salt$hex", cut, &huge, &endless, &unversioned] {
            assert_eq!(verify(&passwords, "x", text).await, Verified::Wrong, "{text}");
        }
        assert_eq!(passwords.verify("x".into(), None).await.unwrap(), Verified::Wrong);
    }

    /// What this thread has had of the processor, in nanoseconds: other tests beside it do not count.
    fn worked() -> f64 {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        told.split(' ').next().unwrap().parse().unwrap()
    }

    /// AUT-02. The least of several runs, since what else there is only adds to the time.
    #[test]
    fn beside_imported_hashes_every_refusal_takes_the_time_of_the_costliest() {
        let hash = |rounds: u32| format!("pbkdf2_sha256${rounds}$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let recipe = Recipe::new(&cheap()).unwrap();
        let ours = recipe.hash(&"y".into(), &mut Area::new()).unwrap();
        let foreign = [hash(1000), hash(400_000), hash(20_000)];
        let time = |stored: Option<&str>, plain: &str| {
            let run = |_| {
                let start = worked();
                assert_eq!(recipe.verify(&plain.into(), stored, &foreign, &mut Area::new()), Verified::Wrong);
                worked() - start
            };
            (0..7).map(run).reduce(f64::min).unwrap()
        };
        let unknown = time(None, "x");
        let long = "x".repeat(2000);
        for (stored, plain) in [
            (Some(foreign[1].as_str()), "x"),
            (Some(foreign[0].as_str()), "x"),
            (Some(ours.as_str()), "x"),
            (Some("!"), "x"),
            (Some(ours.as_str()), &long),
        ] {
            let ratio = time(stored, plain) / unknown;
            assert!((0.7..1.4).contains(&ratio), "{stored:?}: {ratio}");
        }
    }

    #[test]
    fn every_answer_costs_a_hash() {
        let recipe = Recipe::new(&cheap()).unwrap();
        let long: Secret = "x".repeat(1025).into();
        let stored = recipe.hash(&long, &mut Area::new()).unwrap();
        for (plain, stored) in [("x".into(), None), ("x".into(), Some("!")), (long, Some(stored.as_str()))] {
            let mut area = Area::new();
            assert_eq!(recipe.verify(&plain, stored, &[], &mut area), Verified::Wrong);
            assert_eq!(area.len(), 8, "{stored:?}");
        }
    }

    #[tokio::test]
    async fn a_password_that_is_too_long_is_never_hashed() {
        let refused = passwords().hash("x".repeat(1025).into()).await.unwrap_err();
        assert!(refused.body().to_string().contains("at most 1024 characters"));
        passwords().hash("x".repeat(1024).into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let passwords = passwords();
        let (call, release) = busy(&passwords).await;
        let waiting = begun(passwords.verify("x".into(), None)).await;
        assert!(matches!(passwords.verify("x".into(), None).await, Err(Error::Unavailable)));
        assert!(matches!(passwords.hash("x".into()).await, Err(Error::Unavailable)));
        drop(release);
        call.await.unwrap();
        assert_eq!(waiting.await.unwrap(), Verified::Wrong);
    }

    #[tokio::test]
    async fn nothing_is_hashed_for_a_client_who_has_gone() {
        let passwords = passwords();
        let (call, release) = busy(&passwords).await;
        let worked = Arc::new(AtomicBool::new(false));
        let work = {
            let worked = worked.clone();
            move |_: &mut Area| {
                worked.store(true, Ordering::SeqCst);
                Ok(())
            }
        };
        drop(begun(passwords.run(work)).await);
        drop(release);
        call.await.unwrap();
        while !passwords.queue.is_empty() {
            thread::yield_now();
        }
        passwords.verify("x".into(), None).await.unwrap();
        assert!(!worked.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_ends_its_job_and_not_the_thread() {
        let passwords = passwords();
        let answer: Result<()> = passwords.run(|_| panic!("on purpose")).await;
        assert!(matches!(answer, Err(Error::Internal(_))));
        let stored = passwords.hash("x".into()).await.unwrap();
        assert_eq!(verify(&passwords, "x", &stored).await, Verified::Right);
    }

    #[test]
    fn an_idle_thread_gives_its_memory_back_and_ends_with_its_queue() {
        let (queue, jobs) = bounded::<Job>(1);
        let mut area = vec![Block::new(); 8];
        queue.send(Box::new(|_| ())).unwrap();
        assert!(turn(&jobs, &mut area, Duration::ZERO));
        assert_eq!(area.len(), 8);
        assert!(turn(&jobs, &mut area, Duration::ZERO));
        assert_eq!(area.capacity(), 0);
        drop(queue);
        assert!(!turn(&jobs, &mut area, Duration::ZERO));
    }
}
