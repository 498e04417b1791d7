//! Tables of surveyed pipes.

use super::*;

fn survey_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("JSPOINT.csv", JS_POINTS), ("JSLINE.csv", JS_LINES), ("WSPOINT.csv", WS_POINTS), ("WSLINE.csv", WS_LINES)] {
        write(folder.path(), name, text);
    }
    folder
}

#[test]
fn survey_tables_give_the_axis_by_their_depth_convention() {
    let folder = survey_folder();
    let (sink, report) = good(folder.path(), &options("EPSG:4551+5737"));
    assert_eq!((report.layers["pipes"], report.layers["pipe_points"], report.refused), (3, 5, 0), "{:?}", report.refused_shown);
    let (layer, pipes) = get(&sink, "pipes");
    // Water: the depth goes to the outer top. 215.300 − 1.80 − 0.300 / 2.
    let js = find(pipes, "JS1-JS2");
    assert_eq!(line(js)[0][..2], [443_700.0, 4_862_000.0], "X is the northing");
    assert!((line(js)[0][2] - 213.35).abs() < 1e-9 && (line(js)[1][2] - (215.1 - 1.7 - 0.15)).abs() < 1e-9, "{:?}", line(js));
    assert_eq!(
        (js.text(layer, "class"), js.text(layer, "material"), js.text(layer, "embed")),
        (Some("JS"), Some("球墨铸铁"), Some("直埋"))
    );
    assert_eq!(
        (js.number(layer, "od_mm"), js.number(layer, "start_depth_m"), js.number(layer, "start_surveyed_m")),
        (Some(300.0), Some(1.8), Some(213.5))
    );
    assert_eq!((js.valid.from, js.number(layer, "year_built")), (Instant::from_ymd(2012, 1, 1), Some(2012.0)));
    assert_eq!(find(pipes, "JS2-JS3").valid.from, Instant::from_ymd(2015, 6, 1));
    // Sewage in a trench 400 wide, 300 high: the depth goes to the invert. 215.300 − 3.00 + 0.300 / 2.
    let ws = find(pipes, "WS1-WS2");
    assert!((line(ws)[0][2] - 212.45).abs() < 1e-9, "{:?}", line(ws));
    assert_eq!((ws.text(layer, "class"), ws.text(layer, "subclass"), ws.text(layer, "shape")), (Some("PS"), Some("WS"), Some("rect")));
    assert!((ws.number(layer, "start_invert_m").expect("a drain has one") - 212.3).abs() < 1e-9);
    assert_eq!(
        (ws.number(layer, "width_mm"), ws.number(layer, "height_mm"), ws.number(layer, "flow_dir")),
        (Some(400.0), Some(300.0), Some(0.0))
    );
    let (layer, points) = get(&sink, "pipe_points");
    let well = find(points, "WS1");
    assert_eq!(well.geometry, Geometry::Point([443_710.0, 4_862_000.0, 215.3]));
    assert_eq!(
        (well.text(layer, "kind"), well.number(layer, "well_depth_m"), well.number(layer, "diameter_m")),
        (Some("well"), Some(3.2), Some(0.7))
    );
    assert!((well.number(layer, "axis_m").expect("of its pipe") - 212.45).abs() < 1e-9);
    assert_eq!((find(points, "JS2").text(layer, "kind"), find(points, "JS3").text(layer, "kind")), (Some("tee"), Some("hydrant")));
}

#[test]
fn the_same_survey_in_gbk_and_in_a_zip_is_the_same() {
    let folder = survey_folder();
    let (sink, _) = good(folder.path(), &options("EPSG:4551"));
    let other = tempfile::tempdir().expect("a folder");
    let path = other.path().join("成果.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).expect("created"));
    for (name, text) in [("JSPOINT.csv", JS_POINTS), ("JSLINE.csv", JS_LINES), ("WSPOINT.csv", WS_POINTS), ("WSLINE.csv", WS_LINES)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
        zip.write_all(&encoding_rs::GBK.encode(text).0).expect("written");
    }
    zip.finish().expect("closed");
    let (zipped, report) = good(&path, &options("EPSG:4551"));
    for layer in ["pipes", "pipe_points"] {
        assert_eq!(get(&sink, layer).1, get(&zipped, layer).1, "{layer}");
    }
    assert!(report.notes.iter().any(|n| n.contains("GB18030")));
}

#[test]
fn zone_numbers_come_off_and_wrong_zones_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let points = JS_POINTS.replace(",443", ",42443");
    write(folder.path(), "JSPOINT.csv", &points);
    write(folder.path(), "JSLINE.csv", JS_LINES);
    let (sink, report) = good(folder.path(), &options("EPSG:4551"));
    assert_eq!(find(get(&sink, "pipe_points").1, "JS1").geometry, Geometry::Point([443_700.0, 4_862_000.0, 215.3]));
    assert!(report.notes.iter().any(|n| n.contains("zone number")), "{:?}", report.notes);
    write(folder.path(), "JSPOINT.csv", &JS_POINTS.replace(",443", ",41443"));
    let (_, _, report) = run(folder.path(), &options("EPSG:4551"));
    assert_eq!((report.taken, report.refused), (0, 5));
    assert!(report.refused_shown.iter().take(3).all(|r| r.code == "outside-zone"));
    // X and Y the other way round, the classic.
    write(folder.path(), "JSPOINT.csv", &JS_POINTS.replace("X,Y", "Y,X"));
    assert!(run(folder.path(), &options("EPSG:4551")).2.refused_shown.iter().take(3).all(|r| r.code == "outside-zone"));
}

