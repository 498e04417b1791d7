//! The supervisor's report: how the pipes stand today, on paper. One document, three forms: JSON, HTML made for paper
//! (A4, heads repeated, room for signatures) and DOCX.
//!
//! Its numbers are those of process `supervision`, of the cases and of the alarms at one moment; places of secret things
//! are not in it. The hash at its foot is BLAKE3 of the JSON form without the hash, so that a copy can be held against it.

use crate::{
    Ask, CityState, Problem, Reply,
    alarm::shown,
    cases,
    pages::{CSP, escaped},
    processes::perform,
    reply::HTML,
};
use docx_rs::{
    AlignmentType, Docx, Footer, PageMargin, PageNum, Paragraph, Run, RunFonts, Shading, Table as DocxTable, TableCell, TableRow, WidthType,
};
use serde_json::{Map, Value, json};
use strata_engine::View;
use strata_model::Instant;

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
/// Rows of one table that paper carries; the JSON form says how many there are.
const ROWS: usize = 40;

/// One table of the report, in one language.
struct Table {
    title: String,
    note: String,
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// How many there are in all.
    total: usize,
}

struct Report {
    zh: bool,
    title: String,
    /// Label and value, under the title.
    facts: Vec<(String, String)>,
    tables: Vec<Table>,
    synthetic: bool,
    hash: String,
}

pub fn pipes(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let at = match ask.query.get("at") {
        None => state.now(),
        Some(t) => Instant::parse(t).map_err(|e| Problem::parameter("invalid-datetime", "at", e.to_string()))?,
    };
    let zh = match ask.query.get("lang") {
        None | Some("zh") => true,
        Some("en") => false,
        Some(_) => return Err(Problem::parameter("invalid-parameter", "lang", "zh or en is wanted")),
    };
    let form = ask.query.get("f").unwrap_or("html");
    if !matches!(form, "html" | "json" | "docx") {
        return Err(Problem::parameter("invalid-parameter", "f", "html, json or docx is wanted"));
    }
    let document = document(state, ask, at)?;
    let report = laid_out(&document, zh);
    Ok(match form {
        "json" => Reply::json(&document),
        "docx" => Reply::new(DOCX, docx(&report)?).header("content-disposition", "attachment; filename=\"pipes-report.docx\""),
        _ => Reply::new(HTML, html(&report)).header("content-security-policy", CSP),
    }
    .never_kept())
}

/// All that the report says, as data.
fn document(state: &CityState, ask: &Ask, at: Instant) -> Result<Value, Problem> {
    let snapshot = state.snapshot();
    let view = View { snapshot: &snapshot, base: &snapshot, scope: &ask.actor.scope, at };
    let mut inputs = Map::new();
    inputs.insert("limit".into(), 0.into());
    let supervision = perform(&strata_pipes::supervision::SUPERVISION, &view, inputs, None, &state.frame)?;
    let store = state.store();
    let overdue = cases::overdue(state, &store)?;
    let open: Vec<Value> = store.alarms(Some(true), None, 10_000)?.iter().map(|a| shown(state, a)).collect();
    drop(store);
    let brief = |a: &Value| {
        json!({ "id": a["id"], "rule": a["rule"], "grade": a["grade"], "title_zh": a["title_zh"], "title_en": a["title_en"],
                "datastream": a["datastream"], "since": a["since"], "confidence": a["confidence"], "state": a["state"] })
    };
    let of = |pick: fn(&str) -> bool| -> Vec<Value> { open.iter().filter(|a| a["rule"].as_str().is_some_and(pick)).map(brief).collect() };
    let mut out = json!({
        "title_zh": "地下管线综合监管报告", "title_en": "Supervision of underground pipes",
        "city": state.meta.name, "crs": state.meta.crs, "at": at, "made_at": state.now(), "version": snapshot.version(), "by": ask.actor.name,
        "supervision": supervision,
        "overdue_cases": overdue,
        "alarms": of(|r| !matches!(r, "silent" | "cover-open")),
        "silent_sensors": of(|r| r == "silent"),
        "open_covers": of(|r| r == "cover-open"),
    });
    out["hash_blake3"] = blake3::hash(out.to_string().as_bytes()).to_hex().as_str().into();
    Ok(out)
}

