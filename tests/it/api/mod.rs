//! The stories of the API, one file a noun.

mod accounts;
mod articles;
mod browser_mode;
mod claims;
mod imported;
mod keys;
mod lists;
mod lockout;
mod logout;
mod overload;
mod refresh;
mod revocation;
mod samples;
mod services;
mod sessions;
mod sliding;
mod social;
mod statements;
mod tasks;
mod throttle;
mod tokens;
mod two_factor;