#[test]
fn faults_are_named_by_table_and_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut points = JS_POINTS.to_owned();
    points.push_str("JS3,4862090.0,443790.0,215,,阀门,,,0\nJS4,abc,443790.0,215,,阀门,,,0\nJS5,NaN,443790.0,215,,阀门,,,0\nJS6,4862090.0,443790.0,215,,阀门,,,扔了\nJS7,4862090.0,443790.0,,,阀门,,,0\n");
    let mut lines = JS_LINES.to_owned();
    lines.push_str(
        "JS1,JS9,1,1,300,PE,直埋,2012,,,0\nJS1,JS1,1,1,300,PE,直埋,2012,,,0\nJS1,JS3,x,1,300,PE,直埋,2012,,,0\nJS1,JS3,1,1,0,PE,直埋,2012,,,0\n\
         JS1,JS3,1,1,300,奶酪,直埋,2012,,,0\nJS2,JS1,1,1,300,PE,直埋,2012,,,0\nJS1,JS3,1,1,,PE,直埋,2012,,,0\nJS1,JS4,1,1,300,PE,直埋,2012,,,0\nJS1,JS3,1,1,300,PE,直埋,很久以前,,,0\n",
    );
    write(folder.path(), "JSPOINT.csv", &points);
    write(folder.path(), "JSLINE.csv", &lines);
    let (_, _, report) = run(folder.path(), &options("EPSG:4551"));
    let met: Vec<(&str, &str)> = report.refused_shown.iter().map(|r| (r.place.as_str(), r.code.as_str())).collect();
    let wanted = [
        ("JSPOINT row 5", "duplicate-id"),
        ("JSPOINT row 6", "not-a-number"),
        ("JSPOINT row 7", "not-a-number"),
        ("JSPOINT row 8", "unknown-code"),
        ("JSPOINT row 9", "missing-value"),
        ("JSLINE row 4", "missing-point"),
        ("JSLINE row 5", "same-ends"),
        ("JSLINE row 6", "not-a-number"),
        ("JSLINE row 7", "invalid-diameter"),
        ("JSLINE row 8", "unknown-code"),
        ("JSLINE row 9", "duplicate-line"),
        ("JSLINE row 10", "missing-value"),
        ("JSLINE row 11", "missing-point"),
        ("JSLINE row 12", "not-a-date"),
    ];
    assert_eq!(met, wanted);
    assert_eq!(report.taken, 3 + 2);
}

#[test]
fn one_table_for_points_and_connections_with_a_class_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "长春市管线点成果表\n管线点预编号,连接点号,管线类别,特征,附属物,X,Y,地面高程,管顶高程,管底高程,断面,材质,埋设方式,电压\n\
        1,2,电力,,人孔,4862000,443700,215.3,214.5,,100,铜,管埋,10kV\n\
        2,1,电力,转折点,,4862030,443740,215.1,214.3,,100,铜,管埋,10kV\n\
        2,3,电力,转折点,,4862030,443740,215.1,214.2,,100,铜,管埋,10kV\n\
        3,2,电力,,人孔,4862060,443780,215.0,214.1,,100,铜,管埋,10kV\n";
    let (sink, report) = good(&write(folder.path(), "管线点.csv", text), &options("EPSG:4551"));
    assert_eq!((report.layers["pipe_points"], report.layers["pipes"], report.refused), (3, 2, 0), "{:?}", report.refused_shown);
    let (layer, pipes) = get(&sink, "pipes");
    let f = find(pipes, "1-2");
    assert!((line(f)[0][2] - 214.45).abs() < 1e-9 && (line(f)[1][2] - 214.25).abs() < 1e-9, "{:?}", line(f));
    assert_eq!((f.text(layer, "class"), f.number(layer, "voltage_kv"), f.text(layer, "embed")), (Some("DL"), Some(10.0), Some("管埋")));
}

