//! A device's name, made from its User-Agent: "Firefox on Linux".

use crate::language::Said;

/// What a session was opened on, as far as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// For people.
    pub name: String,
    /// Its symbol among the icons.
    pub icon: &'static str,
}

/// Word in the agent, name. The order matters: nearly all call themselves Safari and Chrome, too.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str, &str); 8] = [
    ("iPhone", "iPhone", "phone"),
    ("iPad", "iPad", "phone"),
    ("Android", "Android", "phone"),
    ("CrOS", "ChromeOS", "laptop"),
    ("Windows", "Windows", "laptop"),
    ("Mac OS X", "macOS", "laptop"),
    ("Macintosh", "macOS", "laptop"),
    ("Linux", "Linux", "laptop"),
];

/// Longest name of a program that is shown.
const LONGEST: usize = 40;

impl Device {
    /// Reads a User-Agent header. What is no browser is called by its first product and version, as "curl 8.5.0".
    pub fn from_agent(agent: &str) -> Self {
        let (name, icon) = read(agent);
        Self { name: name.to_string(), icon }
    }

    /// Its name in English, for what is stored.
    pub fn in_english(agent: &str) -> String {
        read(agent).0.in_english()
    }
}

fn read(agent: &str) -> (Said, &'static str) {
    let browser = BROWSERS.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name);
    let system = SYSTEMS.iter().find(|(word, _, _)| agent.contains(word));
    // A name alone is nothing to translate.
    let called = |name: &str| Said::of("{name}").with("name", name);
    match (browser, system) {
        (Some(browser), Some((_, system, icon))) => (said!("{browser} on {system}", browser, system), icon),
        (Some(browser), None) => (called(browser), "globe"),
        (None, _) => {
            let product = agent.split_whitespace().next().unwrap_or_default().replace('/', " ");
            let name: String = product.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
            let icon = system.map_or("terminal", |(_, _, icon)| icon);
            (if name.is_empty() { said!("Unknown device") } else { called(&name) }, icon)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_by_its_browser_and_system_or_by_its_program() {
        for (agent, name, icon) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux", "laptop"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
                "laptop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1",
                "Safari on iPhone",
                "phone",
            ),
            ("curl/8.5.0", "curl 8.5.0", "terminal"),
            ("python-requests/2.32", "python-requests 2.32", "terminal"),
            ("Dart/3.4 (Android)", "Dart 3.4", "phone"),
            ("", "Unknown device", "terminal"),
        ] {
            assert_eq!(Device::from_agent(agent), Device { name: name.to_owned(), icon }, "{agent}");
        }
    }

    #[test]
    fn a_hostile_agent_is_cut() {
        let device = Device::from_agent(&format!("<script>{}\u{7}", "x".repeat(500)));
        assert_eq!(device.name.chars().count(), LONGEST);
    }
}
