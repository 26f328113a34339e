//! The audit log: who did what to what, in the transaction of the act itself, each entry sealed to the one before.
//!
//! An entry's hash is an HMAC over all that it says and the hash before it, with a key that is derived from the server's own
//! secret: whoever holds the database's file alone can change a row, and cannot make the rows after it fit again. The row of
//! `audit_chain` says where the chain begins and ends, under a seal of the same key, so that the newest entries cannot be cut
//! off, nor the oldest in the name of the sweep. What no chain can tell is a database that was put back whole, its chain with
//! it: for that an end that was noted elsewhere is compared ([`Walk::head`]).
//!
//! Ids have no gap: an entry's id is the one before it and one more, read in the same transaction. One transaction writes at
//! a time (see `Db::write`), on PostgreSQL over all processes; and if two ever stood side by side, the table's key would let
//! only one of them commit. So the chain cannot fork, and a crash leaves either act and entry or neither.

pub mod act;
mod chain;
mod entry;
pub mod list;
mod making;
mod objects;
mod verify;

pub use chain::Chain;
pub use entry::{By, Change, Entry, LONGEST_REASON, Object, Outcome, changed, told};
pub use making::Audit;
pub use objects::{Fields, role_fields, user_fields};
pub use verify::{Broken, Walk};
