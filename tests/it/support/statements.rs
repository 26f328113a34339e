//! Counts the SQL that a database is sent, by diesel's own instrumentation.

use std::collections::HashMap;
use std::sync::{Mutex, Once, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use portcullis::db::Target;

use super::app::TestApp;

/// What was sent to each database, by its address as diesel is given it.
static SENT: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

/// Has every connection that is made from now on counted. To be called before the application is made.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_default_instrumentation(|| Some(Box::new(Ear::default()))).unwrap());
}

/// The statements that the application has sent since the last call.
pub fn sent(app: &TestApp) -> Vec<String> {
    let address = match app.site.db.target() {
        Target::Sqlite(path) => path.display().to_string(),
        Target::Postgres(url) => url.clone(),
    };
    sent_to(|sent| sent.remove(&address)).unwrap_or_default()
}

fn sent_to<T>(work: impl FnOnce(&mut HashMap<String, Vec<String>>) -> T) -> T {
    work(SENT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// Listens to one connection.
#[derive(Default)]
struct Ear {
    address: String,
}

impl Instrumentation for Ear {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.address = url.to_owned(),
            InstrumentationEvent::StartQuery { query, .. } => {
                sent_to(|sent| sent.entry(self.address.clone()).or_default().push(query.to_string()));
            }
            _ => {}
        }
    }
}
