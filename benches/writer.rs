//! Durable writes: one by one, and gathered into batches by the one writer. Every commit is on the disk before its answer
//! (`synchronous=FULL`), so all of it depends on what one fsync takes.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use portcullis::model::change::{self, What};
use portcullis::model::session::Device;
use portcullis::site::Site;

use crate::support::client::{Client, each, request};
use crate::support::process::Process;
use crate::support::{block_on, folder, median, row, site, user};

const CLIENTS: usize = 32;
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;

pub fn run() {
    let folder = folder();
    let site = Rc::new(site(&folder));
    let fsync = fsync(folder.path());
    row("one fsync of 4 KiB appended, p50", format!("{fsync:.0} µs"));

    let [mut one, mut some, mut many] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        one.push(writes(&site, 1));
        some.push(writes(&site, 32));
        many.push(writes(&site, 64));
    }
    let alone = median(one.clone());
    row("durable writes a second, one by one", format!("{alone:.0}"));
    for (clients, rates) in [(32, some), (64, many)] {
        row(
            &format!("– from {clients} at once"),
            format!("{:.0}, {:.1} times as many", median(rates.clone()), ratio(&rates, &one)),
        );
    }
    let refreshes = user(&site, "ann", "correct horse 9", 1);
    let one_by_one = one_by_one(&site, &refreshes[0].refresh);
    drop(site);
    refreshes_over_http(one_by_one, fsync);
}

/// The median of the ratios within the turns.
fn ratio(these: &[f64], those: &[f64]) -> f64 {
    median(these.iter().zip(those).map(|(this, that)| this / that).collect())
}

/// What the disk takes at least: the median of 300 appends.
fn fsync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("probe")).unwrap();
    let mut append = || {
        let begun = Instant::now();
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed().as_micros() as f64
    };
    append();
    let micros = median((0..300).map(|_| append()).collect());
    drop(file.write_at(&[0], 0));
    micros
}

/// Rows a second that so many callers write, each a transaction of its own to its caller.
fn writes(site: &Rc<Site>, clients: usize) -> f64 {
    let (count, took) = each(clients, |_| {
        let site = site.clone();
        async move {
            let (begun, mut count) = (Instant::now(), 0);
            while begun.elapsed() < ROUND {
                let now = site.clock.now();
                site.db.write(move |conn| change::append(conn, What::User(1), now, now)).await.unwrap();
                count += 1;
            }
            count
        }
    });
    count as f64 / took.as_secs_f64()
}

/// Rotating refreshes a second where each has a transaction and a commit to itself: one after the other, without HTTP.
fn one_by_one(site: &Rc<Site>, refresh: &str) -> f64 {
    let mut refresh = refresh.to_owned();
    let mut round = || {
        block_on(async {
            let (begun, mut count) = (Instant::now(), 0);
            while begun.elapsed() < ROUND {
                let answer = site.grants.refresh(&refresh, Device::default()).await.unwrap();
                refresh = answer.refresh.unwrap();
                count += 1;
            }
            f64::from(count) / begun.elapsed().as_secs_f64()
        })
    };
    let rate = median((0..ROUNDS).map(|_| round()).collect());
    row("rotating refreshes a second, a commit each, without HTTP", format!("{rate:.0}"));
    rate
}

fn refreshes_over_http(one_by_one: f64, fsync: f64) {
    let folder = folder();
    let site = site(&folder);
    let mut tokens: Vec<String> =
        user(&site, "ann", "correct horse 9", CLIENTS).into_iter().map(|pair| pair.refresh).collect();
    drop(site);
    let server = Process::portcullis(folder.path(), &[]);
    let (mut rates, mut micros) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = server.cpu();
        let (count, took) = round(&server, &mut tokens, ROUND);
        rates.push(count as f64 / took.as_secs_f64());
        micros.push((server.cpu() - before).as_micros() as f64 / count as f64);
    }
    let rate = median(rates);
    row(
        "rotating refreshes a second over HTTP, 32 clients",
        format!("{rate:.0}, {:.1} times as many", rate / one_by_one),
    );
    row("– CPU of the server for each", format!("{:.0} µs", median(micros)));

    let mut token = tokens.remove(0);
    let waits = block_on(async {
        let (mut client, mut waits) = (Client::connect(server.address).await, Vec::new());
        for _ in 0..500 {
            let request = refresh_request(&token);
            let begun = Instant::now();
            let answer = client.ask(&request).await;
            waits.push(begun.elapsed().as_micros() as f64);
            token = answer.text("refresh");
        }
        waits
    });
    let p50 = median(waits);
    row("– p50 with one client", format!("{p50:.0} µs: one fsync and {:.0} µs", p50 - fsync));
}

fn refresh_request(token: &str) -> Vec<u8> {
    request("POST", "/api/token/refresh/", None, Some(&format!(r#"{{"refresh":"{token}"}}"#)))
}

/// Each client refreshes its own session, always with its newest token.
fn round(server: &Process, tokens: &mut [String], length: Duration) -> (u64, Duration) {
    let kept: Rc<[std::cell::RefCell<String>]> = tokens.iter().cloned().map(Into::into).collect();
    let address = server.address;
    let counted = each(tokens.len(), |number| {
        let kept = kept.clone();
        async move {
            let mut client = Client::connect(address).await;
            let (begun, mut count) = (Instant::now(), 0);
            while begun.elapsed() < length {
                let request = refresh_request(&kept[number].borrow());
                let newest = client.ask(&request).await.text("refresh");
                kept[number].replace(newest);
                count += 1;
            }
            count
        }
    });
    for (token, newest) in tokens.iter_mut().zip(kept.iter()) {
        token.clone_from(&newest.borrow());
    }
    counted
}
