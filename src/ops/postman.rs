//! The postman: empties the outbox, letter by letter, for as long as the server runs.
//!
//! A letter is taken in one transaction, delivered outside of any, and noted as sent in another. A process that dies in
//! between gives its letter back when its lease is over; so each goes out at least once, and twice only then. What the
//! letter says is looked up as it goes out: an account that is gone or another's address gets none.

use std::time::Duration;

use actix_web::web::Data;
use tokio::time::timeout;

use crate::error::Result;
use crate::letters::{Addressed, Links};
use crate::mail::Letter;
use crate::mail::mailer::Trouble;
use crate::model::outbox::{self, Next, Taken};
use crate::site::Site;

/// How often the outbox is looked into when nobody rings: for letters that are tried again, and for those that a command or
/// another process has written.
const ROUND: Duration = Duration::from_secs(5);

/// Delivers for as long as the server runs.
pub async fn run(site: Data<Site>) {
    loop {
        if let Err(error) = deliver_due(&site).await {
            log::error!("the outbox cannot be read or written, and is tried again in a moment: {error}");
        }
        // Elapsed or rung, both end the rest.
        let _ = timeout(ROUND, site.mail.rung()).await;
    }
}

/// Delivers what is due, one after the other; returns how many went out. At trouble with the mail server the rest waits for
/// the next round.
///
/// # Errors
/// The database's.
pub async fn deliver_due(site: &Site) -> Result<usize> {
    let mut sent = 0;
    loop {
        let _desk = site.mail.desk().await;
        let now = site.clock.now();
        if !site.db.read(move |conn| outbox::is_due(conn, now)).await? {
            return Ok(sent);
        }
        let letter = match site.db.write(move |conn| outbox::take(conn, now)).await? {
            Next::Rest => return Ok(sent),
            Next::Drop => continue,
            Next::Deliver(letter) => letter,
        };
        match deliver(site, &letter).await? {
            Delivered::Sent => sent += 1,
            Delivered::Never | Delivered::Later => {}
            Delivered::NotNow => return Ok(sent),
        }
    }
}

/// What became of a letter.
enum Delivered {
    Sent,
    Never,
    /// Not this one; the next may.
    Later,
    /// Neither this one nor the next.
    NotNow,
}

async fn deliver(site: &Site, taken: &Taken) -> Result<Delivered> {
    let (id, kind) = (taken.id, taken.kind.as_str());
    let Some(letter) = write(site, taken).await? else {
        // For nobody: an unknown address, an account that is verified or gone, an invitation that was taken back.
        site.db.write(move |conn| outbox::remove(conn, id)).await?;
        return Ok(Delivered::Never);
    };
    let outcome = site.mail.mailer.deliver(&letter, site.clock.now()).await;
    let now = site.clock.now();
    match outcome {
        Ok(()) => {
            site.db.write(move |conn| outbox::sent(conn, id, now)).await?;
            log::info!(target: "mail", "letter {id} ({kind}) went out");
            Ok(Delivered::Sent)
        }
        Err(Trouble::ForGood(why)) => {
            log::error!(target: "mail", "letter {id} ({kind}) is given up: {why}");
            site.db.write(move |conn| outbox::give_up(conn, id, &why, now)).await?;
            Ok(Delivered::Never)
        }
        Err(trouble @ (Trouble::ForNow(_) | Trouble::Unreachable(_))) => {
            let (Trouble::ForNow(why) | Trouble::ForGood(why) | Trouble::Unreachable(why)) = &trouble;
            let pause = humantime::format_duration(outbox::pause(taken.attempt));
            log::warn!(target: "mail", "letter {id} ({kind}) did not go out, and is tried again in {pause}: {why}");
            let (taken, why) = (taken.clone(), why.clone());
            site.db.write(move |conn| outbox::failed(conn, &taken, &why, now)).await?;
            Ok(if matches!(trouble, Trouble::Unreachable(_)) { Delivered::NotNow } else { Delivered::Later })
        }
    }
}

/// The letter as it is to go out now; `None` if it is for nobody.
async fn write(site: &Site, taken: &Taken) -> Result<Option<Letter>> {
    let (wanted, now) = (taken.clone(), site.clock.now());
    let letter = site.db.read(move |conn| Addressed::load(conn, wanted)).await?;
    if letter.is_for_nobody(now).is_some() {
        return Ok(None);
    }
    letter.written(site, Links::Whole, now)
}
