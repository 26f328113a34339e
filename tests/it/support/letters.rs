//! The letters of the stories: sent by the server's own postman into memory, and read as their recipients do.

use portcullis::mail::Letter;
use portcullis::mail::mailer::Mailer;
use portcullis::ops::postman;

use super::app::TestApp;

impl TestApp {
    /// Has the postman deliver what is due, and returns what has come since the last call.
    pub async fn letters(&self) -> Vec<Letter> {
        postman::deliver_due(&self.site).await.unwrap();
        let Mailer::Memory(kept) = &self.site.mail.mailer else { panic!("the letters go elsewhere") };
        std::mem::take(&mut kept.lock().unwrap())
    }

    /// The one letter that has come, which went to this address.
    #[track_caller]
    pub fn letter_to(&self, address: &str) -> impl Future<Output = Letter> {
        let (app, address) = (self.clone(), address.to_owned());
        async move {
            let mut letters = app.letters().await;
            let addresses: Vec<_> = letters.iter().map(|letter| letter.to.clone()).collect();
            assert_eq!(addresses, [address]);
            letters.remove(0)
        }
    }
}

/// The links of a letter, in order.
pub fn links(letter: &Letter) -> Vec<String> {
    letter.text.lines().filter(|line| line.starts_with("http")).map(ToOwned::to_owned).collect()
}

/// Its one link.
#[track_caller]
pub fn link(letter: &Letter) -> String {
    let links = links(letter);
    assert_eq!(links.len(), 1, "{}", letter.text);
    links[0].clone()
}

/// The token of a link.
pub fn token_of(link: &str) -> String {
    link.rsplit('/').next().unwrap().to_owned()
}

/// The path of a link of ours.
pub fn path_of(link: &str) -> String {
    link.strip_prefix("http://127.0.0.1:8000").unwrap().to_owned()
}
