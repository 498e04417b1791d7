//! The property table of `EXT_structural_metadata`.

use super::encode::Buffer;
use super::read::Reader;
use super::{FROM, ID, TO};
use crate::TilesError;
use crate::content::{Column, FeatureTable};
use serde_json::{Map, Value, json};
use strata_model::FieldKind;

/// A class property for a field, as content and tileset schemas declare it.
pub(crate) fn property_form(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Float => json!({ "type": "SCALAR", "componentType": "FLOAT32" }),
        FieldKind::Int | FieldKind::Bool => json!({ "type": "SCALAR", "componentType": "INT32", "noData": i32::MIN }),
        FieldKind::Text => json!({ "type": "STRING", "noData": "" }),
    }
}

fn text_property(buffer: &mut Buffer, texts: &[String]) -> Result<Value, TilesError> {
    let mut bytes = Vec::new();
    let mut offsets = Vec::with_capacity(texts.len() + 1);
    for t in texts {
        offsets.push(bytes.len() as u32);
        bytes.extend(t.as_bytes());
    }
    let end = u32::try_from(bytes.len()).map_err(|_| TilesError::Content { reason: "more than 4 GiB of text".into() })?;
    offsets.push(end);
    // A buffer view may not be empty.
    if bytes.is_empty() {
        bytes.push(0);
    }
    let values = buffer.view(&bytes, None, None);
    let offsets = buffer.view(bytemuck::cast_slice(&offsets), None, None);
    Ok(json!({ "values": values, "stringOffsets": offsets, "stringOffsetType": "UINT32" }))
}

/// The extension's object; the table must have rows.
pub(super) fn write(buffer: &mut Buffer, table: &FeatureTable) -> Result<Value, TilesError> {
    let rows = table.ids.len();
    let (mut forms, mut values) = (Map::new(), Map::new());
    forms.insert(ID.into(), json!({ "type": "STRING", "required": true }));
    values.insert(ID.into(), text_property(buffer, &table.ids)?);
    for (name, days) in [(FROM, &table.valid_from_day), (TO, &table.valid_to_day)] {
        forms.insert(name.into(), json!({ "type": "SCALAR", "componentType": "INT32", "required": true }));
        values.insert(name.into(), json!({ "values": buffer.view(bytemuck::cast_slice(days), None, None) }));
    }
    for (name, column) in &table.columns {
        let (kind, value) = match column {
            Column::Float(v) => (FieldKind::Float, json!({ "values": buffer.view(bytemuck::cast_slice(v), None, None) })),
            Column::Int(v) => (FieldKind::Int, json!({ "values": buffer.view(bytemuck::cast_slice(v), None, None) })),
            Column::Text(v) => (FieldKind::Text, text_property(buffer, v)?),
        };
        forms.insert(name.clone(), property_form(kind));
        values.insert(name.clone(), value);
    }
    Ok(json!({
        "schema": { "id": "strata", "classes": { "feature": { "properties": forms } } },
        "propertyTables": [{ "class": "feature", "count": rows, "properties": values }],
    }))
}

/// Every row and column of the table counts against this.
const MAX_VALUES: usize = 32_000_000;

