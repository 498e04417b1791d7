//! The quality rules of a survey, one table for report, documentation and tests.

use serde::{Deserialize, Serialize};

/// What breaking a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The delivery goes back.
    Error,
    /// Somebody looks at it.
    Warn,
}

/// The automatic stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// 格式检查
    Format,
    /// 逻辑检查
    Logic,
    /// 空间检查
    Space,
}

/// How firm a rule's source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// A transcription of the standard or of published checks says so.
    V,
    /// A secondary source says so.
    V2,
    /// General knowledge of the field, firm.
    M,
    /// Uncertain: check it with the paper standard.
    U,
}

/// One quality rule.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rule {
    pub id: &'static str,
    pub stage: Stage,
    pub level: Level,
    pub title_zh: &'static str,
    pub title_en: &'static str,
    /// Standard and clause, or where the rule comes from.
    pub source: &'static str,
    pub confidence: Confidence,
}

const fn rule(
    id: &'static str,
    stage: Stage,
    level: Level,
    title_zh: &'static str,
    title_en: &'static str,
    source: &'static str,
    confidence: Confidence,
) -> Rule {
    Rule { id, stage, level, title_zh, title_en, source, confidence }
}

const CHECKS: &str = "CJJ 61-2017, published delivery checks";
const CODES: &str = "CJJ 61-2017 appendix B, C";
const OURS: &str = "own";

use Confidence::{M, V, V2};
use Level::{Error, Warn};
use Stage::{Format, Logic, Space};

/// Every rule, in the order in which they are checked and shown.
pub const RULES: &[Rule] = &[
    rule("heading", Format, Error, "表头缺失或缺少必需列", "a heading is missing or lacks a column that must be there", CHECKS, V),
    rule("empty-table", Format, Error, "空表", "a table without rows", OURS, M),
    rule("encoding", Format, Error, "编码混用或损坏", "encodings are mixed or broken in one file", OURS, M),
    rule("merged-cells", Format, Error, "合并单元格", "cells are merged among the rows", OURS, M),
    rule("required", Format, Error, "必填项为空", "a required field is empty", CHECKS, V),
    rule("number", Format, Error, "数值项不是数值", "a numeric field is no number", CHECKS, V),
    rule("dictionary", Format, Error, "字典项取值不在字典中", "a value is not in its dictionary", CODES, V),
    rule("size", Format, Error, "管径断面无法识别或超限", "a size cannot be read or is outside 10 to 10 000 mm", CHECKS, M),
    rule("date", Format, Error, "日期无法识别", "a date cannot be read, lies before 1880 or in the future", OURS, M),
    rule("code-form", Format, Error, "要素代码不是8位管线代码", "a feature code is not eight digits of a pipe class", CODES, V),
    rule("point-duplicate", Logic, Error, "物探点号重复", "a point number stands twice", CHECKS, V),
    rule(
        "map-number",
        Logic,
        Error,
        "图上点号与物探点号不一致或重复",
        "the number on the sheet has other letters than the point number, or stands twice",
        CHECKS,
        V,
    ),
    rule("feature-exclusive", Logic, Error, "特征与附属物须且仅须填一项", "exactly one of feature and appurtenance is filled", CHECKS, V),
    rule("point-word", Logic, Warn, "特征或附属物名称不在该类词表中", "the word of a point is in no list of its class", CODES, M),
    rule("code-text", Logic, Error, "要素代码与类别或名称不符", "a feature code says another class or another word than the row", CODES, V),
    rule("number-class", Logic, Warn, "点号字母与管线类别不符", "the letters of a point number say another class than the row", CHECKS, M),
    rule("line-end", Logic, Error, "管线端点不存在", "an end of a line is in no table of points", CHECKS, V),
    rule("line-loop", Logic, Error, "起点与终点相同", "both ends of a line are one point", CHECKS, V),
    rule("line-duplicate", Logic, Error, "管线重复", "the same two points are joined twice, in either direction", CHECKS, V),
    rule("point-unused", Logic, Warn, "管点未被管线使用", "no line uses the point", CHECKS, V),
    rule("class-mix", Logic, Error, "管线与端点类别不同", "a line ends in a point of another class", CHECKS, M),
    rule("height-balance", Logic, Error, "地面高程≠埋深+管线高程", "ground is not depth and pipe height together", CHECKS, V),
    rule("point-level", Logic, Warn, "同一点各管线高程不一致", "lines meet in one point at different heights", CHECKS, V),
    rule("point-section", Logic, Warn, "同一点管径材质变化未标注", "size or material changes at a point that does not say so", CHECKS, V),
    rule("degree", Logic, Warn, "特征与连接数不符", "the word of a point does not fit the number of its lines", CHECKS, V),
    rule("holes", Logic, Error, "已用孔数大于总孔数", "more ducts are used than there are", OURS, M),
    rule("year-order", Logic, Error, "建设时间晚于探测时间", "built after it was surveyed", OURS, M),
    rule("depth-limit", Logic, Warn, "埋深超限", "deeper than the limit of its class", CHECKS, V),
    rule("length", Logic, Warn, "管段过长或过短", "a line is longer or shorter than the limits", CHECKS, V),
    rule("slope", Logic, Warn, "坡度超限", "a line is steeper than the limit", CHECKS, V),
    rule("well-depth", Logic, Warn, "井深小于管线埋深", "a shaft ends above a line in it", OURS, M),
    rule("drain-fall", Logic, Error, "排水管逆坡", "a gravity drain rises along its flow", "GB 50014-2021", V2),
    rule("drain-flat", Logic, Warn, "排水管坡度不足", "a gravity drain falls less than its size asks for", "GB 50014-2021 5.2.10", V2),
    rule(
        "well-spacing",
        Logic,
        Warn,
        "检查井间距过大",
        "two wells of a drain stand farther apart than its size allows",
        "GB 50014-2021 5.4",
        V2,
    ),
    rule("drain-shrinks", Logic, Warn, "下游管径变小", "a drain is smaller than the one that feeds it", "GB 50014-2021", M),
    rule("drain-mix", Logic, Error, "雨污混接", "a sewer and a storm drain meet", "GB 50014-2021", V2),
    rule("isolated", Logic, Warn, "孤立管段", "a line is joined to nothing else of its class", CHECKS, V),
    rule("crs-zone", Space, Error, "坐标超出投影带或X、Y颠倒", "coordinates outside of the zone, or X and Y exchanged", OURS, M),
    rule("outside-city", Space, Error, "超出城市范围", "a point outside of the city", CHECKS, M),
    rule("same-place", Space, Error, "点位重合", "two points of one class at the same place", CHECKS, V),
    rule("loose-end", Space, Warn, "端点悬空未接", "a line ends just beside a point that it does not reach", CHECKS, M),
    rule("edge-match", Space, Warn, "与现状管线未接边", "a line ends just beside an end of the stock and does not reach it", CHECKS, M),
    rule("above-ground", Space, Error, "管线高于地面", "a buried line lies above the ground", CHECKS, M),
    rule("ground-level", Space, Warn, "地面高程与地形不符", "the ground of a point is not that of the terrain", OURS, M),
    rule("clash-stock", Space, Error, "与现状管线碰撞", "a line runs through one of the stock that it does not measure anew", CHECKS, M),
    rule("clash-own", Space, Warn, "本批管线之间碰撞", "a line runs through another one of the delivery", OURS, M),
];

