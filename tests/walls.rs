//! The walls of the house, proved on the dependency graph.

use std::process::Command;

fn reaches(package: &str, dependency: &str) -> bool {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-e", "normal", "-p", package, "--prefix", "none", "--format", "{p}"])
        .current_dir(strata_tests::repository())
        .output()
        .expect("cargo tree starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().any(|l| l.split(' ').next() == Some(dependency))
}

#[test]
fn each_crate_keeps_its_wall() {
    let rooms =
        ["model", "ingest", "citygen", "store", "engine", "tiles", "pipes", "scene", "render", "server"].map(|n| format!("strata-{n}"));
    // What must be known in one room only.
    for (dependency, may) in
        [("gdal", &["strata-ingest"][..]), ("proj", &["strata-ingest"]), ("rusqlite", &["strata-store", "strata-server"])]
    {
        for room in &rooms {
            // rusqlite and mmap reach the server through store and engine, which it stands upon.
            if !may.contains(&room.as_str()) {
                assert!(!reaches(room, dependency), "{room} knows {dependency}");
            }
        }
        assert!(reaches(may[0], dependency), "{} no longer uses {dependency}: the wall stands around nothing", may[0]);
    }
    // The twin runs in a browser: nothing of the record or the network may come near it.
    for dependency in ["strata-store", "strata-engine", "strata-server", "tokio", "gdal"] {
        assert!(!reaches("strata-render", dependency), "strata-render knows {dependency}");
    }
}

#[test]
fn one_sqlite_and_one_proj_live_in_the_process() {
    let binary = strata_tests::strata_binary();
    let out = Command::new("ldd").arg(&binary).output().expect("ldd starts");
    let libraries = String::from_utf8_lossy(&out.stdout).into_owned();
    let count = |name: &str| libraries.lines().filter(|l| l.trim_start().starts_with(name)).count();
    assert_eq!(count("libsqlite3.so"), 1, "{libraries}");
    assert_eq!(count("libproj.so"), 1, "{libraries}");
    let out = Command::new("nm").args(["-D", "--defined-only"]).arg(&binary).output().expect("nm starts");
    let exported = String::from_utf8_lossy(&out.stdout).lines().filter(|l| l.contains(" sqlite3_")).count();
    assert_eq!(exported, 0, "the program exports SQLite, so GDAL would run on it");
}
