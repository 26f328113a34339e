//! The command line's way in; everything else is in the library.

fn main() {}
