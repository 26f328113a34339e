//! The stories of the API, one file a noun.

mod accounts;
mod api_key_races;
mod api_key_scopes;
mod api_keys;
mod articles;
mod browser_mode;
mod claims;
mod keys;
mod lists;
mod logout;
mod overload;
mod own_data;
mod refresh;
mod revocation;
mod samples;
mod services;
mod sessions;
mod sliding;
mod statements;
mod tasks;
mod throttle;
mod tokens;
mod users;
