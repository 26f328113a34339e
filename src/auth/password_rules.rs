//! What a new password must be: Django's four rules in Django's order and words, and a greatest length.
//!
//! A wart that stays: "numeric" here also counts fractions and Roman numerals, which Python's `isdigit` does not.

use std::collections::HashMap;

use unicode_normalization::char::is_combining_mark;

/// The most characters that are hashed: a longer text costs the server more than it gives its owner.
pub const LONGEST: usize = 1024;
const SHORTEST: usize = 8;
/// Django's list, the most frequent first.
const COMMON: &str = include_str!("common_passwords.txt");

/// Everything that is wrong with `plain` as a new password; nothing if it is good. `own` is what the user is known by,
/// each with its name: `("email address", "ann@example.org")`.
pub fn complaints(plain: &str, own: &[(&str, &str)]) -> Vec<String> {
    // Said alone: the other rules would take their time over it.
    if let Some(complaint) = too_long(plain) {
        return vec![complaint];
    }
    let similar = own.iter().find(|(_, value)| is_similar(plain, value));
    let similar = similar.map(|(label, _)| too_similar(label));
    let short = plain.chars().count() < SHORTEST;
    let short = short
        .then(|| say!("This password is too short. It must contain at least {least} characters.", least = SHORTEST));
    let common = is_common(plain).then(|| say!("This password is too common."));
    let numeric = !plain.is_empty() && plain.chars().all(char::is_numeric);
    let numeric = numeric.then(|| say!("This password is entirely numeric."));
    [similar, short, common, numeric].into_iter().flatten().collect()
}

fn too_similar(own: &str) -> String {
    match own {
        "username" => say!("The password is too similar to the username."),
        "first name" => say!("The password is too similar to the first name."),
        "last name" => say!("The password is too similar to the last name."),
        _ => say!("The password is too similar to the email address."),
    }
}

/// The complaint about a password that is too long to be hashed. It holds with `passwords.rules` off, too.
pub fn too_long(plain: &str) -> Option<String> {
    let too_long = plain.chars().nth(LONGEST).is_some();
    too_long.then(|| say!("This password is too long. It must contain at most {most} characters.", most = LONGEST))
}

/// The whole list is read through: that is little beside the hash that follows, and no index stays in memory for ever.
fn is_common(plain: &str) -> bool {
    let lower = plain.to_lowercase();
    // Python strips the four separator characters of ASCII too.
    let word = lower.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
    COMMON.lines().any(|line| line == word)
}

/// Whether `plain` is much like `value` or one of its words.
fn is_similar(plain: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let (plain, value) = (plain.to_lowercase(), value.to_lowercase());
    // `\W` of Python's regular expressions; vowel signs are letters to Rust, but not to Python.
    let between_words = |c: char| !(c == '_' || c.is_alphanumeric() && !is_combining_mark(c));
    value.split(between_words).chain([value.as_str()]).any(|part| {
        let (ours, theirs) = (plain.chars().count(), part.chars().count());
        let much_longer = ours > 0 && ours >= 10 * theirs;
        // Python's `SequenceMatcher.quick_ratio() >= 0.7`: twice the common characters by all characters.
        !much_longer && 20 * in_common(&plain, part) >= 7 * (ours + theirs)
    })
}

