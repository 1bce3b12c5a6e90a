//! What compilers and linkers say of the header and the library: it stands alone in every standard, and exports exactly
//! what it declares.
#![allow(clippy::print_stderr)] // names what could not be looked at

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "header/text.rs"]
#[allow(dead_code)] // used in part
mod text;

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../include")
}

/// The first of the programs that is installed.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("not looked at: {program} is not installed");
    }
    found
}

/// Whether a file that only includes the header compiles, and has nothing to warn of.
fn compiles(compiler: &str, language: &str, standard: &str, program: &str) {
    let mut child = Command::new(compiler)
        .args([
            "-x",
            language,
            &format!("-std={standard}"),
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Wconversion",
            "-Werror",
            "-fsyntax-only",
        ])
        .arg(format!("-I{}", include().display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiler starts");
    child.stdin.take().expect("its input").write_all(program.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{compiler} -std={standard}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every _INIT macro begins its struct, in C and in C++.
const USES: &str = "#include <memoom.h>
#include <memoom.h>
int main(void) {
    memoom_lab_options lab = MEMOOM_LAB_OPTIONS_INIT;
    memoom_group_options group = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_hog_options hog = MEMOOM_HOG_OPTIONS_INIT;
    memoom_command_options command = MEMOOM_COMMAND_OPTIONS_INIT;
    memoom_function_options function = MEMOOM_FUNCTION_OPTIONS_INIT;
    memoom_run_options run = MEMOOM_RUN_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    return (int)(lab.struct_size + group.struct_size + hog.struct_size + command.struct_size + function.struct_size +
                 run.struct_size + grow.struct_size + counters.struct_size);
}
";

/// What memoom.hpp has, used as its readers use it: its own head, and all of the example, which tests/c/run.sh runs.
const WRAPPED: &str = concat!(include_str!("../../examples/cpp/quickstart.cc"), "\n#include <memoom.hpp>\n");

#[test]
fn the_header_stands_alone_in_every_standard() {
    for (compilers, language, standards) in [
        (["gcc", "clang"], "c", &["c99", "c11", "c17", "c2x"][..]),
        (["g++", "clang++"], "c++", &["c++11", "c++14", "c++17", "c++20", "c++2b"][..]),
    ] {
        for compiler in compilers.into_iter().filter(|compiler| installed(compiler)) {
            for &standard in standards {
                compiles(compiler, language, standard, "#include <memoom.h>\n");
                compiles(compiler, language, standard, USES);
                // The adapters that need no framework.
                for adapter in ["expect", "adapter", "kselftest"] {
                    compiles(compiler, language, standard, &format!("#include <memoom/{adapter}.h>\n"));
                }
                if language == "c++" {
                    compiles(compiler, language, standard, WRAPPED);
                }
            }
        }
    }
}

/// The library that cargo has built for this very test run.
fn library() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    own.with_file_name("libmemoom_capi.so")
}

#[test]
fn the_library_exports_what_the_header_declares() {
    if !installed("nm") {
        return;
    }
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().expect("nm");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("UTF-8");
    let exported: BTreeSet<&str> = listed.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    let header = std::fs::read_to_string(include().join("memoom.h")).expect("the header");
    let functions = text::functions(&header);
    let declared: BTreeSet<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(exported, declared);
    assert!(declared.len() > 150 && declared.iter().all(|name| name.starts_with("memoom_")));
}

#[test]
fn the_library_has_its_soname() {
    if !installed("readelf") {
        return;
    }
    let output = Command::new("readelf").arg("-d").arg(library()).output().expect("readelf");
    assert!(String::from_utf8_lossy(&output.stdout).contains("[libmemoom.so.0]"));
}

#[test]
fn the_versions_of_the_header_are_those_of_the_library() {
    let header = std::fs::read_to_string(include().join("memoom.h")).expect("the header");
    assert!(header.contains(&format!("#define MEMOOM_VERSION_STRING \"{}\"", env!("CARGO_PKG_VERSION"))));
}
