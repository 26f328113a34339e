//! Where settings come from: defaults, then `portcullis.toml`, then the environment, then flags; the later wins.
//!
//! The default settings, written as a tree, are the list of the keys there are; `[social.NAME]` adds those of a provider. A
//! given value is tried by putting it into that tree, so that each is judged alone, and all complaints are told at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::Settings;
use super::origin::{Loaded, Origin, leaves};
use super::refused;
use super::social;
use super::value::MASK;

const PREFIX: &str = "PORTCULLIS_";
const FILE_SUFFIX: &str = "_FILE";
/// The first administrator, whom the start makes: no settings.
const SUPERUSER: [&str; 4] = ["USERNAME", "EMAIL", "PASSWORD", "PASSWORD_FILE"];

impl Settings {
    /// Settings from the environment, a file and flags (`("server.bind", "0.0.0.0:80")`), or all that is wrong with them.
    ///
    /// Of the environment only what starts with `PORTCULLIS_` is looked at; a caller who takes it from the process uses
    /// `vars_os`, for `vars` panics on what is not Unicode. A file that is given must be there.
    pub fn load(
        env: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
        flags: &[(String, String)],
    ) -> Result<Loaded, Vec<String>> {
        let mut layers = Layers::new().map_err(|error| vec![error.to_string()])?;
        if let Some(path) = file {
            layers.file(path);
        }
        layers.environment(env);
        for (key, value) in flags {
            layers.text(key, value, Origin::Flag);
        }
        layers.settings()
    }
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// The key that the name of a variable stands for, if it is one.
fn key_of(variable: &str) -> String {
    variable.trim_start_matches(PREFIX).to_lowercase().replace("__", ".")
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// What has been gathered so far.
struct Layers {
    defaults: Value,
    tree: Value,
    keys: Vec<String>,
    origins: BTreeMap<String, Origin>,
    complaints: Vec<String>,
    refused: Vec<String>,
}

impl Layers {
    fn new() -> serde_json::Result<Self> {
        let defaults = serde_json::to_value(Settings::default())?;
        let keys = leaves(defaults.clone()).into_iter().map(|(key, _)| key).collect();
        let tree = defaults.clone();
        Ok(Self { defaults, tree, keys, origins: BTreeMap::new(), complaints: Vec::new(), refused: Vec::new() })
    }

    fn file(&mut self, path: &Path) {
        let content = match fs::read_to_string(path) {
            Ok(content) => content,
            Err(error) => return self.complaints.push(format!("cannot read {}: {error}", path.display())),
        };
        match toml::from_str(&content) {
            Ok(tree) => {
                for (key, value) in leaves(tree) {
                    self.put(&key, value, Origin::File(path.into()));
                }
            }
            // The error's own text quotes the line, which may hold a secret.
            Err(error) => {
                let before = error.span().and_then(|span| content.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.complaints.push(format!("{} cannot be read: line {line}: {}", path.display(), error.message()));
            }
        }
    }

    fn environment(&mut self, env: impl IntoIterator<Item = (String, String)>) {
        let ours: BTreeMap<_, _> = env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        for (name, value) in &ours {
            self.make_room(&key_of(name));
            let is_superuser = |rest: &str| SUPERUSER.contains(&rest);
            if name.strip_prefix("PORTCULLIS_SUPERUSER_").is_some_and(is_superuser) {
                continue;
            }
            let named = |name: &str| self.keys.iter().find(|key| variable(key) == name).cloned();
            let secret = |base: &str| named(base).filter(|key| self.is_secret(key));
            if let Some(key) = named(name) {
                self.text(&key, value, Origin::Environment(name.clone()));
            } else if let Some((base, key)) =
                name.strip_suffix(FILE_SUFFIX).and_then(|base| Some((base, secret(base)?)))
            {
                if ours.contains_key(base) {
                    self.complaints.push(format!("give {base} or {name}, not both"));
                }
                self.secret_file(&key, name, Path::new(value));
            } else {
                let guess = key_of(name);
                if refused::why(&guess).is_some() {
                    self.put(&guess, Value::Null, Origin::Environment(name.clone()));
                } else {
                    let nearest = self.nearest(&guess).map(|key| variable(key));
                    self.unknown(name, " in the environment", nearest);
                }
            }
        }
    }

    fn secret_file(&mut self, key: &str, name: &str, path: &Path) {
        match fs::read_to_string(path) {
            Ok(content) => {
                let secret = content.strip_suffix('\n').unwrap_or(&content);
                let secret = secret.strip_suffix('\r').unwrap_or(secret);
                self.text(key, secret, Origin::SecretFile(name.into(), path.into()));
            }
            Err(error) => self.complaints.push(format!("{name}: cannot read {}: {error}", path.display())),
        }
    }

    /// A value that came as text becomes what its default is: a switch, a number, a list or text.
    fn text(&mut self, key: &str, text: &str, origin: Origin) {
        self.make_room(key);
        let value = match self.defaults.pointer(&pointer(key)) {
            Some(Value::Number(_)) => text.trim().parse::<u64>().map_or_else(|_| text.into(), Value::from),
            // A table has no other form in one line than JSON.
            Some(Value::Object(_)) if text.trim().is_empty() => Value::Object(Default::default()),
            Some(Value::Object(_)) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            Some(Value::Array(_)) => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            // `PORTCULLIS_JWT__ISSUER=` takes back what the file says. An empty secret is more likely a mishap.
            Some(Value::Null) if text.is_empty() && !self.is_secret(key) => Value::Null,
            _ => text.into(),
        };
        self.put(key, value, origin);
    }

    fn put(&mut self, key: &str, value: Value, origin: Origin) {
        self.make_room(key);
        if let Some(why) = refused::why(key) {
            return self.complaints.push(format!("{key}{}: {why}", origin.place()));
        }
        let Some(default) = self.defaults.pointer(&pointer(key)).filter(|_| self.keys.iter().any(|known| known == key))
        else {
            if key.starts_with("social.") && social::name_in(key).is_none() {
                return self.complaints.push(format!("{key}{}: {}", origin.place(), social::BAD_NAME));
            }
            // `[social.google]` with nothing in it: the rules say what is missing.
            if value == Value::Object(Default::default())
                && social::name_in(key).is_some_and(|name| key == format!("social.{name}"))
            {
                return;
            }
            let nearest = self.nearest(key).cloned();
            return self.unknown(key, &origin.place(), nearest);
        };
        let value = match (default, value.as_str()) {
            (Value::Bool(_), Some("on" | "yes" | "true" | "1")) => Value::Bool(true),
            (Value::Bool(_), Some("off" | "no" | "false" | "0")) => Value::Bool(false),
            _ => value,
        };
        if let Err(error) = self.tried(key, &value) {
            let what = match self.is_secret(key) {
                true if value.as_str().is_some_and(str::is_empty) => "is empty".into(),
                true => "the value, which is not shown, is not text".into(),
                false => wrong(default, &value, &error.to_string()),
            };
            self.refused.push(key.into());
            return self.complaints.push(format!("{key}{}: {what}", origin.place()));
        }
        if let Some(leaf) = self.tree.pointer_mut(&pointer(key)) {
            *leaf = value;
            self.origins.insert(key.into(), origin);
        }
    }

    /// A provider that somebody names has a section with its own defaults from then on.
    fn make_room(&mut self, key: &str) {
        let Some(name) = social::name_in(key) else { return };
        let section = serde_json::json!({ name: social::Provider::default() });
        for tree in [&mut self.defaults, &mut self.tree] {
            let Some(providers) = tree.pointer_mut("/social").and_then(Value::as_object_mut) else { return };
            if providers.contains_key(name) {
                return;
            }
            providers.extend(section.as_object().cloned().unwrap_or_default());
        }
        self.keys.extend(leaves(section).into_iter().map(|(key, _)| format!("social.{key}")));
    }

    /// The defaults with this one value.
    fn tried(&self, key: &str, value: &Value) -> serde_json::Result<Settings> {
        let mut tree = self.defaults.clone();
        if let Some(leaf) = tree.pointer_mut(&pointer(key)) {
            *leaf = value.clone();
        }
        Settings::deserialize(&tree)
    }

    /// A setting is a secret if it hides what it was given.
    fn is_secret(&self, key: &str) -> bool {
        let shown = self.tried(key, &"probe".into()).and_then(serde_json::to_value);
        shown.is_ok_and(|tree| tree.pointer(&pointer(key)).is_some_and(|value| value == MASK))
    }

    fn unknown(&mut self, name: &str, place: &str, nearest: Option<String>) {
        let hint = nearest.map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default();
        self.complaints.push(format!("unknown setting {name}{place}{hint}"));
    }

    /// The key that was probably meant: alike as a whole, or alike but in another section; Django's upper case is no
    /// difference.
    fn nearest(&self, unknown: &str) -> Option<&String> {
        let unknown = unknown.to_lowercase();
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let likeness = |key: &String| {
            let whole = strsim::normalized_damerau_levenshtein(&unknown, key);
            whole.max(0.9 * strsim::normalized_damerau_levenshtein(&last(&unknown), &last(key)))
        };
        let scored = self.keys.iter().map(|key| (likeness(key), key)).filter(|(score, _)| *score > 0.6);
        scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, key)| key)
    }

    fn settings(mut self) -> Result<Loaded, Vec<String>> {
        let settings = match Settings::deserialize(&self.tree) {
            Ok(settings) => settings,
            Err(error) => return Err(vec![error.to_string()]),
        };
        // A rule about a value that was refused would speak of its default.
        for (key, complaint) in settings.all_rules() {
            if !self.refused.contains(&key) {
                let place = self.origins.get(&key).map(Origin::place).unwrap_or_default();
                self.complaints.push(format!("{key}{place}: {complaint}"));
            }
        }
        if self.complaints.is_empty() { Ok(Loaded { settings, origins: self.origins }) } else { Err(self.complaints) }
    }
}

/// What is wrong with a value: our readers say it whole, serde's words are put into ours.
fn wrong(default: &Value, value: &Value, error: &str) -> String {
    let right = match (default, error.split_once(", expected ")) {
        (_, Some((unknown, names))) if unknown.starts_with("unknown variant") => names,
        (Value::Bool(_), _) => "on or off",
        (Value::Number(_), _) => "a whole number",
        (Value::Array(_), _) => "a list of texts",
        (Value::Object(_), _) => "a table; in the environment, a JSON object",
        _ => "text",
    };
    if error.starts_with('"') { error.into() } else { format!("{value} is not {right}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn from_env(variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
        Settings::load(env(variables), None, &[])
    }

    fn from_toml(content: &str) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        fs::write(&path, content).unwrap();
        let place = format!("{}", folder.path().join("").display());
        Settings::load([], Some(&path), &[]).map_err(|complaints| complaints.join("\n").replace(&place, ""))
    }

    #[test]
    fn the_later_layer_wins_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        fs::write(&path, "[server]\nbind = '0.0.0.0:1'\nworkers = 3\n[jwt]\nissuer = 'file'\nleeway = 5\n").unwrap();
        let variables = env(&[("PORTCULLIS_SERVER__BIND", "0.0.0.0:2"), ("PORTCULLIS_JWT__ISSUER", "environment")]);
        let flags = [("server.bind".to_owned(), "0.0.0.0:3".to_owned())];
        let loaded = Settings::load(variables, Some(&path), &flags).unwrap();
        assert_eq!(loaded.settings.server.bind.port(), 3);
        assert_eq!(loaded.settings.server.workers, 3);
        assert_eq!(loaded.settings.jwt.issuer.as_deref(), Some("environment"));
        assert_eq!(loaded.settings.jwt.leeway, Duration::from_secs(5));
        let origin = |key: &str| loaded.origins.get(key).map(ToString::to_string).unwrap_or_default();
        assert_eq!(origin("server.bind"), "flag");
        assert_eq!(origin("server.workers"), path.display().to_string());
        assert_eq!(origin("jwt.issuer"), "environment PORTCULLIS_JWT__ISSUER");
        assert_eq!(origin("jwt.algorithm"), "");
    }

