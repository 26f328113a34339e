//! Text as Python has it: what it takes for white space, and how it writes a number.

/// White space as `str.strip()` and `\s` know it: Unicode's, and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` without white space at both ends.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Bytes of a header as WSGI reads them: each is one character.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The `str()` of a number that came as JSON: a whole number keeps its digits, any other is written as a float.
pub fn number(digits: &str) -> String {
    match digits {
        "-0" => "0".to_owned(),
        whole if is_whole(whole) => whole.to_owned(),
        other => other.parse().map_or_else(|_| other.to_owned(), float),
    }
}

/// Whether a JSON number is one of Python's `int`: it has neither fraction nor exponent.
pub fn is_whole(digits: &str) -> bool {
    !digits.contains(['.', 'e', 'E'])
}

/// The `repr()` of a float: the fewest digits that give it back, with an exponent below 1e-4 and from 1e16.
fn float(value: f64) -> String {
    let shortest = format!("{value:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let fraction = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len());
    // Of two equally near texts of that length Python takes the even one, as formatting to a given length does.
    let nearest = |even: String, other: String| if even.parse() == Ok(value) { even } else { other };
    if (-4..16).contains(&exponent) {
        let decimals = i32::try_from(fraction).unwrap_or_default().saturating_sub(exponent).max(1).unsigned_abs();
        return nearest(format!("{:.*}", usize::try_from(decimals).unwrap_or_default(), value), format!("{value:?}"));
    }
    let scientific = nearest(format!("{value:.fraction$e}"), shortest.clone());
    let mantissa = scientific.split_once('e').map_or(mantissa, |(mantissa, _)| mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_what_python_takes_for_it() {
        assert_eq!(strip("\u{1c}\u{1f}\u{a0}\u{3000}\u{85} a b\u{200b}\u{2028}\n"), "a b\u{200b}");
        assert_eq!(strip("\u{feff}a"), "\u{feff}a");
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (json, text) in [
            ("5", "5"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.5", "1.5"),
            ("1.0", "1.0"),
            ("1e0", "1.0"),
            ("1E5", "100000.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("-1.25e22", "-1.25e+22"),
            ("1e100", "1e+100"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e-7", "1.5e-07"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("5e-324", "5e-324"),
            ("718186540256144.25", "718186540256144.2"),
            ("5.684341886080802e-14", "5.684341886080802e-14"),
            ("1e400", "inf"),
            ("-1e400", "-inf"),
            ("1e-400", "0.0"),
        ] {
            assert_eq!(number(json), text, "{json}");
        }
    }
}
