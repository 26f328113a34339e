//! The command line's way in; everything else is in the library.

use std::process::ExitCode;

/// Unlike the system's, it gives memory back after a storm of sign-ins.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