/// A rule by its id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|r| r.id == id)
}

/// What the rules measure with. Every member can be set; absent ones keep their value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Ground against depth and height, m.
    pub balance_m: f64,
    /// Axes that meet in one point of a pressure network, m.
    pub level_m: f64,
    /// Inverts that meet in one point of a drain without a drop shaft 跌水井, m.
    pub drop_m: f64,
    pub depth_m: f64,
    /// Of drains, trenches and galleries.
    pub deep_depth_m: f64,
    pub longest_m: f64,
    pub shortest_m: f64,
    pub slope_deg: f64,
    /// A rise of an invert that is no error of measurement, m.
    pub rise_m: f64,
    /// Fall that an invert may lack by error of measurement, m.
    pub flat_m: f64,
    /// Points nearer than this are one place, m.
    pub same_m: f64,
    /// A loose end nearer than this to another point was meant to reach it, m.
    pub loose_m: f64,
    /// An end nearer than this to an end of the stock was meant to reach it, m.
    pub edge_m: f64,
    /// Ground of a point against the terrain, m.
    pub terrain_m: f64,
    /// How deep bodies must run into each other, m.
    pub clash_m: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            balance_m: 0.02,
            level_m: 0.10,
            drop_m: 0.50,
            depth_m: 10.0,
            deep_depth_m: 25.0,
            longest_m: 75.0,
            shortest_m: 0.05,
            slope_deg: 10.0,
            rise_m: 0.02,
            flat_m: 0.01,
            same_m: 0.01,
            loose_m: 0.30,
            edge_m: 1.0,
            terrain_m: 1.0,
            clash_m: 0.05,
        }
    }
}
