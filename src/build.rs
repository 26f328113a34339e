//! Cargo does not notice a new migration or asset by itself: these lines make it look.
fn main() {
    for folder in ["migrations", "static", "templates"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