fn laid_out(d: &Value, zh: bool) -> Report {
    let w = |z: &str, e: &str| (if zh { z } else { e }).to_owned();
    let text = |v: &Value| match v {
        Value::Null => "—".to_owned(),
        Value::String(s) => s.clone(),
        v => v.to_string(),
    };
    let titled = |v: &Value| text(&v[if zh { "title_zh" } else { "title_en" }]);
    // To the minute, in the city's time.
    let time = |v: &Value| {
        let at = v.as_str().and_then(|t| Instant::parse(t).ok()).map(|t| Instant(t.0 + 8 * 3_600_000).to_string());
        at.map_or_else(|| text(v), |t| format!("{} {} (UTC+8)", &t[..10], t.get(11..16).unwrap_or("00:00")))
    };
    let km = |v: &Value| v.as_f64().map_or_else(|| "—".into(), |m| format!("{:.1}", m / 1000.0));
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let table = |title: String, note: String, headings: Vec<String>, all: &[Value], row: &dyn Fn(&Value) -> Vec<String>| Table {
        title,
        note,
        headings,
        rows: all.iter().take(ROWS).map(row).collect(),
        total: all.len(),
    };
    let s = &d["supervision"];
    let figures = list(&s["figures"]);
    let names: Vec<(String, String)> = figures.iter().map(|f| (text(&f["id"]), titled(f))).collect();
    let named = |r: &Value| text(r.get("title_en").filter(|_| !zh).unwrap_or(&r["value"]));
    let grouped = |title: String, note: String, first: String, all: &Value| {
        let mut headings = vec![first, w("管线数", "Pipes"), w("长度 km", "Length km")];
        headings.extend(names.iter().map(|n| n.1.clone()));
        table(title, note, headings, &list(all), &|r| {
            let mut row = vec![if r["value"].is_null() { w("未知", "not known") } else { named(r) }, text(&r["pipes"]), km(&r["length_m"])];
            row.extend(names.iter().map(|n| text(&r[&n.0])));
            row
        })
    };
    let alarm = |a: &Value| vec![text(&a["grade"]), titled(a), text(&a["datastream"]), time(&a["since"]), text(&a["confidence"])];
    let alarm_heads =
        || vec![w("级别", "Level"), w("报警", "Alarm"), w("数据流", "Datastream"), w("起始", "Since"), w("可信度", "Confidence")];
    let tables = vec![
        table(
            w("一、总体情况", "1. The whole"),
            format!("{} {} km, {} {}", w("管线总长", "Pipes in all:"), km(&s["length_m"]), text(&s["pipes"]), w("条", "of them")),
            vec![w("指标", "Figure"), w("管线数", "Pipes"), w("长度 km", "Length km"), w("依据", "Rule")],
            &figures,
            &|f| vec![titled(f), text(&f["count"]), km(&f["length_m"]), text(&f["rule"])],
        ),
        grouped(w("二、按权属单位", "2. By owner"), String::new(), w("权属单位", "Owner"), &s["by_owner"]),
        grouped(
            w("三、按行政区", "3. By district"),
            w(
                "行政区取距管线中点300 m内最近的有区名建筑",
                "District: that of the nearest building that names one, within 300 m of the pipe's middle",
            ),
            w("行政区", "District"),
            &s["by_district"],
        ),
        table(
            w("四、历年变化", "4. Through the years"),
            w("年末在册;末行为报告时刻", "At the end of each year; the last row is the moment of the report"),
            vec![w("年", "Year"), w("管线数", "Pipes"), w("长度 km", "Length km"), w("超设计年限", "Older than design life")],
            &list(&s["by_year"]),
            &|y| vec![text(&y["year"]), text(&y["pipes"]), km(&y["length_m"]), text(&y["over_age"])],
        ),
        table(
            w("五、逾期案件", "5. Overdue cases"),
            w("审批按工作日计,报警按分钟计", "Permits by working days, alarms by minutes"),
            vec![w("案件", "Case"), w("名称", "Title"), w("状态", "State"), w("应办结", "Due"), w("逾期", "Over")],
            &list(&d["overdue_cases"]),
            &|c| {
                let over = match (c["days_over"].as_i64(), c["minutes_over"].as_i64()) {
                    (Some(n), _) => format!("{n} {}", w("个工作日", "working days")),
                    (_, Some(n)) => format!("{} {} {} {}", n / 60, w("小时", "h"), n % 60, w("分", "min")),
                    _ => "—".to_owned(),
                };
                let due = if c["minutes_over"].is_null() { text(&c["due"]) } else { time(&c["due"]) };
                vec![text(&c["id"]), text(&c["title"]), titled(&c["state_title"]), due, over]
            },
        ),
        table(w("六、未结束报警", "6. Alarms not over"), String::new(), alarm_heads(), &list(&d["alarms"]), &alarm),
        table(w("七、静默设备", "7. Silent sensors"), String::new(), alarm_heads(), &list(&d["silent_sensors"]), &alarm),
        table(w("八、井盖开启", "8. Manholes uncovered"), String::new(), alarm_heads(), &list(&d["open_covers"]), &alarm),
    ];
    Report {
        zh,
        title: format!("{} · {}", text(&d["city"]), titled(d)),
        facts: vec![
            (w("数据时刻", "As of"), time(&d["at"])),
            (w("记录版本", "Record version"), text(&d["version"])),
            (w("坐标系", "System"), text(&d["crs"])),
            (w("编制时刻", "Made"), time(&d["made_at"])),
            (w("编制", "By"), text(&d["by"])),
        ],
        tables,
        synthetic: s["synthetic"] == true,
        hash: text(&d["hash_blake3"]),
    }
}

