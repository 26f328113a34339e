//! A browser in the hand of a test. It finds things as people do, by label, link text and button text, never by CSS path: a
//! test that cannot find a label has found an accessibility fault.
//!
//! Chromium is headless and driven through Debian's chromedriver, one process for all tests, which ends with them however
//! they end. A journey is walked once for each of [`PASSES`], in a clean profile, against a server of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use futures_util::FutureExt;
use portcullis::clock::Timestamp;
use portcullis::db::{Conn, Target, in_transaction};
use portcullis::model::user::{self, NewUser};
use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;
use thirtyfour::{LoggingPrefsLogLevel, RequestData, SessionId, WindowHandle};

use crate::process::{Home, Server};

/// How long a page may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a journey is walked: the size of the window, and whether scripts run.
#[derive(Clone, Copy)]
pub struct Pass {
    pub width: u32,
    pub height: u32,
    pub script: bool,
}

const DESK: Pass = Pass { width: 1280, height: 900, script: true };
const TELEPHONE: Pass = Pass { width: 390, height: 844, script: true };

/// On a desk and on a telephone with script, where every page is looked at in both themes; and without script on a telephone, where
/// more is folded away, with a look at every page in a window as wide as a desk's.
pub const PASSES: [Pass; 3] = [DESK, TELEPHONE, Pass { script: false, ..TELEPHONE }];

/// Walks a journey once for each pass. Of a pass that fails, the last page stays in `target/browser/`, as picture and source.
pub async fn journey(name: &'static str, home: impl Fn() -> Home, walk: impl AsyncFn(&Browser)) {
    passes(&PASSES, name, home, walk).await;
}

/// Walks one for which neither the window's size nor the lack of scripts can make a difference.
pub async fn short_journey(name: &'static str, home: impl Fn() -> Home, walk: impl AsyncFn(&Browser)) {
    passes(&PASSES[..1], name, home, walk).await;
}

/// Walks one for these passes.
pub async fn passes(passes: &[Pass], name: &'static str, home: impl Fn() -> Home, walk: impl AsyncFn(&Browser)) {
    for &pass in passes {
        let script = if pass.script { "with script" } else { "without script" };
        println!("{name}, {} px wide, {script}", pass.width);
        let browser = Browser::open(name, pass, home()).await;
        let outcome = AssertUnwindSafe(walk(&browser)).catch_unwind().await;
        if outcome.is_err() {
            browser.keep_evidence().await;
        }
        browser.driver.clone().quit().await.unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }
}

/// A server whose first administrator is already there, with limits that a test of pages does not mean to meet.
pub fn with_root() -> Home {
    without_limits().with_superuser("root", ROOT_PASSWORD)
}

/// A server that nobody has set up yet.
pub fn without_limits() -> Home {
    Home::new().with("PORTCULLIS_THROTTLE__LOGIN", "off")
}

pub const ROOT_PASSWORD: &str = "gatekeeper of 9 gates";
pub const PASSWORD: &str = "correct horse 9";

/// A window, and the server that it looks at.
#[derive(Clone)]
pub struct Browser {
    driver: WebDriver,
    pass: Pass,
    name: &'static str,
    /// Where on the page to look, as XPath; empty for all of it.
    place: String,
    pictures: Arc<AtomicUsize>,
    /// What is run before any script of a page.
    lacks: Arc<OnceLock<String>>,
    served: Arc<Served>,
}

struct Served {
    server: Server,
    home: Home,
}

/// What a person can act on.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Field,
    Button,
    Link,
}