/// The first property table; an empty one where there is none. Properties of kinds that the content has no word
/// for (vectors, arrays, enums) are passed over.
pub(super) fn read(reader: &Reader) -> Result<FeatureTable, TilesError> {
    let extension = &reader.json["extensions"]["EXT_structural_metadata"];
    let form = &extension["propertyTables"][0];
    let mut table = FeatureTable::default();
    let (Some(class), Some(count), Some(properties)) = (form["class"].as_str(), form["count"].as_u64(), form["properties"].as_object())
    else {
        return Ok(table);
    };
    let rows = usize::try_from(count).ok().filter(|n| *n <= MAX_VALUES).ok_or_else(|| super::read::fault("too many rows"))?;
    let mut budget = MAX_VALUES;
    let mut bytes_budget = reader.binary.len().saturating_mul(2);
    for (name, property) in properties {
        budget = budget.checked_sub(rows).ok_or_else(|| super::read::fault("too many values"))?;
        let declared = &extension["schema"]["classes"][class]["properties"][name];
        let whole = declared["array"] != json!(true) && declared["normalized"] != json!(true);
        let column = match (declared["type"].as_str(), declared["componentType"].as_str()) {
            (Some("STRING"), _) if whole => Some(Column::Text(texts(reader, property, rows, &mut bytes_budget)?)),
            (Some("SCALAR"), Some(kind)) if whole => numbers(reader, property, kind, rows)?,
            _ => None,
        };
        match (name.as_str(), column) {
            (ID, Some(Column::Text(v))) => table.ids = v,
            (FROM, Some(Column::Int(v))) => table.valid_from_day = v,
            (TO, Some(Column::Int(v))) => table.valid_to_day = v,
            (_, Some(column)) => {
                table.columns.insert(name.clone(), column);
            }
            (_, None) => {}
        }
    }
    if table.ids.len() != rows {
        table.ids = (0..rows).map(|i| i.to_string()).collect();
    }
    for (days, open) in [(&mut table.valid_from_day, i32::MIN), (&mut table.valid_to_day, i32::MAX)] {
        if days.len() != rows {
            *days = vec![open; rows];
        }
    }
    Ok(table)
}

fn values<'a>(reader: &'a Reader, property: &Value, key: &str) -> Result<&'a [u8], TilesError> {
    let index = property[key].as_u64().ok_or_else(|| super::read::fault("a property without values"))?;
    reader.view(index).map(|v| v.0)
}

fn texts(reader: &Reader, property: &Value, rows: usize, budget: &mut usize) -> Result<Vec<String>, TilesError> {
    let fault = super::read::fault;
    let bytes = values(reader, property, "values")?;
    let offsets = values(reader, property, "stringOffsets")?;
    let width = match property["stringOffsetType"].as_str() {
        Some("UINT8") => 1,
        Some("UINT16") => 2,
        Some("UINT64") => 8,
        _ => 4,
    };
    if offsets.len() / width < rows + 1 {
        return Err(fault("too few string offsets"));
    }
    let at = |i: usize| {
        let mut word = [0u8; 8];
        word[..width].copy_from_slice(&offsets[i * width..(i + 1) * width]);
        usize::try_from(u64::from_le_bytes(word)).unwrap_or(usize::MAX)
    };
    (0..rows)
        .map(|i| {
            let text = bytes.get(at(i)..at(i + 1)).ok_or_else(|| fault("a string offset points outside"))?;
            *budget = budget.checked_sub(text.len()).ok_or_else(|| fault("strings that overlap"))?;
            Ok(String::from_utf8_lossy(text).into_owned())
        })
        .collect()
}

fn numbers(reader: &Reader, property: &Value, kind: &str, rows: usize) -> Result<Option<Column>, TilesError> {
    let bytes = values(reader, property, "values")?;
    let width = match kind {
        "INT8" | "UINT8" => 1,
        "INT16" | "UINT16" => 2,
        "INT32" | "UINT32" | "FLOAT32" => 4,
        "INT64" | "UINT64" | "FLOAT64" => 8,
        _ => return Ok(None),
    };
    let cells = bytes.get(..rows.saturating_mul(width)).ok_or_else(|| super::read::fault("too few values"))?.chunks_exact(width);
    let word = |c: &[u8]| {
        let mut w = [0u8; 8];
        w[..width].copy_from_slice(c);
        u64::from_le_bytes(w)
    };
    Ok(Some(match kind {
        "FLOAT32" => Column::Float(cells.map(|c| f32::from_bits(word(c) as u32)).collect()),
        "FLOAT64" => Column::Float(cells.map(|c| f64::from_bits(word(c)) as f32).collect()),
        "INT8" => Column::Int(cells.map(|c| i32::from(word(c) as i8)).collect()),
        "INT16" => Column::Int(cells.map(|c| i32::from(word(c) as i16)).collect()),
        "INT64" => Column::Int(cells.map(|c| (word(c) as i64).clamp(i32::MIN.into(), i32::MAX.into()) as i32).collect()),
        "INT32" => Column::Int(cells.map(|c| word(c) as i32).collect()),
        _ => Column::Int(cells.map(|c| word(c).min(i32::MAX as u64) as i32).collect()),
    }))
}