impl Report {
    fn word<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        if self.zh { zh } else { en }
    }
    fn more(&self, t: &Table) -> Option<String> {
        let more = t.total - t.rows.len();
        (more > 0)
            .then(|| if self.zh { format!("另有 {more} 行,见 JSON 形式") } else { format!("{more} more rows stand in the JSON form") })
    }
    fn signatures(&self) -> [&str; 3] {
        if self.zh { ["编制", "审核", "批准"] } else { ["Made", "Checked", "Approved"] }
    }
}

/// A figure is set to the right, its unit stands in the heading.
fn is_figure(cell: &str) -> bool {
    cell == "—" || cell.parse::<f64>().is_ok()
}

const STYLE: &str = "@page{size:A4;margin:18mm 16mm 20mm;@bottom-right{content:counter(page)' / 'counter(pages);font-size:9pt}}\
body{font:10.5pt/1.5 'Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif;color:#17202a;max-width:190mm;margin:0 auto;padding:8mm;font-variant-numeric:tabular-nums}\
@media print{body{padding:0;max-width:none}}h1{font-size:18pt;margin:0 0 2mm}h2{font-size:12pt;margin:7mm 0 2mm;break-after:avoid}\
dl{display:flex;flex-wrap:wrap;gap:1mm 6mm;margin:0 0 3mm;color:#44515e}dt{display:inline}dt::after{content:'\\00a0'}dd{display:inline;margin:0;color:#17202a}\
table{width:100%;border-collapse:collapse;font-size:9pt}thead{display:table-header-group}tr{break-inside:avoid}th,td{border:0.3pt solid #7a8794;padding:1mm 1.5mm;text-align:left;vertical-align:top}\
th{background:#edf0f3;font-weight:600}.n{text-align:right;white-space:nowrap}p{margin:1mm 0}.note{color:#44515e;font-size:9pt}.mark{border:1pt solid #6b3fb0;color:#6b3fb0;padding:0.5mm 2mm;display:inline-block;margin:0 0 3mm}\
.sign{display:flex;gap:10mm;margin-top:12mm;break-inside:avoid}.sign div{flex:1;border-top:0.5pt solid #17202a;padding-top:1mm}.hash{font:8pt monospace;overflow-wrap:anywhere;color:#44515e;margin-top:5mm}";

