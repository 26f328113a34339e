//! Charts as SVG coordinates: the template writes them down, the page draws them without script.

use crate::language::{decimal, thousands};

/// Points of a small curve without axes, in a box of 100 by 28.
pub fn spark(values: &[Option<f64>]) -> String {
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    line(values, top, (100.0, 28.0), 2.0)
}

/// Points of a curve whose highest value is `top`, in a box of this width and height, so far from its upper edge. Where there
/// is no value it goes straight on.
pub fn line(values: &[Option<f64>], top: f64, (width, height): (f64, f64), margin: f64) -> String {
    let last = float(values.len().saturating_sub(1).max(1));
    let known = values.iter().enumerate().filter_map(|(at, value)| value.map(|value| (at, value)));
    let point = |(at, value): (usize, f64)| {
        let part = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
        format!("{:.1},{:.1}", float(at) * width / last, height - part * (height - margin))
    };
    known.map(point).collect::<Vec<_>>().join(" ")
}

/// A round number that is not less: 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten.
pub fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
    steps.iter().map(|step| step * unit).find(|round| *round >= value * 0.999_999).unwrap_or(10.0 * unit)
}

/// A number without needless digits.
pub fn short(value: f64) -> String {
    let text = if value >= 10.0 { String::new() } else { format!("{value:.2}") };
    decimal(value, text.split_once('.').map_or(0, |(_, decimals)| decimals.trim_end_matches('0').len()))
}

/// A number of things, for arithmetic.
pub fn float(number: impl TryInto<i32>) -> f64 {
    number.try_into().map_or(f64::from(i32::MAX), f64::from)
}

/// A bar of the mirrored chart: up for what came in, down for what failed. Its box is 120 high, its line lies at 80.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// All of it in a sentence.
    pub title: String,
    /// How many came in.
    pub good: String,
    /// How many failed.
    pub bad: String,
    /// Its left edge.
    pub x: usize,
    /// The upper edge of the part above the line.
    pub y: String,
    /// Its height.
    pub up: String,
    /// The height of the part below.
    pub down: String,
}

/// What a mirrored chart says of itself; all but the last are keys.
pub struct Words {
    /// Its heading.
    pub title: &'static str,
    /// What came in, and what failed.
    pub columns: [&'static str; 2],
    /// The same with where it is drawn.
    pub legend: [&'static str; 2],
    /// The chart in a sentence or two.
    pub told: String,
}

/// A mirrored chart, as it is drawn.
pub struct Mirrored {
    /// What it says of itself.
    pub words: Words,
    /// Its bars.
    pub bars: Vec<Bar>,
    /// How wide its box is.
    pub width: usize,
    /// The numbers beside it.
    pub scale: [String; 4],
    /// What stands beneath it.
    pub below: Vec<String>,
}

impl Mirrored {
    /// The chart of these values; `title` says one of them in a sentence.
    pub fn new(
        words: Words,
        values: &[(String, i64, i64)],
        title: impl Fn(&str, i64, i64) -> String,
        below: Vec<String>,
    ) -> Self {
        let (bars, top) = mirrored(values, title);
        Self { words, width: bars.len() * 10, bars, scale: [top, top / 2.0, 0.0, top / 2.0].map(short), below }
    }
}

/// The bars, and the number at the top; the line lies two thirds down, so half of that is what the bottom stands for.
fn mirrored(values: &[(String, i64, i64)], title: impl Fn(&str, i64, i64) -> String) -> (Vec<Bar>, f64) {
    let most = |of: fn(&(String, i64, i64)) -> i64| values.iter().map(of).max().unwrap_or_default();
    let top = round_up(float(most(|(_, good, _)| *good)).max(2.0 * float(most(|(.., bad)| *bad))).max(2.0));
    let bar = |(number, (label, good, bad)): (usize, &(String, i64, i64))| {
        let (up, down) = (float(*good) / top * 80.0, float(*bad) / top * 80.0);
        Bar {
            label: label.clone(),
            title: title(label, *good, *bad),
            good: thousands(*good),
            bad: thousands(*bad),
            x: number * 10 + 1,
            y: format!("{:.1}", 80.0 - up),
            up: format!("{up:.1}"),
            down: format!("{down:.1}"),
        }
    };
    (values.iter().enumerate().map(bar).collect(), top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, round) in [(0.0, 1.0), (1.0, 1.0), (9.8, 10.0), (412.0, 500.0), (0.7, 0.8), (21.0, 30.0)] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}: {}", round_up(value));
        }
        assert_eq!([short(12.0), short(0.75), short(4.0), short(4.10)], ["12", "0.75", "4", "4.1"]);
    }

    #[test]
    fn a_curve_spans_its_box() {
        assert_eq!(spark(&[Some(0.0), None, Some(4.0)]), "0.0,28.0 100.0,2.0");
        assert_eq!(line(&[Some(5.0), Some(10.0)], 10.0, (240.0, 90.0), 0.0), "0.0,45.0 240.0,0.0");
        assert_eq!(spark(&[None, None]), "");
    }

    #[test]
    fn bars_stand_on_the_line_and_hang_from_it() {
        let (bars, top) =
            mirrored(&[("11:00".to_owned(), 100, 0), ("12:00".to_owned(), 50, 50)], |_, _, _| String::new());
        assert!((top - 100.0).abs() < 1e-9);
        let told: Vec<_> = bars.iter().map(|bar| (bar.x, bar.y.as_str(), bar.up.as_str(), bar.down.as_str())).collect();
        assert_eq!(told, [(1, "0.0", "80.0", "0.0"), (11, "40.0", "40.0", "40.0")]);
    }
}
