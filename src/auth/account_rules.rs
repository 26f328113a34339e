//! What a user's name, e-mail and new password must be, for every door through which an account is made or changed.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::auth::password_rules;
use crate::error::{Error, Result};
use crate::model::user::User;
use crate::settings::{Passwords, Secret};

const BAD_USERNAME: &str =
    key!("Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.");

const LONGEST_USERNAME: usize = 150;

/// Django's rule for names: letters and digits of any script, and `@.+-_`. It holds for the stored form too.
///
/// # Errors
/// Django's words.
pub fn is_username(text: &str) -> Result<(), &'static str> {
    let fits = |c: char| is_letter_or_digit(c) || "@.+-_".contains(c);
    if text.is_empty() || !text.chars().all(fits) || !text.nfkc().all(fits) {
        return Err(BAD_USERNAME);
    }
    // The stored form can be the longer one: NFKC makes three letters of one ligature.
    if text.nfkc().count() > LONGEST_USERNAME {
        Err(key!("Ensure this field has no more than 150 characters."))
    } else {
        Ok(())
    }
}

/// What Python calls alphanumeric. Rust counts marks and enclosed letters in, which can make two names look alike.
fn is_letter_or_digit(c: char) -> bool {
    let enclosed = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !enclosed
}

/// The stored form of a name: NFKC, as Django has it.
pub fn normal_username(text: &str) -> String {
    text.nfkc().collect()
}

/// The stored form of an e-mail: its domain in lower case, as Django has it.
pub fn lower_domain(email: &str) -> String {
    match email.rsplit_once('@') {
        Some((name, domain)) => format!("{name}@{}", domain.to_lowercase()),
        None => email.to_owned(),
    }
}

/// What of one's own a password must not be like.
pub struct Own<'a> {
    /// The name.
    pub username: &'a str,
    /// Given name.
    pub first_name: &'a str,
    /// Family name.
    pub last_name: &'a str,
    /// E-mail.
    pub email: &'a str,
}

impl<'a> Own<'a> {
    /// That of a user.
    pub fn of(user: &'a User) -> Self {
        Self { username: &user.username, first_name: &user.first_name, last_name: &user.last_name, email: &user.email }
    }
}

/// Whether a new password will do.
///
/// # Errors
/// 400 with Django's complaints under `field`.
pub fn check_new_password(rules: &Passwords, field: &'static str, password: &Secret, own: &Own<'_>) -> Result<()> {
    let complaints = if rules.rules {
        let own = [
            ("username", own.username),
            ("first name", own.first_name),
            ("last name", own.last_name),
            ("email address", own.email),
        ];
        password_rules::complaints(password.expose(), &own)
    } else {
        password_rules::too_long(password.expose()).into_iter().collect()
    };
    if complaints.is_empty() { Ok(()) } else { Err(Error::Invalid(vec![(field.into(), complaints)])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_of_any_script_make_a_name_and_nothing_that_hides() {
        for name in ["ann", "Jürgen_漢字.", "a@b.c+d-e_f", "ß", "Ж", "٣", "x１２"] {
            assert_eq!(is_username(name), Ok(()), "{name}");
        }
        for name in ["", "two words", "semi;colon", "a\u{200d}b", "a\u{301}", "😀", "Ⓐ", "a\u{00ad}b", "⑴"] {
            assert_eq!(is_username(name), Err(BAD_USERNAME), "{name}");
        }
        assert_eq!(is_username(&"x".repeat(150)), Ok(()));
        assert!(is_username(&"ﷺ".repeat(9)).is_err(), "its spaces");
        assert!(is_username(&"ﬃ".repeat(51)).is_err_and(|told| told.contains("150")), "153 letters once stored");
    }

    #[test]
    fn only_the_domain_of_an_address_is_lowered() {
        assert_eq!(lower_domain("Some.One@EXAMPLE.Org"), "Some.One@example.org");
        assert_eq!(lower_domain(""), "");
    }
}
