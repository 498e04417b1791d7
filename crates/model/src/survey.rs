//! A survey delivery 普查成果 as rows of text with their row numbers: what a surveyor hands in, before anybody has
//! believed a word of it. Readers make it from files, quality checks and spoilers work on it, writers turn it into files.
//!
//! Coordinates stand as text in the cells, **X northing and Y easting** in metres as surveyors write them. A reader that
//! knows the CRS puts the plan place in the working frame (`[east_m, north_m]`) beside the cells of a point.

use crate::{
    Crs,
    codes::{PipeClass, codes, number},
};
use serde::{Deserialize, Serialize};

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 管点
    Points,
    /// 管线
    Lines,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    /// As a person counts in the file, the first is 1.
    pub number: usize,
    pub cells: Vec<String>,
    /// Of a point: `[east_m, north_m]` in the working frame, where the reader could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<[f64; 2]>,
}

/// One sheet or file of points or of lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name of the sheet, or of the file without its ending: `JSPOINT`.
    pub name: String,
    pub role: Role,
    /// Row number of the heading; 0: the table came without a file.
    #[serde(default)]
    pub heading_row: usize,
    pub headings: Vec<String>,
    pub rows: Vec<Row>,
    /// One row held a point and its connection together (物探点号 and 连接点号): the far end has no columns of its own.
    #[serde(default)]
    pub combined: bool,
}

/// A file or sheet that could not be read as a table, or not all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileFault {
    pub table: String,
    #[serde(default)]
    pub row: Option<usize>,
    /// Id of the quality rule that it breaks.
    pub rule: String,
    pub reason: String,
}

/// All tables of one delivery.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(default)]
    pub name: String,
    /// System of X and Y; the city's own when absent.
    #[serde(default)]
    pub crs: Option<Crs>,
    pub tables: Vec<Table>,
    #[serde(default)]
    pub faults: Vec<FileFault>,
}

impl Table {
    /// Column of a field (`north`, `material`, see `data/codes/survey-headers.csv`); the first when there are several.
    pub fn column(&self, field: &str) -> Option<usize> {
        self.headings.iter().position(|h| codes().header(h) == Some(field))
    }
    /// Class by the table's name (`JSPOINT`, `污水管线`).
    pub fn class(&self) -> Option<PipeClass> {
        codes().class_of_table(&self.name)
    }
}

impl Row {
    /// The cell of a column without blanks around; `None` when it is empty or only a dash.
    pub fn text(&self, column: Option<usize>) -> Option<&str> {
        let t = self.cells.get(column?)?.trim();
        (!t.is_empty() && !matches!(t, "-" | "—" | "/" | "无")).then_some(t)
    }
    /// The cell as a number; `None` when it is empty or no number.
    pub fn number(&self, column: Option<usize>) -> Option<f64> {
        self.text(column).and_then(number)
    }
}
