//! A delivery as it lies in its files, nothing refused: for the quality checks, which want to see what an import would
//! not take.

use super::{
    points::without_zone,
    sheet::{Role as SheetRole, Sheet, TITLES},
    tables::{self, Table as RawTable},
};
use crate::{IngestError, place::Place};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};
use strata_model::{
    Crs,
    codes::{codes, number},
    survey::{Delivery, FileFault, Role, Row, Table},
};

/// Reads a file, folder or zip of point and line tables (CSV, XLSX). `crs` is that of X and Y, else the city's own
/// `working` system; plan places of points come in the working frame. `Err` is for what cannot be opened at all; a table
/// without a heading, mixed encodings and merged cells stand among the delivery's faults.
pub fn read_delivery(path: &Path, crs: Option<&Crs>, working: &Crs) -> Result<Delivery, IngestError> {
    crate::sniff::check_path(path)?;
    let crs = crs.unwrap_or(working);
    let place = Place::from_crs(crs, working, path)?;
    let (raw, _) = tables::tables(path)?;
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut out = Delivery { name, crs: Some(crs.clone()), ..Delivery::default() };
    for table in &raw {
        match Sheet::of(table) {
            Some(sheet) => {
                let title = sheet.heading;
                for f in table.faults.iter().filter(|f| f.rule != "merged-cells" || f.row > title) {
                    let row = Some(f.row).filter(|r| *r > 0);
                    out.faults.push(FileFault { table: table.name.clone(), row, rule: f.rule.into(), reason: f.reason.clone() });
                }
                out.tables.extend(split(&sheet, &place, crs));
            }
            // What cannot be read has no heading either.
            None => match table.faults.iter().find(|f| f.rule == "encoding") {
                Some(f) if codes().class_of_table(&table.name).is_some() => {
                    let row = Some(f.row).filter(|r| *r > 0);
                    out.faults.push(FileFault { table: table.name.clone(), row, rule: f.rule.into(), reason: f.reason.clone() });
                }
                _ => out.faults.extend(no_heading(table)),
            },
        }
    }
    if raw.is_empty() {
        out.faults.push(FileFault {
            table: out.name.clone(),
            row: None,
            rule: "empty-table".into(),
            reason: "there is no table in it".into(),
        });
    }
    Ok(out)
}

/// A table whose name or whose lower rows say that it was meant as points or lines; any other file is nobody's business.
fn no_heading(table: &RawTable) -> Option<FileFault> {
    let below = Sheet::anywhere(table).map(|s| s.heading + 1);
    let meant = below.is_some() || codes().class_of_table(&table.name).is_some();
    let reason = match (below, table.rows.iter().flatten().any(|c| !c.is_empty())) {
        (Some(row), _) => format!("the heading stands in row {row}; it is looked for in the first {TITLES}"),
        (None, true) => format!("none of the first {TITLES} rows is the heading of points or of lines"),
        (None, false) => "the table is empty".into(),
    };
    let rule = if table.rows.is_empty() { "empty-table" } else { "heading" };
    meant.then(|| FileFault { table: table.name.clone(), row: below, rule: rule.into(), reason })
}

fn split(sheet: &Sheet<'_>, place: &Place, crs: &Crs) -> Vec<Table> {
    let raw = sheet.table;
    let rows: Vec<Row> = sheet.rows().map(|r| Row { number: r.number, cells: r.cells.to_vec(), at: None }).collect();
    let table = |role, rows, combined| Table {
        name: raw.name.clone(),
        role,
        heading_row: sheet.heading + 1,
        headings: raw.rows.get(sheet.heading).cloned().unwrap_or_default(),
        rows,
        combined,
    };
    let column = |field: &str| sheet.columns.get(field).copied();
    match sheet.role {
        SheetRole::Lines => vec![table(Role::Lines, rows, false)],
        SheetRole::Points => vec![table(Role::Points, placed(rows, &column, place, crs), false)],
        SheetRole::Both => {
            // A point comes back for each of its connections, and a connection at both of its ends.
            let mut known: HashMap<&str, (Option<&str>, Option<&str>)> = HashMap::new();
            let mut pairs: HashSet<(&str, &str)> = HashSet::new();
            let (mut points, mut lines) = (Vec::new(), Vec::new());
            for r in &rows {
                let (id, end) = (r.text(column("id")), r.text(column("end")));
                let at = (r.text(column("north")), r.text(column("east")));
                let again = id.is_some_and(|id| known.get(id).is_some_and(|first| at == (None, None) || *first == at));
                if !again {
                    id.and_then(|id| known.insert(id, at));
                    points.push(r.clone());
                }
                if let (Some(a), Some(b)) = (id, end)
                    && pairs.insert(if a < b { (a, b) } else { (b, a) })
                {
                    lines.push(r.clone());
                }
            }
            vec![table(Role::Points, placed(points, &column, place, crs), false), table(Role::Lines, lines, true)]
        }
    }
}

