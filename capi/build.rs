//! Gives the shared library its soname: programs that link it keep working until an incompatible libmemoom.so.1.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // cargo-c sets a soname of its own, and two of them contradict each other.
    if std::env::var_os("CARGO_CFG_CARGO_C").is_none() {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmemoom.so.0");
    }
}