#[test]
fn the_crafted_tables_are_judged() {
    let Some(folder) = data("broken/crafted") else { return };
    let (_, _, gbk) = run(&folder.join("csv_gbk.csv"), &options("EPSG:4551"));
    assert_eq!((gbk.taken, gbk.refused), (2, 0), "{:?}", gbk.refused_shown);
    let (_, sink, formula) = run(&folder.join("csv_formula_injection.csv"), &options("EPSG:4551"));
    let codes: Vec<&str> = formula.refused_shown.iter().map(|r| r.code.as_str()).collect();
    assert_eq!((formula.taken, codes), (1, vec!["missing-value", "duplicate-id", "not-a-number"]));
    assert_eq!(sink.count(), 1);
}

/// The smallest workbook: one sheet for each table, every cell an inline text or a number.
fn workbook(path: &Path, sheets: &[(&str, &str)]) {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("created"));
    let mut add = |name: &str, text: &str| {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
        zip.write_all(text.as_bytes()).expect("written");
    };
    let list = |f: &dyn Fn(usize, &str) -> String| sheets.iter().enumerate().map(|(i, (n, _))| f(i + 1, n)).collect::<String>();
    let types = list(&|i, _| {
        let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml";
        format!(r#"<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{kind}"/>"#)
    });
    add(
        "[Content_Types].xml",
        &format!(
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>{types}</Types>"#
        ),
    );
    add(
        "_rels/.rels",
        &format!(
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
        ),
    );
    let books = list(&|i, n| format!(r#"<sheet name="{n}" sheetId="{i}" r:id="rId{i}"/>"#));
    add("xl/workbook.xml", &format!(r#"<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{books}</sheets></workbook>"#));
    let rels = list(&|i, _| format!(r#"<Relationship Id="rId{i}" Type="{rel}/worksheet" Target="worksheets/sheet{i}.xml"/>"#));
    add(
        "xl/_rels/workbook.xml.rels",
        &format!(r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rels}</Relationships>"#),
    );
    for (i, (_, table)) in sheets.iter().enumerate() {
        let mut rows = String::new();
        for (r, row) in table.lines().enumerate() {
            let cell = |(c, v): (usize, &str)| {
                let at = format!("{}{}", char::from(b'A' + c as u8), r + 1);
                match v.parse::<f64>() {
                    Ok(n) => format!(r#"<c r="{at}"><v>{n}</v></c>"#),
                    Err(_) => format!(r#"<c r="{at}" t="inlineStr"><is><t>{v}</t></is></c>"#),
                }
            };
            let cells: String = row.split(',').enumerate().filter(|(_, v)| !v.is_empty()).map(cell).collect();
            rows.push_str(&format!(r#"<row r="{}">{cells}</row>"#, r + 1));
        }
        add(
            &format!("xl/worksheets/sheet{}.xml", i + 1),
            &format!(r#"<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>"#),
        );
    }
    zip.finish().expect("closed");
}

#[test]
fn a_workbook_with_a_sheet_for_each_table() {
    let folder = survey_folder();
    let (sink, _) = good(folder.path(), &options("EPSG:4551"));
    let other = tempfile::tempdir().expect("a folder");
    let path = other.path().join("成果表.xlsx");
    workbook(
        &path,
        &[("JSPOINT", JS_POINTS), ("JSLINE", JS_LINES), ("WSPOINT", WS_POINTS), ("WSLINE", WS_LINES), ("说明", "本表由测绘院提供")],
    );
    let (book, report) = good(&path, &options("EPSG:4551"));
    for layer in ["pipes", "pipe_points"] {
        let sort = |c: &Collected| {
            let mut f = get(c, layer).1.to_vec();
            f.sort_by(|a, b| a.id.cmp(&b.id));
            f
        };
        assert_eq!(sort(&sink), sort(&book), "{layer}");
    }
    assert!(report.notes.iter().any(|n| n.contains("说明")), "{:?}", report.notes);
    let places = other.path().join("places.xlsx");
    workbook(&places, &[("places", "name,lon,lat\n人民广场,125.3245,43.8868\n")]);
    assert_eq!(good(&places, &from("EPSG:4551", "EPSG:4490")).1.layers["places"], 1);
}
