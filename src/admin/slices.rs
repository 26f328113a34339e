//! Many rows, a slice of them to a transaction: whoever else wants to write waits for one slice, never for all.

use std::time::Duration;

use crate::clock::Clock;
use crate::db::Conn;
use crate::error::Result;

/// The most rows of one transaction.
pub const MOST: usize = 500;
/// A slice that has taken so long takes no further row. A request may wait for it, and for its commit, which takes as long again.
const LONGEST: Duration = Duration::from_millis(15);

/// Does `each` to the first of the rows, as many as one transaction may take; returns what came of each of them.
///
/// # Errors
/// The first that `each` returns: then nothing of the slice is done.
pub fn run<R, T>(
    clock: &Clock,
    conn: &mut Conn,
    rows: impl Iterator<Item = R>,
    mut each: impl FnMut(&mut Conn, R) -> Result<T>,
) -> Result<Vec<T>> {
    let (begun, mut done) = (clock.monotonic(), Vec::new());
    for row in rows.take(MOST) {
        done.push(each(conn, row)?);
        if clock.monotonic().saturating_sub(begun) >= LONGEST {
            break;
        }
    }
    Ok(done)
}
