//! A month in the life of a thousand devices: whatever the network loses, nobody is signed out who should not be, and a
//! thief ends one session alone.
//!
//! What is simulated. A thousand devices of 250 users, default settings, thirty days on a clock that stands still between
//! visits; visits fall on full hours. A device visits every 20 to 23 hours, close to the end of its refresh token's day.
//! It refreshes at each visit, and five minutes later again at one visit of twenty. One answer of twenty is lost on its way
//! *after* the server has acted; the device then asks again after twenty seconds with what it has, as often as it takes.
//!
//! - One in ten is closed instead when an answer does not come, if it will be back before its token's day is over; it comes
//!   whenever it comes, after two to 23 hours.
//! - One in sixteen has three tabs over one store: all three read it and refresh at the same moment, and each writes what
//!   it was answered. At one visit of four a tab goes on to refresh the new token at once, and another, still about the old
//!   one, has the last word in the store.
//! - One in thirty never stores a new refresh token. It comes every six to ten hours and lives as without rotation: until its
//!   one token expires, and not an hour less.
//!
//! Every access token that arrives is shown to the gate. The sweeper goes round every six hours. What HTTP would add (it is
//! tested elsewhere) is left out: devices ask `Grants` and `Gate`, which the views ask.

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::auth::grants::Pair;
use portcullis::clock::Timestamp;
use portcullis::db::schema::sessions;
use portcullis::model::session::Device;
use portcullis::model::user::{self, NewUser, User};
use portcullis::ops::sweeper;

use crate::support::app::{TestApp, days, minutes, seconds};
use crate::support::dice::Dice;
use crate::support::token::claims;

const DEVICES: usize = 1000;
const USERS: usize = 250;
const TICKS_OF_A_DAY: usize = 24;
const TICKS: usize = 30 * TICKS_OF_A_DAY;
/// On these ticks the refresh token of some visitors is copied by a thief.
const THEFTS: [usize; 3] = [8 * TICKS_OF_A_DAY, 16 * TICKS_OF_A_DAY + 7, 24 * TICKS_OF_A_DAY + 12];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Plain,
    ClosedWhenLost,
    ThreeTabs,
    NeverStores,
}

/// One device: what it holds, and when it comes again.
struct Visitor {
    user: usize,
    habit: Habit,
    store: Pair,
    signed_in_at: Timestamp,
    due: usize,
}

impl Visitor {
    /// Whether it is closed when an answer is lost, since the token that it has will be good at its next visit.
    fn is_back_in_time(&self, noon: Timestamp) -> bool {
        let last = Timestamp::from_seconds(claims(&self.store.refresh)["exp"].as_i64().unwrap());
        self.habit == Habit::ClosedWhenLost && moment(noon, self.due) + minutes(10) < last
    }
}

/// When a tick begins.
fn moment(noon: Timestamp, tick: usize) -> Timestamp {
    noon + minutes(60) * u32::try_from(tick).unwrap()
}

struct World {
    app: TestApp,
    noon: Timestamp,
    dice: Dice,
    users: Vec<User>,
    visitors: Vec<Visitor>,
    requests: usize,
    lost: usize,
    /// Sign-ins of devices whose only token had lived its day.
    expired: usize,
    stolen: usize,
}

#[actix_web::test]
async fn for_thirty_days_no_device_is_signed_out_and_a_thief_ends_one_session_alone() {
    let mut world = World::new().await;
    for tick in 0..TICKS {
        let at = moment(world.noon, tick);
        world.app.clock.advance(at.since(world.app.clock.now()));
        assert_eq!(world.app.clock.now(), at, "the visits of a tick fit into it");
        world.tick(tick).await;
    }
    let World { requests, lost, expired, stolen, .. } = world;
    println!("{requests} refreshes, {lost} answers lost, {expired} tokens lived their day, {stolen} stolen");
    assert!(stolen == 15 && lost * 25 > requests && requests > 30_000 && expired > 300);
}

