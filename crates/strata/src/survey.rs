//! `strata gen survey`: the pipes of the synthetic district as the files that a surveyor delivers.

use crate::Failure;
use clap::{Args, ValueEnum};
use rust_xlsxwriter::{Format, Workbook};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use strata_citygen::{
    District,
    survey::{Underground, delivery},
};
use strata_ingest::{ImportOptions, Reader, Report, Sink};
use strata_model::{
    Bounds2, Feature, Instant, Layer, LayerId, WorkingFrame, codes,
    survey::{Delivery, Table},
};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    /// One sheet of 500 × 500 m.
    Sheet,
    /// The whole district.
    District,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    /// One file for each table.
    Csv,
    /// One workbook with a sheet for each table.
    Xlsx,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encoding {
    #[value(name = "utf-8")]
    Utf8,
    Gbk,
}

#[derive(Args)]
pub struct Survey {
    /// A folder that is not there yet or is empty.
    out: PathBuf,
    #[arg(long, value_enum, default_value = "district")]
    size: Size,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value = "csv")]
    format: As,
    /// Of CSV files.
    #[arg(long, value_enum, default_value = "utf-8")]
    encoding: Encoding,
    /// Puts seeded faults into it and writes into faults.json which: SEED or SEED:NUMBER (20).
    #[arg(long, value_name = "SEED[:N]", value_parser = faults)]
    spoil: Option<(u64, usize)>,
}

fn faults(text: &str) -> Result<(u64, usize), String> {
    let (seed, n) = text.split_once(':').unwrap_or((text, "20"));
    let n = n.parse().ok().filter(|n| *n <= 10_000).ok_or("the number of faults is a whole number up to 10 000")?;
    Ok((seed.parse().map_err(|_| "the seed is a whole number")?, n))
}

