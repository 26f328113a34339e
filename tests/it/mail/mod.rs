//! Letters: who gets one, what its link does, how it goes out.

mod invitations;
mod outbox;
mod pages;
mod reset;
mod smtp;
mod verification;