/// A pair of tokens, for what the API says meanwhile.
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Browser {
    async fn open(name: &'static str, pass: Pass, home: Home) -> Self {
        let mut wishes = DesiredCapabilities::chrome();
        // Root, as in CI, must do without the sandbox; the rest keeps Chromium from calling its makers' hosts.
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-quic",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-features=Translate,OptimizationHints,MediaRouter",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
        ] {
            wishes.add_arg(argument).unwrap();
        }
        // 1 allows scripts, 2 blocks them, as a person's own setting would.
        let scripts = if pass.script { 1 } else { 2 };
        let preferences = json!({
            "profile.managed_default_content_settings.javascript": scripts,
            "credentials_enable_service": false,
            "profile.password_manager_leak_detection": false,
        });
        wishes.add_experimental_option("prefs", preferences).unwrap();
        wishes.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();

        let server = tokio::task::spawn_blocking(|| {
            let server = home.serve();
            Served { server, home }
        });
        let driver = WebDriver::new(chromedriver(), wishes).await.unwrap();
        driver.set_script_timeout(Duration::from_secs(60)).await.unwrap();
        let served = Arc::new(server.await.unwrap());
        let browser =
            Self { driver, pass, name, place: String::new(), pictures: Arc::default(), lacks: Arc::default(), served };
        browser.resize(pass.width, pass.height).await;
        browser.theme("light").await;
        browser
    }

    /// The server behind the page.
    pub fn server(&self) -> &Server {
        &self.served.server
    }

    /// The same window, looking only at the table row that says this.
    pub fn row(&self, text: &str) -> Self {
        let place = format!("//tr[contains(normalize-space(.), {})]", literal(text));
        Self { place, ..self.clone() }
    }

    /// The same window, looking only at what is grouped or named so: a field set, a region, a card under this heading.
    pub fn group(&self, name: &str) -> Self {
        let name = literal(name);
        let place = format!(
            "//*[@aria-label={name} or (self::fieldset and legend[normalize-space(.)={name}]) or \
             @aria-labelledby=//*[normalize-space(.)={name}]/@id]"
        );
        Self { place, ..self.clone() }
    }

    /// Opens an address: of this server when it begins with a slash.
    pub async fn visit(&self, address: &str) -> &Self {
        let origin = if address.starts_with('/') { self.server().origin() } else { "" };
        if let Some(lack) = self.lacks.get() {
            self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": lack })).await;
        }
        self.driver.goto(format!("{origin}{address}")).await.unwrap();
        self
    }

    /// The path that the window is at.
    pub async fn path(&self) -> String {
        self.driver.current_url().await.unwrap().path().to_owned()
    }

    /// Signs in at the panel's front door.
    pub async fn sign_in(&self, username: &str, password: &str) -> &Self {
        self.visit("/admin/").await;
        self.fill("Username or e-mail", username).await;
        self.fill("Password", password).await;
        self.press("Sign in").await
    }

    /// Writes into the field with this label, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) -> &Self {
        let field = self.find(Kind::Field, label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
        self
    }

    /// Ticks or unticks the box with this label.
    pub async fn tick(&self, label: &str, on: bool) -> &Self {
        let field = self.find(Kind::Field, label).await;
        if field.is_selected().await.unwrap() != on {
            self.click(&field).await;
        }
        assert_eq!(field.is_selected().await.unwrap(), on, "the box {label:?} does not take a click");
        self
    }

    /// Is the box with this label ticked?
    pub async fn ticked(&self, label: &str) -> bool {
        self.find(Kind::Field, label).await.is_selected().await.unwrap()
    }

    /// Chooses from the list with this label.
    pub async fn choose(&self, label: &str, option: &str) -> &Self {
        let list = self.find(Kind::Field, label).await;
        let xpath = format!(".//option[normalize-space(.)={}]", literal(option));
        list.find(By::XPath(xpath)).await.unwrap().click().await.unwrap();
        self
    }

    /// Presses a button that leads to another page: named so, or beginning so ("Sign out" for "Sign out Firefox on Linux").
    pub async fn press(&self, name: &str) -> &Self {
        self.leave_by(Kind::Button, name).await
    }

    /// Follows a link, named as a button is.
    pub async fn follow(&self, name: &str) -> &Self {
        self.leave_by(Kind::Link, name).await
    }

    /// Presses a button that stays on its page: a menu's, a switch.
    pub async fn toggle(&self, name: &str) -> &Self {
        self.click(&self.find(Kind::Button, name).await).await;
        self
    }

    /// Waits until a button of this name can be seen.
    pub async fn shows(&self, name: &str) -> &Self {
        self.find(Kind::Button, name).await;
        self
    }

    /// Clicks, and waits until the old page is gone: what is looked for next must not be found on it.
    async fn leave_by(&self, kind: Kind, name: &str) -> &Self {
        let element = self.find(kind, name).await;
        self.click(&element).await;
        let start = Instant::now();
        while element.tag_name().await.is_ok() {
            assert!(start.elapsed() < PATIENCE, "the {kind:?} {name:?} leads nowhere");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self
    }

    /// Goes to a part of the panel by its main navigation, which a narrow window keeps behind the button *Menu*.
    pub async fn go(&self, part: &str) -> &Self {
        if self.pass.width < 960 {
            self.toggle("Menu").await;
        }
        self.group("Main").follow(part).await;
        self
    }

    /// Waits until the page says this.
    pub async fn sees(&self, text: &str) -> &Self {
        let start = Instant::now();
        loop {
            // A page that is just being replaced has no body; that is no answer yet.
            let page = self.text().await.unwrap_or_default();
            if page.contains(text) {
                return self;
            }
            assert!(start.elapsed() < PATIENCE, "the page does not say {text:?}; it says:\n{page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The page, which is there, does not say this.
    pub async fn misses(&self, text: &str) -> &Self {
        let page = self.text().await.unwrap();
        assert!(!page.contains(text), "the page should not say {text:?}; it says:\n{page}");
        self
    }

    /// What stands on the page to be copied: the first block of code.
    pub async fn code_block(&self) -> String {
        self.driver.find(By::Css(".c-code")).await.unwrap().text().await.unwrap()
    }

    /// Can a link or button of this name be seen?
    pub async fn offers(&self, name: &str) -> bool {
        for kind in [Kind::Link, Kind::Button] {
            if self.matching(kind, name).await.is_ok_and(|found| !found.is_empty()) {
                return true;
            }
        }
        false
    }

    /// Clicks, and turns the wheel while a bar that sticks to an edge of the window is in the way.
    async fn click(&self, element: &WebElement) {
        let start = Instant::now();
        loop {
            match element.click().await {
                Err(error) if matches!(*error, WebDriverErrorInner::ElementClickIntercepted(_)) => {
                    assert!(
                        start.elapsed() < PATIENCE,
                        "something lies over it, however the page is scrolled: {error}"
                    );
                    let (x, y) = (self.pass.width / 2, self.pass.height / 2);
                    let wheel = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": 150 });
                    self.devtools("Input.dispatchMouseEvent", wheel).await;
                }
                clicked => return clicked.unwrap(),
            }
        }
    }

    async fn text(&self) -> WebDriverResult<String> {
        let place = if self.place.is_empty() { "//body" } else { &self.place };
        self.driver.find(By::XPath(place)).await?.text().await
    }

    async fn find(&self, kind: Kind, name: &str) -> WebElement {
        let start = Instant::now();
        loop {
            if let Ok(found) = self.matching(kind, name).await
                && let Some(first) = found.into_iter().next()
            {
                return first;
            }
            if start.elapsed() > PATIENCE {
                let page = self.text().await.unwrap_or_default();
                panic!("no {kind:?} named {name:?} on {}:\n{page}", self.path().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is shown, of this kind, and named exactly so; or else what is named so at its beginning.
    async fn matching(&self, kind: Kind, name: &str) -> WebDriverResult<Vec<WebElement>> {
        let text = literal(name);
        let says = format!("contains(normalize-space(.), {text}) or contains(@aria-label, {text})");
        // A first sieve; the browser's own word for the name decides below.
        let xpath = match kind {
            Kind::Field => format!(
                "//*[self::input[not(@type='hidden')] or self::select or self::textarea]\
                 [@id=//label[{says}]/@for or ancestor::label[{says}] or {says} or @aria-labelledby]"
            ),
            Kind::Button => format!(
                "//*[self::button or self::summary or self::input[@type='submit'] or @role='button'][{says} or contains(@value, {text})]"
            ),
            Kind::Link => format!("//a[@href][{says}]"),
        };
        let (mut exact, mut beginning) = (Vec::new(), Vec::new());
        for element in self.driver.find_all(By::XPath(format!("{}{xpath}", self.place))).await? {
            if !element.is_displayed().await? {
                continue;
            }
            let path = format!("element/{}/computedlabel", element.element_id());
            let label: String = self.driver.cmd(Raw(Method::GET, path, None)).await?.value()?;
            if label == name {
                exact.push(element);
            } else if label.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', ',', '…'])) {
                beginning.push(element);
            }
        }
        Ok(if exact.is_empty() { beginning } else { exact })
    }
}

/// Looking at a page as a whole.
impl Browser {
    /// Looks at the page in both themes: nothing is wider than the window, the console is silent, axe finds nothing; and
    /// keeps a picture of each in `target/browser/`. Without script one theme will do: no script has a hand in the other.
    pub async fn look(&self, page: &str) -> &Self {
        let number = self.pictures.fetch_add(1, Ordering::Relaxed) + 1;
        let script = if self.pass.script { "" } else { "-noscript" };
        let (windows, themes): (&[Pass], &[&str]) =
            if self.pass.script { (&[self.pass], &["light", "dark"]) } else { (&[DESK, self.pass], &["light"]) };
        for window in windows {
            self.resize(window.width, window.height).await;
            for theme in themes {
                self.theme(theme).await;
                let name = format!("{}-{number:02}-{page}-{}-{theme}{script}.png", self.name, window.width);
                self.picture(&name, window).await;
                if self.pass.script {
                    self.ask_axe(page, theme).await;
                }
            }
            self.theme("light").await;
            self.fits(page, window.width).await;
            if window.width < 720 {
                self.resize(360, window.height).await;
                self.fits(page, 360).await;
                self.resize(window.width, window.height).await;
            }
        }
        self.console_is_silent(page).await;
        self
    }

    async fn fits(&self, page: &str, width: u32) {
        let sizes = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let content = sizes["cssContentSize"]["width"].as_f64().unwrap();
        assert!(content <= f64::from(width), "the page {page} is {content} px wide in a window of {width} px");
    }

    async fn console_is_silent(&self, page: &str) {
        for entry in self.driver.browser_log().await.unwrap() {
            // The console repeats the status of a page that says no, which it was meant to have; what a page needs never has.
            let says_no = ["status of 4", "status of 503"].iter().any(|status| entry.message.contains(status));
            assert!(
                says_no && !entry.message.contains("/static/"),
                "the console at {page}: {} {}",
                entry.level,
                entry.message
            );
        }
    }

    /// Asks axe about the page as it is: about all of it in the light, and in the dark about what another theme can change.
    async fn ask_axe(&self, page: &str, theme: &str) {
        const ASK: &str = "
            const done = arguments[arguments.length - 1], only = arguments[0];
            const brief = found => found.map(rule => rule.id + ': ' + rule.help
                + rule.nodes.map(node => '\\n    ' + node.html.slice(0, 200) + '\\n    ' + node.failureSummary.replace(/\\s+/g, ' ')).join(''));
            const rules = only === null ? {} : { runOnly: only };
            axe.run({ resultTypes: ['violations'], ...rules }).then(found => done(brief(found.violations)), error => done([String(error)]));";
        let there = self.driver.execute("return 'axe' in window", Vec::new()).await.unwrap().convert::<bool>().unwrap();
        let script = if there { ASK.to_owned() } else { format!("{}\n{ASK}", axe()) };
        let only = if theme == "dark" { json!(["color-contrast", "link-in-text-block"]) } else { Value::Null };
        let found: Vec<String> = self.driver.execute_async(script, vec![only]).await.unwrap().convert().unwrap();
        assert!(
            found.is_empty(),
            "axe at {page}, {} px, {theme}: {} violations\n{}",
            self.pass.width,
            found.len(),
            found.join("\n")
        );
    }

    /// Sets the theme that the system asks for, and stops what moves, so that pictures and contrasts are of the end state.
    async fn theme(&self, theme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": theme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A window of any size: a real one cannot be narrower than 500 px.
    async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A picture of the whole page, in a window as tall as the page, so that bars that stick stand where they belong.
    async fn picture(&self, name: &str, window: &Pass) {
        let sizes = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let height = sizes["cssContentSize"]["height"].as_f64().unwrap() as u32;
        self.resize(window.width, height.max(window.height)).await;
        let answer = self.devtools("Page.captureScreenshot", json!({})).await;
        self.resize(window.width, window.height).await;
        let bytes = BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        fs::write(pictures().join(name), bytes).unwrap();
    }

    async fn keep_evidence(&self) {
        let script = if self.pass.script { "" } else { "-noscript" };
        let name = format!("FAILED-{}-{}{script}", self.name, self.pass.width);
        self.picture(&format!("{name}.png"), &self.pass).await;
        let source = self.driver.source().await.unwrap_or_default();
        fs::write(pictures().join(format!("{name}.html")), source).unwrap();
        eprintln!("the last page is kept in target/browser/{name}.png and .html");
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let asked = self.driver.cmd(Raw(Method::POST, "goog/cdp/execute".into(), Some(body))).await;
        asked.unwrap().value_json().unwrap()
    }
}

/// Several tabs of one profile, and a server that comes and goes.
impl Browser {
    /// Opens one more tab, of the same size and looks, and goes on there; the way back is [`Browser::turn_to`].
    pub async fn new_tab(&self) -> WindowHandle {
        let tab = self.driver.new_tab().await.unwrap();
        self.turn_to(&tab).await;
        self.resize(self.pass.width, self.pass.height).await;
        self.theme("light").await;
        tab
    }

    /// Takes something away that this browser has and another has not, from every page that is opened from now on.
    pub fn do_without(&self, what: &str) {
        let (owner, name) = what.rsplit_once('.').unwrap();
        self.lacks.set(format!("Object.defineProperty({owner}, '{name}', {{ value: undefined }})")).unwrap();
    }

    /// The tab that is looked at.
    pub async fn tab(&self) -> WindowHandle {
        self.driver.window().await.unwrap()
    }

    /// Goes on in another tab.
    pub async fn turn_to(&self, tab: &WindowHandle) -> &Self {
        self.driver.switch_to_window(tab.clone()).await.unwrap();
        self
    }

    /// Waits until the page does not say this any more.
    pub async fn loses(&self, text: &str) -> &Self {
        let start = Instant::now();
        while self.text().await.unwrap_or_default().contains(text) {
            assert!(start.elapsed() < PATIENCE, "the page still says {text:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// Waits until the box with this label is ticked, or is not, by whomever.
    pub async fn sees_ticked(&self, label: &str, on: bool) -> &Self {
        let start = Instant::now();
        while self.ticked(label).await != on {
            assert!(start.elapsed() < PATIENCE, "the box {label:?} stays as it is");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// What a script in the page returns.
    pub async fn script(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Asks the server to stop, waits until it does not listen any more, and lets `meanwhile` happen. The successor, on the
    /// same data and at the same port, lives until it is dropped.
    pub async fn restart_server(&self, meanwhile: impl AsyncFnOnce()) -> Successor {
        let address = self.server().origin().trim_start_matches("http://").to_owned();
        // A successor that listens and is then refused the data has answered nothing.
        let answers = || {
            let mut answer = String::new();
            let asked = TcpStream::connect(&address).and_then(|mut stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
                stream.read_to_string(&mut answer)
            });
            asked.is_ok() && answer.starts_with("HTTP/1.")
        };
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.server().id())]).status().unwrap();
        assert!(asked.success());
        self.eventually("the server stops", || !answers()).await;
        meanwhile().await;
        let start = || {
            let mut command = self.served.home.command(&["serve", "--set", &format!("server.bind={address}")]);
            Successor(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        };
        let mut successor = start();
        self.eventually("the server is there again", || {
            // While its predecessor lets go of the data it is refused by name.
            if successor.0.try_wait().unwrap().is_some() {
                successor = start();
            }
            answers()
        })
        .await;
        successor
    }

    async fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < 2 * PATIENCE, "{what}: not within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the log of the server has this many lines that say so, and tells when each was written.
    pub async fn sees_logged(&self, words: &str, times: usize, limit: Duration) -> Vec<DateTime<Utc>> {
        let lines = || -> Vec<DateTime<Utc>> {
            let log = self.server().log();
            let lines = log.lines().filter(|line| line.contains(words));
            lines.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
        };
        let start = Instant::now();
        while lines().len() < times {
            assert!(start.elapsed() < limit, "the log does not say {words:?} {times} times");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        lines()
    }
}

/// A server that was started in place of another.
pub struct Successor(Child);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page of the API, whose operations are drawn by a library in a tree of its own.
impl Browser {
    /// Waits until the operations can be seen, this path among them.
    pub async fn sees_drawn(&self, path: &str) -> &Self {
        let start = Instant::now();
        while !self.drawn(&format!("return root.textContent.includes({path:?});")).await.as_bool().unwrap() {
            assert!(start.elapsed() < PATIENCE, "{path} is not drawn");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// Opens the operation that GETs `path`, presses *Try*, and tells the status that it shows.
    pub async fn try_out(&self, path: &str) -> u16 {
        let operation = format!(
            "const named = [...root.querySelectorAll('.endpoint-head')].filter(head =>
                head.classList.contains('get') && head.querySelector('.path').textContent.trim() === {path:?});
             const head = named[0];"
        );
        self.drawn(&format!("{operation} if (!head.classList.contains('expanded')) head.click();")).await;
        let request = format!("{operation} const request = head.parentElement.querySelector('api-request');");
        let begun = format!(
            "{request}
             const button = request && [...request.shadowRoot.querySelectorAll('button')].find(one => /^try$/i.test(one.textContent.trim()));
             if (button) {{ request.responseMessage = ''; button.click(); }}
             return !!button;"
        );
        let start = Instant::now();
        while self.drawn(&begun).await != true {
            assert!(start.elapsed() < PATIENCE, "{path} cannot be tried");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let told = format!(
            "{request} const told = request.shadowRoot.textContent.match(/:(\\d{{3}})\\s/); return told && +told[1];"
        );
        loop {
            if let Some(status) = self.drawn(&told).await.as_u64() {
                return u16::try_from(status).unwrap();
            }
            assert!(start.elapsed() < PATIENCE, "{path} has no answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn drawn(&self, script: &str) -> Value {
        let script = format!("const root = document.getElementById('rapidoc').shadowRoot; {script}");
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Whether tables stand as tables in this pass.
    pub fn is_wide(&self) -> bool {
        self.pass.width >= 720
    }

    /// Whether scripts run in this pass.
    pub fn runs_scripts(&self) -> bool {
        self.pass.script
    }
}

/// What the API says meanwhile.
impl Browser {
    /// Registers a person and signs them in to the API.
    pub async fn register(&self, username: &str) -> Pair {
        let body = json!({ "username": username, "password": PASSWORD, "email": format!("{username}@example.org") });
        let answer = self.client().post(self.api("/api/register/")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let answer: Value = answer.json().await.unwrap();
        let token = |name: &str| answer[name].as_str().unwrap().to_owned();
        Pair { access: token("access"), refresh: token("refresh") }
    }

    /// Asks the API for a letter to this address.
    pub async fn ask(&self, path: &str, address: &str) {
        let answer = self.client().post(self.api(path)).json(&json!({ "email": address })).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }

    /// Registers a person where the answer has no refresh token.
    pub async fn register_in_browser_mode(&self, username: &str) {
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = self.client().post(self.api("/api/register/")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    /// Signs a person out everywhere, by the API, from elsewhere.
    pub async fn end_all_sessions(&self, username: &str, password: &str) -> u16 {
        let body = json!({ "username": username, "password": password });
        let answer = self.client().post(self.api("/api/token/")).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let access = answer["access"].as_str().unwrap();
        let ended = self.client().post(self.api("/api/logout/all/")).bearer_auth(access).send().await.unwrap();
        ended.status().as_u16()
    }

    /// Makes a task with this access token.
    pub async fn make_task(&self, title: &str, access: &str) {
        let asked = self.client().post(self.api("/api/tasks/")).bearer_auth(access).json(&json!({ "title": title }));
        assert_eq!(asked.send().await.unwrap().status(), 201);
    }

    /// Invites an address, by the command.
    pub fn invite(&self, address: &str) {
        let output = self.served.home.run(&["user", "invite", address], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Puts users called so into the database, with numbers, the last the newest: more than would register in time.
    pub fn crowd(&self, name: &str, count: i64) {
        let mut conn = self.database();
        let now = Timestamp::from_micros(Utc::now().timestamp_micros());
        in_transaction(&mut conn, |conn| {
            for number in 0..count {
                let joined = now - Duration::from_secs((count - number).try_into().unwrap());
                let new = NewUser {
                    username: format!("{name}{number:04}"),
                    email: format!("{name}{number:04}@example.org"),
                    password: "!".into(),
                    date_joined: joined,
                    updated_at: joined,
                    ..NewUser::default()
                };
                user::insert(conn, &new)?.unwrap();
            }
            Ok(())
        })
        .unwrap();
    }

    /// A second job like the first, half done, which no process carries on: its process is still heard of for an hour.
    pub fn stuck_job(&self) {
        let copy = "INSERT INTO bulk_jobs (list, action, choice, chosen, query, filter, reason, total, state, cursor, last, \
                    done, left_out, failed, also, actor_id, actor, session, ip, user_agent, request, created_at, runner, \
                    beat_at, trouble) SELECT list, action, choice, chosen, query, filter, 'A leak elsewhere', total, \
                    'running', cursor, last, 498, 2, 0, 12, actor_id, actor, session, ip, user_agent, request, created_at, \
                    'x', created_at + 3600000000, trouble FROM bulk_jobs WHERE id = 1";
        let row = "INSERT INTO bulk_job_rows (job_id, key, name, outcome, why) VALUES \
                   (2, '7', 'crowd0007', 'left out', 'gone meanwhile'), \
                   (2, '9', '', 'failed', 'a fault of the server: its log says more')";
        let mut conn = self.database();
        conn.batch_execute(copy).unwrap();
        conn.batch_execute(row).unwrap();
    }

    fn database(&self) -> Conn {
        Target::Sqlite(self.served.home.path().join("data/portcullis.db")).connect().unwrap()
    }

    /// A key for all that the user may, by the command.
    pub fn api_key(&self, username: &str) -> String {
        let output = self.served.home.run(&["user", "apikey", username], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let words = String::from_utf8(output.stdout).unwrap();
        words.split([' ', ':']).find(|word| word.starts_with("pcl_")).unwrap().to_owned()
    }

    /// What the API answers to a GET with this access token.
    pub async fn status(&self, path: &str, access: &str) -> u16 {
        let answer = self.client().get(self.api(path)).bearer_auth(access).send().await.unwrap();
        answer.status().as_u16()
    }

    fn client(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .no_proxy()
            .user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .build()
            .unwrap()
    }

    fn api(&self, path: &str) -> String {
        format!("{}{path}", self.server().origin())
    }
}

/// A WebDriver command that thirtyfour has no word for.
#[derive(Debug)]
struct Raw(Method, String, Option<Value>);

impl FormatRequestData for Raw {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let request = RequestData::new(self.0.clone(), format!("session/{session}/{}", self.1));
        match &self.2 {
            Some(body) => request.add_body(body.clone()),
            None => request,
        }
    }
}

/// A text in XPath, which knows no escapes.
fn literal(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

/// The address of the one chromedriver. A shell waits on a pipe that only this process holds and ends the driver, its
/// browsers and their folder when the pipe closes: at the end of the tests, in whatever way they end.
fn chromedriver() -> &'static str {
    const WARDEN: &str = r#"
        trap '' INT HUP
        TMPDIR=$(mktemp -d /tmp/portcullis-browser-XXXXXX) || exit 1
        export TMPDIR
        chromedriver --port=0 2>&1 </dev/null &
        read -r _
        exec 2>/dev/null
        kill $!; wait $!
        rm -rf "$TMPDIR"
    "#;
    static DRIVER: OnceLock<(Child, String)> = OnceLock::new();
    let (_, address) = DRIVER.get_or_init(|| {
        let mut command = Command::new("sh");
        let mut warden = command.args(["-c", WARDEN]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(warden.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("chromedriver does not start; `make setup` installs it");
        // Whatever else it has to say must go somewhere, or it would stand still one day.
        std::thread::spawn(move || lines.for_each(drop));
        (warden, format!("http://127.0.0.1:{port}"))
    });
    address
}

/// Where the pictures of this run go; those of the run before are gone.
fn pictures() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    })
}

fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/node_modules/axe-core/axe.min.js");
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}; `make setup` brings it", file.display()))
    })
}