pub fn run(command: &Survey, json: bool) -> Result<ExitCode, Failure> {
    if command.out.read_dir().is_ok_and(|mut d| d.next().is_some()) {
        return Err(Failure::misuse(format!("{} is not empty", command.out.display())));
    }
    let mut delivery = synthetic(command)?;
    fs::create_dir_all(&command.out)?;
    if let Some((seed, n)) = command.spoil {
        let spoiled = strata_citygen::spoil::spoil(&delivery, seed, n);
        delivery = spoiled.delivery;
        fs::write(command.out.join("faults.json"), serde_json::to_vec_pretty(&spoiled.faults)?)?;
    }
    match command.format {
        As::Csv => delivery.tables.iter().try_for_each(|t| write_csv(&command.out, t, command.encoding))?,
        As::Xlsx => write_xlsx(&command.out.join("管线普查成果.xlsx"), &delivery)?,
    }
    let rows: Vec<(&str, usize)> = delivery.tables.iter().map(|t| (t.name.as_str(), t.rows.len())).collect();
    fs::write(command.out.join("README.md"), readme(command, &delivery, &rows))?;
    if json {
        println!(
            "{}",
            serde_json::json!({ "out": command.out, "tables": rows.iter().copied().collect::<std::collections::BTreeMap<_, _>>() })
        );
    } else {
        rows.iter().for_each(|(name, n)| println!("{name}: {n}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn synthetic(command: &Survey) -> Result<Delivery, Failure> {
    let district = District::new(command.seed)?;
    let mut layers: Vec<(Arc<Layer>, Vec<Feature>)> = Vec::new();
    for id in ["pipes", "pipe_points"] {
        let layer = district.layers().into_iter().find(|l| l.id.as_str() == id);
        layers.push((layer.ok_or_else(|| anyhow::anyhow!("the district has no {id}"))?, Vec::new()));
    }
    district.generate(&mut |layer, feature| {
        if let Some((_, features)) = layers.iter_mut().find(|(l, _)| l.id == layer.id) {
            features.push(feature);
        }
        Ok(())
    })?;
    let bounds = match command.size {
        Size::District => None,
        Size::Sheet => district
            .anchors()
            .into_iter()
            .find(|a| a.name == "survey-sheet")
            .map(|a| Bounds2 { min: [a.position[0] - 250.0, a.position[1] - 250.0], max: [a.position[0] + 250.0, a.position[1] + 250.0] }),
    };
    let city = Underground { pipes: (&layers[0].0, &layers[0].1), points: (&layers[1].0, &layers[1].1) };
    Ok(delivery(&city, bounds, Instant::from_ymd(2026, 5, 18)))
}

fn write_csv(out: &Path, table: &Table, encoding: Encoding) -> Result<(), Failure> {
    let mut text = Vec::new();
    {
        let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(&mut text);
        writer.write_record(&table.headings)?;
        for row in &table.rows {
            writer.write_record(&row.cells)?;
        }
        writer.flush()?;
    }
    let bytes = match encoding {
        Encoding::Utf8 => text,
        Encoding::Gbk => {
            let text = String::from_utf8(text)?;
            let (bytes, _, lost) = encoding_rs::GBK.encode(&text);
            if lost {
                return Err(Failure::misuse(format!("{} has characters that GBK does not have", table.name)));
            }
            bytes.into_owned()
        }
    };
    fs::write(out.join(format!("{}.csv", table.name)), bytes)?;
    Ok(())
}

/// Numbers as numbers, point numbers and codes as texts.
fn write_xlsx(path: &Path, delivery: &Delivery) -> Result<(), Failure> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    for table in &delivery.tables {
        let sheet = book.add_worksheet().set_name(&table.name)?;
        for (c, heading) in table.headings.iter().enumerate() {
            sheet.write_string_with_format(0, c as u16, heading, &bold)?;
        }
        let texts = ["map_id", "id", "start", "end", "code", "size", "status", "flow"].map(|f| table.column(f));
        for (r, row) in table.rows.iter().enumerate() {
            for (c, cell) in row.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                match codes::number(cell).filter(|_| !texts.contains(&Some(c))) {
                    Some(n) => sheet.write_number(r as u32 + 1, c as u16, n)?,
                    None => sheet.write_string(r as u32 + 1, c as u16, cell)?,
                };
            }
        }
    }
    book.save(path)?;
    Ok(())
}

fn readme(command: &Survey, delivery: &Delivery, rows: &[(&str, usize)]) -> String {
    let crs = delivery.crs.as_ref().map(ToString::to_string).unwrap_or_default();
    let tables: String = rows.iter().map(|(name, n)| format!("| {name} | {n} |\n")).collect();
    format!(
        "# 合成数据 Synthetic survey delivery\n\nNothing here was measured: `strata gen survey --seed {}` made it. \
         此目录全部为合成数据，不代表任何真实管线。\n\n- System: {crs} (CGCS2000, 3-degree zone of 126°E; 1985 heights). **X is north, Y is east**, metres.\n\
         - Depths 埋深 and heights 高程: pressure pipes and cables to the outer top 管顶, gravity drains, trenches and galleries to the invert 管内底.\n\
         - 管径 is the nominal size of pressure pipes and the bore of drains, mm; a duct bank or gallery has its section W×H. 外径 is the outer diameter, mm.\n\
         - A point 出测区 is where a line goes on outside of the surveyed area.\n\n| table | rows |\n|---|---|\n{tables}",
        command.seed
    )
}

/// What an importer makes of a delivery's tables, for the server.
pub fn read(frame: &Arc<WorkingFrame>, delivery: &Delivery) -> Result<Vec<(Arc<Layer>, Feature)>, String> {
    struct Kept(BTreeMap<LayerId, Arc<Layer>>, Vec<(LayerId, Feature)>);
    impl Sink for Kept {
        fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), String> {
            self.0.insert(layer.id.clone(), layer.clone());
            Ok(())
        }
        fn feature(&mut self, layer: &LayerId, feature: Feature) -> Result<(), String> {
            self.1.push((layer.clone(), feature));
            Ok(())
        }
    }
    let options = ImportOptions {
        frame: frame.clone(),
        source_crs: delivery.crs.clone(),
        layer: None,
        valid_from: None,
        reader: Some(Reader::Survey),
        mapping: None,
    };
    let (mut kept, mut report) = (Kept(BTreeMap::new(), Vec::new()), Report::default());
    strata_ingest::take_delivery(delivery, &options, &mut kept, &mut report).map_err(|e| e.to_string())?;
    if let Some(r) = report.refused_shown.first() {
        return Err(format!("{} at {}: {}", r.id.as_deref().unwrap_or_default(), r.place, r.reason));
    }
    let Kept(layers, features) = kept;
    Ok(features.into_iter().filter_map(|(id, f)| Some((layers.get(&id)?.clone(), f))).collect())
}