    #[test]
    fn the_environment_is_typed_by_the_defaults() {
        let loaded = from_env(&[
            ("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "1d 12h"),
            ("PORTCULLIS_JWT__REFRESH_TOKEN_LIFETIME", "90"),
            ("PORTCULLIS_JWT__ROTATE_REFRESH_TOKENS", "false"),
            ("PORTCULLIS_JWT__TOKEN_CLAIMS", "username, email,is_staff"),
            ("PORTCULLIS_JWT__AUTH_TOKEN_CLASSES", "access,sliding"),
            ("PORTCULLIS_JWT__ALGORITHM", "ES256"),
            ("PORTCULLIS_PASSWORDS__RULES", "off"),
            ("PORTCULLIS_SERVER__WORKERS", "2"),
            ("PORTCULLIS_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
            ("PORTCULLIS_THROTTLE__LOGIN", "off"),
            ("PORTCULLIS_THROTTLE__ANON", "5/minute"),
            ("PORTCULLIS_JWT__ISSUER", ""),
            ("PATH", "/bin"),
        ]);
        let settings = loaded.unwrap().settings;
        assert_eq!(settings.jwt.access_token_lifetime, Duration::from_secs(36 * 3600));
        assert_eq!(settings.jwt.refresh_token_lifetime, Duration::from_secs(90));
        assert!(!settings.jwt.rotate_refresh_tokens && !settings.passwords.rules);
        assert_eq!((settings.jwt.token_claims.len(), settings.jwt.auth_token_classes.len()), (3, 2));
        assert_eq!(settings.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert_eq!(settings.throttle.anon, Some("5/min".parse().unwrap()));
        assert!(settings.throttle.login.is_none() && settings.jwt.issuer.is_none());
    }

    #[test]
    fn an_unknown_setting_stops_and_names_the_nearest() {
        let told = |content| from_toml(content).unwrap_err();
        let near =
            "unknown setting jwt.acess_token_lifetime in portcullis.toml: did you mean jwt.access_token_lifetime?";
        assert_eq!(told("[jwt]\nacess_token_lifetime = '5m'"), near);
        assert_eq!(told("bind = 'x'"), "unknown setting bind in portcullis.toml: did you mean server.bind?");
        assert_eq!(told("[weather]\nrain = true"), "unknown setting weather.rain in portcullis.toml");
        assert_eq!(told("[weather]"), "unknown setting weather in portcullis.toml");
        assert_eq!(told("jwt = 5"), "unknown setting jwt in portcullis.toml");
        for (content, key) in [
            ("[jwt]\nACCESS_TOKEN_LIFETIME = '5m'", "jwt.ACCESS_TOKEN_LIFETIME"),
            ("[SIMPLE_JWT]\nACCESS_TOKEN_LIFETIME = '5m'", "SIMPLE_JWT.ACCESS_TOKEN_LIFETIME"),
        ] {
            let hint = "did you mean jwt.access_token_lifetime?";
            assert_eq!(told(content), format!("unknown setting {key} in portcullis.toml: {hint}"));
        }
        let told = from_env(&[("PORTCULLIS_JWT_SIGNING_KEY", "x"), ("PORTCULLIS_JWT__ISSUER_FILE", "x")]).unwrap_err();
        let first =
            "unknown setting PORTCULLIS_JWT_SIGNING_KEY in the environment: did you mean PORTCULLIS_JWT__SIGNING_KEY?";
        assert_eq!(told.first().unwrap(), first);
        assert_eq!(told.len(), 2);
        let told = Settings::load([], None, &[("server.bnd".into(), "x".into())]).unwrap_err();
        assert_eq!(told, ["unknown setting server.bnd on the command line: did you mean server.bind?"]);
    }

    #[test]
    fn every_bad_value_is_told_at_once_with_its_place_and_what_would_be_right() {
        let told = from_env(&[
            ("PORTCULLIS_ACCOUNTS__REGISTRATION", "invite"),
            ("PORTCULLIS_ADMIN__TIME_ZONE", "Oslo"),
            ("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "5x"),
            ("PORTCULLIS_JWT__LEEWAY", "2m"),
            ("PORTCULLIS_PASSWORDS__RULES", "maybe"),
            ("PORTCULLIS_SERVER__BIND", "8000"),
            ("PORTCULLIS_SERVER__WORKERS", "-1"),
            ("PORTCULLIS_THROTTLE__LOGIN", "0/min"),
        ]);
        let expected = [
            "accounts.registration in the environment (PORTCULLIS_ACCOUNTS__REGISTRATION): \"invite\" is not one of `open`, `closed`, `invitation`",
            "admin.time_zone in the environment (PORTCULLIS_ADMIN__TIME_ZONE): \"Oslo\" is not a time zone; choose one such as Europe/Oslo",
            "jwt.access_token_lifetime in the environment (PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME): \"5x\" is not a duration; write 5m, 24h, 7d or a number of seconds",
            "passwords.rules in the environment (PORTCULLIS_PASSWORDS__RULES): \"maybe\" is not on or off",
            "server.bind in the environment (PORTCULLIS_SERVER__BIND): \"8000\" is not an address and port; write 127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000",
            "server.workers in the environment (PORTCULLIS_SERVER__WORKERS): \"-1\" is not a whole number",
            "throttle.login in the environment (PORTCULLIS_THROTTLE__LOGIN): \"0/min\" is not a rate; write 100/day, 10/min or off",
            "jwt.leeway in the environment (PORTCULLIS_JWT__LEEWAY): must be at most 60s, for it lengthens the life of every token",
        ];
        assert_eq!(told.unwrap_err(), expected);
        let told = from_toml("[jwt]\nissuer = 5\naudience = 'a, b'\ntoken_claims = ['age']").unwrap_err();
        let told: Vec<_> = told.lines().collect();
        assert_eq!(told.first(), Some(&"jwt.audience in portcullis.toml: \"a, b\" is not a list of texts"));
        assert_eq!(told.get(1), Some(&"jwt.issuer in portcullis.toml: 5 is not text"));
        assert!(
            told.last().unwrap().starts_with("jwt.token_claims in portcullis.toml: [\"age\"] is not one of `username`")
        );
        let told = from_toml("[jwt]\ncheck_user_is_active = false").unwrap_err();
        assert!(told.contains("jwt.check_user_is_active in portcullis.toml: the tokens of an inactive user"), "{told}");
    }

    #[test]
    fn no_complaint_and_no_listing_shows_a_secret() {
        for content in [
            "[jwt]\nsigning_key = 'hunter42'",
            "[jwt]\nsigning_key = ['hunter42']",
            "[jwt]\nsigning_key = hunter42",
            "[jwt]\nsigning_keys = 'hunter42'",
            "[database]\nurl = 'mysql://ann:hunter42@db/x'",
        ] {
            let told = from_toml(content).unwrap_err();
            assert!(!told.contains("hunter42"), "{told}");
        }
        let loaded = from_env(&[("PORTCULLIS_DATABASE__URL", "postgres://ann:hunter42@db/x")]).unwrap();
        assert!(!format!("{loaded:?}").contains("hunter42"));
        let shown = loaded.shown();
        let find = |key: &str| shown.iter().find(|shown| shown.key == key).map(|shown| shown.value.as_str());
        assert_eq!(find("database.url"), Some("***"));
        assert_eq!(find("jwt.signing_key"), Some("not set"));
        assert_eq!(find("jwt.access_token_lifetime"), Some("5m"));
        assert_eq!(find("throttle.user"), Some("off"));
        assert_eq!(find("jwt.token_claims"), Some("username, is_staff"));
        assert_eq!(shown.first().map(|shown| shown.key.as_str()), Some("server.bind"));
        assert_eq!(find("cors.allowed_origins"), Some(""));
    }

    #[test]
    fn a_secret_can_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, "postgres://ann:hunter42@db/x\n").unwrap();
        let path = path.display().to_string();
        let loaded = from_env(&[("PORTCULLIS_DATABASE__URL_FILE", &path)]).unwrap();
        assert_eq!(loaded.settings.database.url(Path::new("data")).expose(), "postgres://ann:hunter42@db/x");
        let origin = loaded.origins.get("database.url").unwrap().to_string();
        assert_eq!(origin, format!("file {path} named by PORTCULLIS_DATABASE__URL_FILE"));
        // The signing key's file is a setting of its own: the key ring reads it.
        let loaded = from_env(&[("PORTCULLIS_JWT__SIGNING_KEY_FILE", "/run/key")]).unwrap();
        assert_eq!(loaded.settings.jwt.signing_key_file.as_deref(), Some(Path::new("/run/key")));
        let both = [("PORTCULLIS_DATABASE__URL_FILE", path.as_str()), ("PORTCULLIS_DATABASE__URL", "sqlite://x")];
        assert!(from_env(&both).unwrap_err().join("").contains("not both"));
        let told = from_env(&[("PORTCULLIS_DATABASE__URL_FILE", "/nowhere/url")]).unwrap_err().join("");
        assert!(told.contains("PORTCULLIS_DATABASE__URL_FILE: cannot read /nowhere/url"), "{told}");
    }

    #[test]
    fn the_first_administrator_is_no_setting() {
        let names =
            ["USERNAME", "EMAIL", "PASSWORD", "PASSWORD_FILE"].map(|name| format!("PORTCULLIS_SUPERUSER_{name}"));
        let variables = names.into_iter().map(|name| (name, "x".to_owned()));
        assert!(Settings::load(variables, None, &[]).unwrap().origins.is_empty());
        assert!(from_env(&[("PORTCULLIS_SUPERUSER_NAME", "x")]).is_err());
    }

    #[test]
    fn the_defaults_written_down_load_back_to_themselves() {
        let tree = serde_json::to_value(Settings::default()).unwrap();
        let again = Settings::deserialize(&tree).unwrap();
        assert_eq!(serde_json::to_value(again).unwrap(), tree);
        let url = Settings::default().database.url(Path::new("./data"));
        assert_eq!(url.expose(), "sqlite://./data/portcullis.db");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_line() {
        let told = from_toml("[jwt]\nissuer = 'a'\nleeway 5\n").unwrap_err();
        assert!(told.starts_with("portcullis.toml cannot be read: line 3: "), "{told}");
        let told = Settings::load([], Some(Path::new("/nowhere/portcullis.toml")), &[]).unwrap_err().join("");
        assert!(told.starts_with("cannot read /nowhere/portcullis.toml: "), "{told}");
    }
}
