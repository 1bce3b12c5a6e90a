//! Builds the embedded helper (core/helper) into a small static program that the library carries.
fn main() {}