fn html(r: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{t}</title><style>{STYLE}</style></head><body>\n<h1>{t}</h1>\n",
        r.word("zh-CN", "en"),
        t = escaped(&r.title)
    );
    if r.synthetic {
        out += &format!("<p class=\"mark\">{}</p>\n", r.word("合成数据", "synthetic data"));
    }
    out += "<dl>";
    for (label, value) in &r.facts {
        out += &format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(label), escaped(value));
    }
    out += "</dl>\n";
    for t in &r.tables {
        out += &format!("<h2>{}</h2>\n", escaped(&t.title));
        if !t.note.is_empty() {
            out += &format!("<p class=\"note\">{}</p>\n", escaped(&t.note));
        }
        if t.rows.is_empty() {
            out += &format!("<p>{}</p>\n", r.word("无", "none"));
            continue;
        }
        out += "<table><thead><tr>";
        t.headings.iter().for_each(|h| out += &format!("<th scope=\"col\">{}</th>", escaped(h)));
        out += "</tr></thead><tbody>\n";
        for row in &t.rows {
            out += "<tr>";
            row.iter().for_each(|c| out += &format!("<td{}>{}</td>", if is_figure(c) { " class=\"n\"" } else { "" }, escaped(c)));
            out += "</tr>\n";
        }
        out += "</tbody></table>\n";
        if let Some(more) = r.more(t) {
            out += &format!("<p class=\"note\">{more}</p>\n");
        }
    }
    out += "<div class=\"sign\">";
    r.signatures().iter().for_each(|s| out += &format!("<div>{s}</div>"));
    out + &format!("</div>\n<p class=\"hash\">BLAKE3 {}</p>\n</body></html>\n", escaped(&r.hash))
}

fn docx(r: &Report) -> Result<Vec<u8>, Problem> {
    // Sizes in half points.
    let plain = |text: &str| Paragraph::new().add_run(Run::new().add_text(text));
    let heading = |text: &str, size: usize| Paragraph::new().keep_next(true).add_run(Run::new().add_text(text).size(size).bold());
    let fonts = RunFonts::new().ascii("Arial").hi_ansi("Arial").east_asia("Microsoft YaHei");
    let footer = Footer::new().add_paragraph(Paragraph::new().align(AlignmentType::Right).add_page_num(PageNum::new()));
    let mm = |n: i32| n * 57;
    let mut out = Docx::new()
        .default_fonts(fonts)
        .default_size(20)
        .page_size(11_906, 16_838)
        .page_margin(PageMargin::new().top(mm(18)).bottom(mm(20)).left(mm(16)).right(mm(16)))
        .footer(footer)
        .add_paragraph(heading(&r.title, 36));
    if r.synthetic {
        out = out.add_paragraph(Paragraph::new().add_run(Run::new().add_text(r.word("合成数据", "synthetic data")).color("6B3FB0").bold()));
    }
    for (label, value) in &r.facts {
        out = out.add_paragraph(plain(&format!("{label}: {value}")));
    }
    for t in &r.tables {
        out = out.add_paragraph(heading(&t.title, 24));
        if !t.note.is_empty() {
            out = out.add_paragraph(plain(&t.note));
        }
        if t.rows.is_empty() {
            out = out.add_paragraph(plain(r.word("无", "none")));
            continue;
        }
        let width = 10_000 / t.headings.len();
        let cell = |text: &str, head: bool| {
            let run = Run::new().add_text(text).size(17);
            let run = if head { run.bold() } else { run };
            let align = if !head && is_figure(text) { AlignmentType::Right } else { AlignmentType::Left };
            let cell = TableCell::new().width(width, WidthType::Dxa).add_paragraph(Paragraph::new().align(align).add_run(run));
            if head { cell.shading(Shading::new().fill("EDF0F3")) } else { cell }
        };
        let mut rows = vec![TableRow::new(t.headings.iter().map(|h| cell(h, true)).collect()).cant_split()];
        rows.extend(t.rows.iter().map(|r| TableRow::new(r.iter().map(|c| cell(c, false)).collect()).cant_split()));
        out = out.add_table(DocxTable::new(rows).set_grid(vec![width; t.headings.len()]));
        if let Some(more) = r.more(t) {
            out = out.add_paragraph(plain(&more));
        }
    }
    for s in r.signatures() {
        out = out.add_paragraph(plain(&format!("{s}: ____________________")));
    }
    out = out.add_paragraph(plain(&format!("BLAKE3 {}", r.hash)));
    let mut bytes = std::io::Cursor::new(Vec::new());
    out.pack(&mut bytes).map_err(Problem::internal)?;
    Ok(bytes.into_inner())
}
