//! Numbers as they are written in the language that is spoken.

use super::spoken;

/// What can be counted.
pub trait Countable {
    /// How many; the largest number if there are more.
    fn count(&self) -> i64;
}

impl Countable for i64 {
    fn count(&self) -> i64 {
        *self
    }
}

impl Countable for usize {
    fn count(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl Countable for u64 {
    fn count(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl<C: Countable> Countable for &C {
    fn count(&self) -> i64 {
        (*self).count()
    }
}

/// Digits in groups of three: "41,206".
pub fn thousands(number: impl TryInto<i64>) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let digits = number.unsigned_abs().to_string();
    if digits.len() <= 3 {
        return number.to_string();
    }
    let language = spoken();
    let between = language.as_deref().map_or(",", |language| language.group());
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push_str(between);
        }
        grouped.push(digit);
    }
    if number < 0 { format!("-{grouped}") } else { grouped }
}

/// A number with so many decimals: "0.8".
pub fn decimal(number: f64, decimals: usize) -> String {
    let written = format!("{number:.decimals$}");
    match spoken() {
        None => written,
        Some(language) => written.replace('.', language.decimal()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(41_206), "41,206");
        assert_eq!(thousands(-1_000_000), "-1,000,000");
        assert_eq!(decimal(0.75, 1), "0.8");
    }
}
