//! The figures of README.md beside this file. `cargo bench` (or `make bench`) makes all of them, `cargo bench -- http` those
//! of one file; `cargo bench -- seed FOLDER [URL]` makes the database of the last of them, to look at.
//!
//! No framework: what is wanted are medians, and ratios of what was measured in turns (A B A B …), since the machine that
//! runs this has other work too. CPU time per request is the steadiest figure; it is read from the kernel's own account of
//! a server that runs as a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod bulk;
mod http;
mod panel;
mod revocations;
mod sockets;
mod support;
mod sweeper;
mod token;
mod writer;

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo adds flags of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--bench")).collect();
    if wanted.first().is_some_and(|word| word == support::BARE) {
        return support::serve_bare();
    }
    if wanted.first().is_some_and(|word| word == sockets::BARE_SOCKETS) {
        return sockets::serve_bare();
    }
    if wanted.first().is_some_and(|word| word == "seed") {
        return panel::seed_one(wanted.get(1).expect("a folder for the server's files"), wanted.get(2).cloned());
    }
    let benches: [(&str, fn()); 8] = [
        ("token", token::run),
        ("revocations", revocations::run),
        ("writer", writer::run),
        ("sweeper", sweeper::run),
        ("http", http::run),
        ("sockets", sockets::run),
        ("panel", panel::run),
        ("bulk", bulk::run),
    ];
    for (name, run) in benches {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("\n{name}");
            run();
        }
    }
}