/// Puts the place in the working frame beside each row whose X and Y are numbers.
fn placed(mut rows: Vec<Row>, column: &dyn Fn(&str) -> Option<usize>, place: &Place, crs: &Crs) -> Vec<Row> {
    for r in &mut rows {
        let of = |field: &str| r.text(column(field)).and_then(number);
        if let (Some(north), Some(Ok((east, _)))) = (of("north"), of("east").map(|e| without_zone(e, crs))) {
            let mut at = [[east, north, 0.0]];
            place.points(&mut at);
            r.at = Some([at[0][0], at[0][1]]).filter(|p| p.iter().all(|v| v.is_finite()));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::PathBuf};

    const POINTS: &str = "图上点号,物探点号,X,Y,地面高程,特征,附属物,要素代码\n";

    fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("strata-delivery-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a folder");
        files.iter().for_each(|(n, bytes)| fs::write(dir.join(n), bytes).expect("written"));
        dir
    }
    fn read(dir: &Path) -> Delivery {
        read_delivery(dir, None, &Crs::CHANGCHUN).expect("readable")
    }

    #[test]
    fn rows_come_with_their_number_and_place() {
        let text = format!(
            "某测区管点表,,,,,,,\n{POINTS}J1,JS1,4862949.462,443761.395,215.2,三通,,51042102\n\nJ2,JS2,4862949.462,42443761.395,abc,,,\n"
        );
        let d = read(&folder("rows", &[("JSPOINT.csv", text.as_bytes()), ("README.md", b"x"), ("other.csv", b"a,b\n1,2\n")]));
        assert_eq!((d.tables.len(), d.faults.len()), (1, 0), "{:?}", d.faults);
        let t = &d.tables[0];
        assert_eq!((t.role, t.heading_row, t.rows.len()), (Role::Points, 2, 2));
        assert_eq!((t.rows[0].number, t.rows[1].number), (3, 5));
        // A zone number in front is taken off; a cell that is no number is kept as it is.
        let at = t.rows[1].at.expect("a place");
        assert!((at[0] - 443_761.395).abs() < 1e-6 && at[1] == 4_862_949.462, "{at:?}");
        assert_eq!(t.rows[1].text(t.column("ground")), Some("abc"));
    }

    #[test]
    fn faults_of_files_are_told_with_table_and_row() {
        let gbk = |t: &str| encoding_rs::GBK.encode(t).0.into_owned();
        let mixed = [POINTS.as_bytes(), &gbk("J1,JS1,1,2,3,三通,,\n")].concat();
        let low = format!("{}{POINTS}J1,JS1,1,2,3,三通,,\n", "说明\n".repeat(12));
        let d = read(&folder(
            "faults",
            &[("JSPOINT.csv", &mixed), ("RQPOINT.csv", low.as_bytes()), ("WSLINE.csv", b""), ("YSPOINT.csv", "甲,乙\n1,2\n".as_bytes())],
        ));
        let told: Vec<(&str, Option<usize>, &str)> = d.faults.iter().map(|f| (f.table.as_str(), f.row, f.rule.as_str())).collect();
        assert_eq!(
            told,
            [
                ("JSPOINT", Some(2), "encoding"),
                ("RQPOINT", Some(13), "heading"),
                ("WSLINE", None, "empty-table"),
                ("YSPOINT", None, "heading")
            ]
        );
    }

    #[test]
    fn a_combined_table_is_points_and_lines() {
        let text = "物探点号,连接点号,X,Y,地面高程,特征,附属物,管顶高程,管径,材质\nJS1,JS2,4862949.4,443761.3,215,弯头,,213,300,钢\nJS2,JS1,4862949.4,443791.3,215,,阀门,213,300,钢\nJS2,JS3,4862949.4,443791.3,215,,阀门,213,300,钢\nJS3,,4862949.4,443821.3,215,盖堵,,213,,\n";
        let d = read(&folder("combined", &[("JS.csv", text.as_bytes())]));
        let sizes: Vec<(Role, usize)> = d.tables.iter().map(|t| (t.role, t.rows.len())).collect();
        assert_eq!(sizes, [(Role::Points, 3), (Role::Lines, 2)]);
    }
}
