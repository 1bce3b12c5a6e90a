//! Builds the embedded helper (core/helper) into a small static program that the library carries.
//!
//! It is compiled by the same rustc as the crate, called directly: a freestanding program needs other flags than
//! the crate, and cargo has no stable way to build one program into another.
use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=helper");
    println!("cargo:rerun-if-changed=src/helper/wire.rs");
    println!("cargo:rerun-if-changed=src/helper/wire");
    println!("cargo:rerun-if-changed=src/helper/mailbox.rs");
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let output = Path::new(&variable("OUT_DIR")).join("memoom-helper");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--crate-name", "memoom_helper", "--crate-type", "bin", "--edition", "2021", "helper/main.rs"]);
    rustc.arg("--target").arg(variable("TARGET"));
    // Small; nothing unwinds; addresses fixed, so there is nothing to relocate before the first instruction.
    for flag in ["opt-level=s", "panic=abort", "codegen-units=1", "lto=fat", "relocation-model=static", "strip=symbols"]
    {
        rustc.args(["-C", flag]);
    }
    // No checks that the crate's own debug build would ask for: a worker's size must not depend on the profile.
    for flag in ["debug-assertions=off", "overflow-checks=off", "force-unwind-tables=no"] {
        rustc.args(["-C", flag]);
    }
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        // Otherwise rustc would add musl's own start files.
        rustc.args(["-C", "link-self-contained=no"]);
    }
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,norelro",
        "-Wl,--no-eh-frame-hdr",
    ] {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    // As the manifest's directory is the current one, but the linker's need not be.
    let layout = Path::new(&variable("CARGO_MANIFEST_DIR")).join("helper/layout.ld");
    rustc.arg("-C").arg(format!("link-arg=-Wl,-T,{}", layout.display()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    rustc.arg("-o").arg(&output);
    // The flags of the crate are not those of the helper: a sanitizer or coverage needs a runtime it has not.
    rustc.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    match rustc.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("building the embedded helper failed ({status}): {rustc:?}"),
        Err(error) => panic!("cannot run {rustc:?}: {error}"),
    }
}
