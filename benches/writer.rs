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
    row("one fsync of 4 KiB appended, p50", format!("{:.0} µs", fsync(folder.path())));

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
    drop(site);
    refreshes();
}

/// The median of the ratios within the turns.
fn ratio(these: &[f64], those: &[f64]) -> f64 {
    median(these.iter().zip(those).map(|(this, that)| this / that).collect())
}

/// What the disk takes at least: the median of 100 appends.
fn fsync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("probe")).unwrap();
    let mut append = || {
        let begun = Instant::now();
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed().as_micros() as f64
    };
    append();
    let micros = median((0..100).map(|_| append()).collect());
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

/// Rotating refreshes: in this process one after the other, so that each has a commit to itself; and over HTTP from many
/// clients at once.
fn refreshes() {
    let (own, served) = (folder(), folder());
    let tokens = |folder, sessions| {
        let pairs = user(&site(folder), "ann", "correct horse 9", sessions);
        pairs.into_iter().map(|pair| pair.refresh).collect::<Vec<_>>()
    };
    let (mut alone, mut kept) = (tokens(&own, 1).remove(0), tokens(&served, CLIENTS));
    let site = site(&own);
    let server = Process::portcullis(served.path(), &[]);
    let [mut one, mut many, mut micros, mut disk, mut waits] = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        one.push(one_by_one(&site, &mut alone));
        let before = server.cpu();
        let (count, took) = round(&server, &mut kept, ROUND);
        many.push(count as f64 / took.as_secs_f64());
        micros.push((server.cpu() - before).as_micros() as f64 / count as f64);
        disk.push(fsync(own.path()));
        waits.push(wait(&server, kept.first_mut().unwrap()));
    }
    row("rotating refreshes a second, a commit each, without HTTP", format!("{:.0}", median(one.clone())));
    let times = ratio(&many, &one);
    row("– over HTTP, 32 clients", format!("{:.0}, {times:.1} times as many", median(many)));
    row("– CPU of the server for each", format!("{:.0} µs", median(micros)));
    let beside = median(waits.iter().zip(&disk).map(|(wait, disk)| wait - disk).collect());
    let (disk, wait) = (median(disk), median(waits));
    row("– p50 with one client; one fsync beside it", format!("{wait:.0}; {disk:.0} µs, so {beside:.0} µs more"));
}

/// Refreshes a second of one session, each with a transaction and a commit to itself.
fn one_by_one(site: &Site, refresh: &mut String) -> f64 {
    block_on(async {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < ROUND {
            let answer = site.grants.refresh(refresh, Device::default()).await.unwrap();
            *refresh = answer.refresh.unwrap();
            count += 1;
        }
        f64::from(count) / begun.elapsed().as_secs_f64()
    })
}

/// Microseconds that one client waits for a refresh, while there is no other: the median of 100.
fn wait(server: &Process, token: &mut String) -> f64 {
    block_on(async {
        let (mut client, mut waits) = (Client::connect(server.address).await, Vec::new());
        for _ in 0..100 {
            let request = refresh_request(token);
            let begun = Instant::now();
            let answer = client.ask(&request).await;
            waits.push(begun.elapsed().as_micros() as f64);
            *token = answer.text("refresh");
        }
        median(waits)
    })
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