/// How many characters two texts share, in any order, each as often as both have it.
fn in_common(one: &str, other: &str) -> usize {
    let mut left: HashMap<char, usize> = HashMap::new();
    for c in other.chars() {
        *left.entry(c).or_default() += 1;
    }
    let mut take = |c: char| left.get_mut(&c).filter(|left| **left > 0).map(|left| *left -= 1).is_some();
    one.chars().filter(|c| take(*c)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first letter of each complaint's reason, so that Django's answers fit into a table.
    fn told(plain: &str, own: &[(&str, &str)]) -> String {
        let letter = |complaint: String| match complaint.as_str() {
            "The password is too similar to the username." => 'u',
            "The password is too similar to the first name." => 'f',
            "The password is too similar to the last name." => 'l',
            "The password is too similar to the email address." => 'e',
            "This password is too short. It must contain at least 8 characters." => 's',
            "This password is too common." => 'c',
            "This password is entirely numeric." => 'n',
            _ => '?',
        };
        complaints(plain, own).into_iter().map(letter).collect()
    }

    /// Asked of Django 5.2.19 with its default validators.
    #[test]
    fn the_rules_answer_as_django_does() {
        let own = [
            ("username", "ann.example"),
            ("first name", "Ann-Sophie"),
            ("last name", "O'Neill"),
            ("email address", "annie@post.example.org"),
        ];
        for (plain, expected) in [
            ("correct horse 9", ""),
            ("password", "c"),
            ("PassWord", "c"),
            ("  password  ", "c"),
            ("123456", "scn"),
            ("12345678", "cn"),
            ("1234567", "scn"),
            ("8675309", "scn"),
            ("98765432109876", "n"),
            ("Tr0ub4dor&3", ""),
            ("short", "s"),
            ("ann.example", "u"),
            ("ANN.EXAMPLE", "u"),
            ("ann-example", "u"),
            ("elpmaxe.nna", "u"),
            ("annexample7", "u"),
            ("example1", "u"),
            ("example12", "u"),
            ("exampleexample", ""),
            ("sophie99", "f"),
            ("sophiesophie", ""),
            ("SophieAnn", "f"),
            ("oneill1x", "l"),
            ("neill123", "l"),
            ("neill", "ls"),
            ("annie@post", "f"),
            ("post.example.org", "e"),
            ("examplepost", "u"),
            ("annie-post-example", "e"),
            ("a", "sc"),
            ("an", "us"),
            ("ñandúñandú", ""),
            ("٣٤٥٦٧٨٩٠١٢", "n"),
            ("²³²³²³²³", "n"),
            ("ann", "usc"),
            ("anna", "usc"),
            ("annannannannannannannannannannann", ""),
            ("annannannannannannannannannannan", ""),
            ("qwertyuiop", "c"),
            ("trustno1", "c"),
            ("iloveyou!", "c"),
            ("lilmama12", "c"),
            ("fallen_angel", "c"),
            ("org", "es"),
            ("gro.elpmaxe", "u"),
            ("xample.an", "u"),
            ("password1 ", "c"),
            ("password12345678", ""),
            ("\u{1c}password\u{1c}", "c"),
            ("\u{a0}dragon123\u{a0}", "c"),
            ("aaaaaaaa", "c"),
            ("11111111", "cn"),
            ("zzzzzzzzqqqq", ""),
        ] {
            assert_eq!(told(plain, &own), expected, "{plain}");
        }
    }

    /// Asked of Django 5.2.19: names in other scripts, and parts of names.
    #[test]
    fn similarity_is_what_django_finds_similar() {
        for (label, value, plain, expected) in [
            ("username", "jürgen_müller", "müller_jürgen", "u"),
            ("username", "jürgen_müller", "jürgen99", ""),
            ("username", "jo", "jojojojo", "c"),
            ("username", "jo", "joanna12x", ""),
            ("username", "राहुल_शर्मा", "राहुल_शर्मा1", "u"),
            ("username", "राहुल", "रहलरहलxy", ""),
            ("username", "ΟΔΥΣΣΕΥΣ", "οδυσσευς1", "u"),
            ("username", "İstanbul", "i̇stanbul", "u"),
            ("username", "x@y@z", "xyxyxyxy", ""),
            ("email address", "bob+list@mail.example", "bob+list1", ""),
            ("email address", "bob+list@mail.example", "list@mail", ""),
            ("first name", "Bartholomew", "bartolomeo", "f"),
            ("last name", "Bartholomew", "bartolom", "l"),
        ] {
            assert_eq!(told(plain, &[(label, value)]), expected, "{value} {plain}");
        }
    }

    #[test]
    fn a_value_that_is_not_there_is_similar_to_nothing() {
        assert_eq!(complaints("correct horse 9", &[("username", ""), ("email address", "")]), Vec::<String>::new());
    }

    #[test]
    fn a_password_of_1025_characters_is_too_long() {
        let complaint = "This password is too long. It must contain at most 1024 characters.";
        assert_eq!(complaints(&"ä".repeat(1025), &[]), [complaint]);
        assert_eq!(complaints(&"ä".repeat(1024), &[]), Vec::<String>::new());
    }
}
