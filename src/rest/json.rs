//! Writes JSON as DRF does: compact UTF-8, or indented for those who ask.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::error::{Error, Result};

/// `value` as compact JSON. Only U+2028 and U+2029 are escaped beyond what JSON asks: JavaScript long took them for line
/// ends, even within a string.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Compact)).map_err(Error::internal)?;
    Ok(bytes)
}

struct Compact;

impl Formatter for Compact {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((plain, separator, after)) = split_at_separator(rest) {
            writer.write_all(plain.as_bytes())?;
            writer.write_all(separator)?;
            rest = after;
        }
        writer.write_all(rest.as_bytes())
    }
}

/// What stands before the first line or paragraph separator, that separator escaped, and what follows.
fn split_at_separator(text: &str) -> Option<(&str, &'static [u8], &str)> {
    let (at, found) = text.match_indices(['\u{2028}', '\u{2029}']).next()?;
    let escaped: &[u8] = if found == "\u{2028}" { br"\u2028" } else { br"\u2029" };
    let (plain, rest) = text.split_at_checked(at)?;
    Some((plain, escaped, rest.strip_prefix(found)?))
}

/// Compact JSON spread over lines, each level indented by `width` more: Python's `json.dumps(indent=width)`.
pub fn indented(compact: &[u8], width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len().saturating_mul(2));
    let mut bytes = compact.iter().copied().peekable();
    let mut depth: usize = 0;
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                match bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth, width);
                    }
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth, width);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth, width);
            }
            b':' => out.extend_from_slice(b": "),
            b'"' => {
                out.push(byte);
                copy_string(&mut bytes, &mut out);
            }
            _ => out.push(byte),
        }
    }
    out
}

fn new_line(out: &mut Vec<u8>, depth: usize, width: usize) {
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b' ', depth.saturating_mul(width)));
}

/// Copies up to and with the closing quote.
fn copy_string(bytes: &mut impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    while let Some(byte) = bytes.next() {
        out.push(byte);
        match byte {
            b'"' => return,
            b'\\' => out.extend(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn text_is_written_as_it_is_but_for_the_separators_that_javascript_stumbles_over() {
        let value =
            json!({ "title": "é漢😀</b>\u{7f}", "body": "a\u{2028}\u{2029}b\"\\\n\t\u{8}\u{1f}", "none": null });
        let written = String::from_utf8(to_vec(&value).unwrap()).unwrap();
        assert_eq!(
            written,
            "{\"title\":\"é漢😀</b>\u{7f}\",\"body\":\"a\\u2028\\u2029b\\\"\\\\\\n\\t\\b\\u001f\",\"none\":null}"
        );
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }

    #[test]
    fn indented_json_looks_as_python_writes_it() {
        let value = json!({ "a": [1, { "b": "x,{[:\"\\" }], "empty": [], "none": {}, "c": -1.5 });
        let written = indented(&to_vec(&value).unwrap(), 2);
        let expected = r#"{
  "a": [
    1,
    {
      "b": "x,{[:\"\\"
    }
  ],
  "empty": [],
  "none": {},
  "c": -1.5
}"#;
        assert_eq!(String::from_utf8(written).unwrap(), expected);
        for plain in ["[]", "{}", "\"a\"", "1", "null"] {
            assert_eq!(indented(plain.as_bytes(), 4), plain.as_bytes(), "{plain}");
        }
    }
}
