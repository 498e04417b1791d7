//! The examples of the documentation, run as they stand against the demo city.

use std::{fs, path::Path, process::Command};
use strata_tests::{Server, district, repository, scratch};

/// The `sh` blocks of a page that talk over HTTP, in order.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("docs").join(page)).expect("a page");
    let all = text.split("```sh\n").skip(1).filter_map(|b| b.split_once("```").map(|b| b.0.to_owned()));
    let over_http = ["curl", "ask ", "get ", "post ", "run "];
    all.filter(|b| over_http.iter().any(|w| b.contains(w))).collect()
}

fn run(page: &str, at_least: usize, s: &Server, dir: &Path) -> String {
    let blocks = blocks(page);
    assert!(blocks.len() >= at_least, "{page}: {} blocks", blocks.len());
    let script = format!("set -euo pipefail\n{}", blocks.join("\n"));
    let out =
        Command::new("bash").args(["-c", &script]).env("URL", &s.url).env("T", &s.token).current_dir(dir).output().expect("bash starts");
    let (said, wrong) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{page}: {}\n{said}\n{wrong}", out.status);
    said
}

#[test]
fn the_pages_examples_do_what_they_say() {
    let dir = scratch("curl");
    // Permits and observations are written: the city is this test's own.
    let copied = Command::new("cp").arg("-a").arg(district()).arg(dir.join("city")).status().expect("cp starts");
    assert!(copied.success());
    let s = Server::start(&dir.join("city"));
    let said = run("pipes.md", 9, &s, &dir);
    assert!(!said.lines().any(|l| l == "null"), "an example shows nothing: {said}");
    assert!(said.contains("\"state\": \"submitted\"") && said.contains("EPANET"), "{said}");
    // Both papers carry the figures that the process gives.
    let figures = s.post("/ogc/processes/supervision/execution", &serde_json::json!({ "inputs": { "limit": 0 } }));
    let html = fs::read_to_string(dir.join("report.html")).expect("the page");
    let read = "import sys,zipfile,xml.etree.ElementTree as E; w='{http://schemas.openxmlformats.org/wordprocessingml/2006/main}'\n\
        for r in E.fromstring(zipfile.ZipFile(sys.argv[1]).read('word/document.xml')).iter(w+'tr'):\n \
        print('|'.join(''.join(t.text or '' for t in c.iter(w+'t')) for c in r.iter(w+'tc')))";
    let word = Command::new("python3").args(["-c", read]).arg(dir.join("report.docx")).output().expect("python3 starts");
    let word = String::from_utf8_lossy(&word.stdout).into_owned();
    for f in figures["figures"].as_array().expect("figures") {
        let km = format!("{:.1}", f["length_m"].as_f64().expect("a length") / 1000.0);
        let (zh, en) = (f["title_zh"].as_str().expect("a title"), f["title_en"].as_str().expect("a title"));
        assert!(html.contains(&format!("<td>{zh}</td><td class=\"n\">{}</td><td class=\"n\">{km}</td>", f["count"])), "{zh}: {html}");
        assert!(word.contains(&format!("{en}|{}|{km}|", f["count"])), "{en}: {word}");
    }
    let said = run("live.md", 2, &s, &dir);
    assert!(said.contains("\"rule\": \"cover-open\"") && said.ends_with("\"acknowledged\"\n\"dispatched\"\n"), "{said}");
}
