# The words that this repository understands. `make` alone lists them.

PROFILES = default rotation rotate_only sliding revoke audience header lifetimes throttle rs256 apikey main
DB ?= ../shared/advisory-db

.PHONY: help run test setup conformance browser lint catalogue bench audit clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## the server, in ./data
	cargo run

test: setup ## everything: unit, integration, crash and browser tests, the stories on PostgreSQL, then the conformance suite
	@tests/run.sh rust postgres conformance

setup: ## what the tests need beside Rust (Chromium, PostgreSQL, Redis, Python, Node); only what is missing
	@tests/setup.sh

conformance: setup ## the wire contract alone; PROFILES="default rotation" chooses
	@PROFILES="$(PROFILES)" tests/run.sh conformance

browser: setup ## the panel in headless Chromium alone; its pictures are in target/browser
	@tests/run.sh browser

lint: ## formatting, clippy and documentation, with warnings as errors
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --no-deps --document-private-items

catalogue: ## what the panel says, gathered from the source into src/language/en.toml
	WRITE_CATALOGUE=1 cargo test --test it catalogue::

bench: ## the figures of benches/README.md (release build)
	cargo bench

audit: ## known faults in our dependencies, by the advisory database in DB
	@command -v cargo-audit >/dev/null || cargo install cargo-audit --locked
	cargo audit --no-fetch --stale --db $(DB)

clean: ## what was built, and what the tests brought
	cargo clean
	rm -rf tests/.venv tests/.tools