impl World {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let now = app.clock.now();
        let users = app.write(move |conn| {
            let name = |number| format!("user{number}");
            let new =
                |number| NewUser { username: name(number), date_joined: now, updated_at: now, ..NewUser::default() };
            (0..USERS).map(|number| Ok(user::insert(conn, &new(number))?.unwrap())).collect::<Result<Vec<_>, _>>()
        });
        let users = users.await;
        let dice = Dice(0x5DEE_CE66_D1CE_4E5B);
        let mut world =
            Self { app, noon: now, dice, users, visitors: vec![], requests: 0, lost: 0, expired: 0, stolen: 0 };
        for number in 0..DEVICES {
            let habit = match number % 100 {
                0..3 => Habit::NeverStores,
                3..9 => Habit::ThreeTabs,
                9..19 => Habit::ClosedWhenLost,
                _ => Habit::Plain,
            };
            let user = number % USERS;
            let store = world.sign_in(user).await;
            // The first visits are spread over the first hours.
            let due = 1 + world.dice.below(if habit == Habit::NeverStores { 6 } else { 20 });
            world.visitors.push(Visitor { user, habit, store, signed_in_at: now, due });
        }
        world
    }

    async fn sign_in(&self, user: usize) -> Pair {
        let (grants, user, now) = (self.app.site.grants.clone(), self.users[user].clone(), self.app.clock.now());
        let begin = move |conn: &mut _| grants.begin_pair(conn, &user, &Device::default(), now);
        self.app.site.grants.sign_pair(&self.app.write(begin).await).unwrap()
    }

    async fn tick(&mut self, tick: usize) {
        let due: Vec<usize> = (0..DEVICES).filter(|number| self.visitors[*number].due == tick).collect();
        for number in &due {
            let visitor = &mut self.visitors[*number];
            visitor.due += match visitor.habit {
                Habit::NeverStores => 6 + self.dice.below(5),
                Habit::ClosedWhenLost => 2 + self.dice.below(22),
                _ => 20 + self.dice.below(4),
            };
        }
        let thieves = if THEFTS.contains(&tick) { 5 } else { 0 };
        let victims = due.iter().filter(|number| self.visitors[**number].habit == Habit::Plain).take(thieves);
        let copied: Vec<(usize, Pair)> =
            victims.map(|number| (*number, self.visitors[*number].store.clone())).collect();

        self.sign_in_where_the_day_is_over(&due).await;
        self.refresh(&due).await;
        self.race_of_tabs(&due).await;
        self.app.clock.advance(minutes(5));
        let stays = |number: &usize| copied.iter().any(|(copied, _)| copied == number);
        let longer: Vec<usize> =
            due.iter().copied().filter(|number| stays(number) || self.dice.below(20) == 0).collect();
        self.refresh(&longer).await;
        self.app.clock.advance(minutes(1));
        for (number, copy) in copied {
            self.replay(number, &copy).await;
        }
        if tick.is_multiple_of(6) {
            sweeper::sweep(&self.app.site.db, self.app.clock.now(), |_| ()).await.unwrap();
            self.app.site.memory.revocations.sweep(self.app.clock.now());
        }
    }

    /// Who stores no new token has one that lives a day, as without rotation.
    async fn sign_in_where_the_day_is_over(&mut self, due: &[usize]) {
        let now = self.app.clock.now();
        for number in due {
            let visitor = &self.visitors[*number];
            if visitor.habit == Habit::NeverStores && visitor.signed_in_at + days(1) <= now {
                let store = self.sign_in(visitor.user).await;
                let visitor = &mut self.visitors[*number];
                (visitor.store, visitor.signed_in_at) = (store, now);
                self.expired += 1;
            }
        }
    }

    /// Each of these devices refreshes until an answer has reached it; all at the same moment.
    async fn refresh(&mut self, who: &[usize]) {
        let noon = self.noon;
        let mut waiting = who.to_vec();
        while !waiting.is_empty() {
            let tabs = |number: &usize| if self.visitors[*number].habit == Habit::ThreeTabs { 3 } else { 1 };
            let asked: Vec<usize> = waiting.iter().flat_map(|number| vec![*number; tabs(number)]).collect();
            let texts: Vec<_> = asked.iter().map(|number| self.visitors[*number].store.refresh.clone()).collect();
            let answers = self.ask(&texts).await;
            let mut reached = Vec::new();
            for (number, answer) in asked.into_iter().zip(answers) {
                let answer = answer.unwrap_or_else(|error| panic!("device {number} is signed out: {error}"));
                if self.dice.below(20) == 0 {
                    self.lost += 1;
                } else {
                    self.arrives(number, answer).await;
                    reached.push(number);
                }
            }
            waiting.retain(|number| !reached.contains(number) && !self.visitors[*number].is_back_in_time(noon));
            if !waiting.is_empty() {
                self.app.clock.advance(seconds(20));
            }
        }
    }

    /// At some visits a tab refreshes what another has just stored while a third is still about the token before.
    async fn race_of_tabs(&mut self, due: &[usize]) {
        let racing: Vec<usize> = due
            .iter()
            .copied()
            .filter(|number| self.visitors[*number].habit == Habit::ThreeTabs && self.dice.below(4) == 0)
            .collect();
        let stored = |world: &Self| -> Vec<String> {
            racing.iter().map(|number| world.visitors[*number].store.refresh.clone()).collect()
        };
        let before = stored(self);
        for use_what_is_stored in [false, true, false] {
            let texts = if use_what_is_stored { stored(self) } else { before.clone() };
            let answers = self.ask(&texts).await;
            for (number, answer) in racing.iter().zip(answers) {
                self.arrives(*number, answer.unwrap_or_else(|error| panic!("a tab of device {number}: {error}"))).await;
            }
            self.app.clock.advance(seconds(2));
        }
    }

    async fn ask(&mut self, texts: &[String]) -> Vec<portcullis::error::Result<Pair>> {
        self.requests += texts.len();
        let grants = &self.app.site.grants;
        let answers = join_all(texts.iter().map(|text| grants.refresh(text, Device::default()))).await;
        let pair = |answer: portcullis::auth::grants::Refreshed| Pair {
            refresh: answer.refresh.expect("rotation is on"),
            access: answer.access,
        };
        answers.into_iter().map(|answer| answer.map(pair)).collect()
    }

    async fn arrives(&mut self, number: usize, answer: Pair) {
        let user = self.users[self.visitors[number].user].id;
        let admitted = self.app.site.gate.decide(&answer.access, self.app.clock.now()).await.unwrap();
        assert_eq!(admitted.map(|principal| principal.user).map_err(|rejects| format!("{rejects:?}")), Ok(user));
        let visitor = &mut self.visitors[number];
        match visitor.habit {
            Habit::NeverStores => visitor.store.access = answer.access,
            _ => visitor.store = answer,
        }
    }

    /// The thief comes with the copy; by now the device has refreshed what it was exchanged for.
    async fn replay(&mut self, number: usize, copy: &Pair) {
        let ended = |app: &TestApp| {
            let app = app.clone();
            async move {
                let ended = sessions::table.filter(sessions::ended_at.is_not_null());
                app.read(move |conn| {
                    Ok(ended.select((sessions::id, sessions::ended_why)).load::<(String, Option<String>)>(conn)?)
                })
                .await
            }
        };
        let before = ended(&self.app).await;
        assert!(self.ask(std::slice::from_ref(&copy.refresh)).await.pop().unwrap().is_err(), "the copy is good");
        self.stolen += 1;

        let mut after = ended(&self.app).await;
        after.retain(|session| !before.contains(session));
        let sid = claims(&copy.refresh)["sid"].as_str().unwrap().to_owned();
        assert_eq!(after, [(sid, Some("reuse seen".to_owned()))], "one session ends, and no other");
        let store = self.visitors[number].store.clone();
        assert!(self.app.site.gate.decide(&store.access, self.app.clock.now()).await.unwrap().is_err());
        assert!(self.ask(&[store.refresh]).await.pop().unwrap().is_err());
        // Its owner signs in anew and goes on with the others.
        self.visitors[number].store = self.sign_in(self.visitors[number].user).await;
    }
}
