//! What a resident knows: squares, streets, river, lake, quarters. Positions are approximate, in local metres
//! (east, north) from 人民广场; buildings, parcels and pipes are invented, the skeleton and the names are not.

use crate::plane::*;

/// 人民广场, longitude and latitude.
pub(crate) const CENTRE_LON_LAT: [f64; 2] = [125.3186, 43.8866];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Expressway,
    Arterial,
    Secondary,
    Local,
    Rail,
}

impl Class {
    pub fn id(self) -> &'static str {
        match self {
            Self::Expressway => "expressway",
            Self::Arterial => "arterial",
            Self::Secondary => "secondary",
            Self::Local => "local",
            Self::Rail => "rail",
        }
    }
    /// Red line, kerb to kerb (m) and lanes.
    pub fn section(self) -> (f64, f64, i64) {
        match self {
            Self::Expressway => (64.0, 44.0, 8),
            Self::Arterial => (48.0, 30.0, 6),
            Self::Secondary => (32.0, 19.0, 4),
            Self::Local => (18.0, 9.0, 2),
            Self::Rail => (44.0, 10.0, 2),
        }
    }
}

pub(crate) struct MainRoad {
    pub zh: &'static str,
    pub en: &'static str,
    pub class: Class,
    pub points: Vec<P2>,
}

type Named = (&'static str, &'static str, Class, &'static [P2]);

use Class::{Arterial as A, Local as L, Rail as R, Secondary as S};

/// Inside the second ring. Order is rank: where two lie on the same place the earlier one stays.
const INNER: &[Named] = &[
    (
        "人民大街",
        "Renmin Street",
        A,
        &[
            [-160.0, 9600.0],
            [-120.0, 3400.0],
            [-101.0, 2280.0],
            [0.0, 0.0],
            [16.0, -1170.0],
            [25.0, -2400.0],
            [30.0, -4166.0],
            [43.0, -6230.0],
            [60.0, -13000.0],
        ],
    ),
    (
        "解放大路",
        "Jiefang Road",
        A,
        &[
            [-9600.0, -1500.0],
            [-5000.0, -1250.0],
            [-2600.0, -1210.0],
            [-1205.0, -1190.0],
            [16.0, -1170.0],
            [722.0, -1130.0],
            [1250.0, -1060.0],
        ],
    ),
    ("吉林大路", "Jilin Road", A, &[[1250.0, -1060.0], [2100.0, -930.0], [3500.0, -690.0], [6000.0, -300.0], [14000.0, 900.0]]),
    (
        "亚泰大街",
        "Yatai Street",
        A,
        &[
            [1330.0, 5200.0],
            [1290.0, 1500.0],
            [1250.0, 500.0],
            [1230.0, -700.0],
            [1250.0, -1060.0],
            [1210.0, -2480.0],
            [1190.0, -4166.0],
            [1180.0, -9800.0],
        ],
    ),
    ("西安大路", "Xi'an Road", A, &[[0.0, 0.0], [-1960.0, 690.0], [-4200.0, 1000.0], [-9600.0, 1900.0]]),
    ("长春大街", "Changchun Street", A, &[[0.0, 0.0], [900.0, 190.0], [1250.0, 270.0], [2050.0, 400.0], [3000.0, 560.0], [4900.0, 800.0]]),
    (
        "自由大路",
        "Ziyou Road",
        A,
        &[[-1020.0, -2330.0], [25.0, -2400.0], [1210.0, -2480.0], [1980.0, -2400.0], [3650.0, -2250.0], [7500.0, -2000.0]],
    ),
    ("新民大街", "Xinmin Street", A, &[[-1205.0, -1190.0], [-1090.0, -1950.0], [-1020.0, -2330.0]]),
    ("工农大路", "Gongnong Road", A, &[[-1090.0, -1950.0], [-2450.0, -2720.0], [-4700.0, -3700.0]]),
    ("延安大街", "Yan'an Street", A, &[[-1090.0, -1950.0], [-1900.0, -1560.0], [-2600.0, -1210.0]]),
    ("民康路", "Minkang Road", S, &[[0.0, 0.0], [700.0, -520.0], [1230.0, -700.0]]),
    ("锦水路", "Jinshui Road", S, &[[0.0, 0.0], [-645.0, -560.0], [-1010.0, -880.0]]),
    ("同志街", "Tongzhi Street", S, &[[-660.0, 1240.0], [-645.0, 227.0], [-640.0, -1180.0], [-600.0, -2360.0], [-560.0, -4166.0]]),
    ("西民主大街", "West Minzhu Street", S, &[[-1400.0, -1193.0], [-1420.0, -500.0], [-1480.0, 520.0]]),
    ("建设街", "Jianshe Street", S, &[[-1000.0, 352.0], [-1010.0, -880.0], [-1015.0, -1187.0]]),
    ("清华路", "Qinghua Road", S, &[[-2450.0, -720.0], [-1410.0, -700.0], [-640.0, -690.0]]),
    ("北京大街", "Beijing Street", S, &[[-430.0, 150.0], [-470.0, 1150.0], [-420.0, 2160.0]]),
    ("大经路", "Dajing Road", S, &[[640.0, 135.0], [690.0, 1150.0], [500.0, 2260.0]]),
    ("重庆路", "Chongqing Road", S, &[[-450.0, 400.0], [-18.0, 405.0], [1250.0, 470.0]]),
    ("上海路", "Shanghai Road", S, &[[-36.0, 810.0], [690.0, 830.0], [1270.0, 850.0], [1960.0, 930.0]]),
    ("新发路", "Xinfa Road", S, &[[-2450.0, 1100.0], [-650.0, 900.0], [-36.0, 810.0]]),
    ("师大路", "Shida Road", S, &[[-620.0, -1680.0], [20.0, -1700.0], [640.0, -1760.0], [1225.0, -1790.0]]),
    ("东岭街", "Dongling Street", S, &[[1660.0, -1000.0], [1620.0, -2440.0], [1640.0, -4166.0]]),
    ("东盛大街", "Dongsheng Street", S, &[[2680.0, 2900.0], [2630.0, 500.0], [2600.0, -850.0], [2640.0, -2330.0], [2750.0, -5200.0]]),
    ("荣光路", "Rongguang Road", S, &[[1990.0, -1560.0], [2620.0, -1580.0], [4900.0, -1500.0]]),
    ("公平路", "Gongping Road", L, &[[2050.0, -260.0], [2615.0, -200.0], [3700.0, -100.0]]),
    ("临河北路", "Linhe North Road", L, &[[2000.0, 830.0], [2650.0, 860.0], [3700.0, 900.0]]),
    ("平治街", "Pingzhi Street", L, &[[575.0, -380.0], [570.0, -1180.0]]),
    ("惠民路", "Huimin Road", L, &[[0.0, -600.0], [575.0, -610.0]]),
    ("动物园街", "Zoo Street", L, &[[640.0, -1700.0], [620.0, -2500.0]]),
    (
        "二道铁路专用线",
        "Erdao works siding",
        R,
        &[[3900.0, -2700.0], [2750.0, -2650.0], [2480.0, -2600.0], [2350.0, -2420.0], [2300.0, -2300.0]],
    ),
];

/// Streets of the whole city, north–south by x and west–east by y.
const NORTH_SOUTH: &[(f64, &str, &str)] = &[
    (-7500.0, "长沈路", "Changshen Road"),
    (-6100.0, "景阳大路", "Jingyang Road"),
    (-4800.0, "春城大街", "Chuncheng Street"),
    (-3550.0, "普阳街", "Puyang Street"),
    (-2450.0, "前进大街", "Qianjin Street"),
    (3650.0, "临河街", "Linhe Street"),
    (4900.0, "世纪大街", "Shiji Street"),
    (6200.0, "洋浦大街", "Yangpu Street"),
    (7600.0, "远达大街", "Yuanda Street"),
];
const WEST_EAST: &[(f64, f64, f64, &str, &str)] = &[
    (7000.0, -6500.0, 7000.0, "庆丰路", "Qingfeng Road"),
    (5900.0, -7500.0, 7500.0, "北环城路", "North Huancheng Road"),
    (4700.0, -8500.0, 8500.0, "柳影路", "Liuying Road"),
    (3500.0, -8500.0, 8500.0, "铁北四路", "Tiebei 4th Road"),
    (1900.0, 2300.0, 9000.0, "东荣大路", "Dongrong Road"),
    (-3300.0, 1190.0, 8500.0, "浦东路", "Pudong Road"),
    (-4166.0, -4800.0, 8500.0, "南湖大路", "Nanhu Road"),
    (-5200.0, -8500.0, 8500.0, "繁荣路", "Fanrong Road"),
    (-6230.0, -8500.0, 9000.0, "卫星路", "Weixing Road"),
    (-7500.0, -8500.0, 7500.0, "飞跃路", "Feiyue Road"),
    (-8800.0, -6500.0, 6500.0, "丙十路", "Bingshi Road"),
];
pub(crate) const CITY_CENTRE: P2 = [200.0, -1200.0];
const RINGS: &[(f64, &str, &str)] =
    &[(4000.0, "二环路", "Second Ring Road"), (6600.0, "三环路", "Third Ring Road"), (9000.0, "四环路", "Fourth Ring Road")];

/// Rings are squarish: a superellipse of exponent 3.
fn ring_road(radius: f64) -> Vec<P2> {
    let n = (radius / 14.0) as usize;
    (0..=n)
        .map(|i| {
            let a = (i % n) as f64 / n as f64 * std::f64::consts::TAU;
            let (s, c) = a.sin_cos();
            let r = radius / (s.abs().powi(3) + c.abs().powi(3)).cbrt();
            [CITY_CENTRE[0] + r * c, CITY_CENTRE[1] + r * s]
        })
        .collect()
}

fn wavy(from: P2, to: P2, phase: f64) -> Vec<P2> {
    let n = (dist(from, to) / 120.0).ceil().max(1.0);
    let side = left(unit(sub(to, from)));
    (0..=n as usize)
        .map(|i| {
            let t = i as f64 / n;
            let s = t * dist(from, to);
            along(lerp(from, to, t), side, 55.0 * ((s / 1900.0 + phase).sin() - phase.sin()))
        })
        .collect()
}

/// A circle where streets meet.
pub(crate) struct Square {
    pub zh: &'static str,
    pub en: &'static str,
    pub centre: P2,
    pub radius: f64,
}

pub(crate) const SQUARES: &[Square] = &[
    Square { zh: "人民广场", en: "People's Square", centre: [0.0, 0.0], radius: 125.0 },
    Square { zh: "新民广场", en: "Xinmin Square", centre: [-1090.0, -1950.0], radius: 78.0 },
    Square { zh: "工农广场", en: "Gongnong Square", centre: [30.0, -4166.0], radius: 80.0 },
    Square { zh: "卫星广场", en: "Weixing Square", centre: [43.0, -6230.0], radius: 105.0 },
];

pub(crate) const RIVER: &[P2] = &[
    [3300.0, -12900.0],
    [2900.0, -9500.0],
    [2300.0, -7500.0],
    [2350.0, -6200.0],
    [2000.0, -5200.0],
    [2250.0, -4200.0],
    [1950.0, -3400.0],
    [2060.0, -2700.0],
    [1880.0, -2000.0],
    [2060.0, -1400.0],
    [1930.0, -800.0],
    [2120.0, -100.0],
    [1960.0, 600.0],
    [2180.0, 1300.0],
    [1950.0, 2100.0],
    [2300.0, 3000.0],
    [1950.0, 4200.0],
    [2400.0, 5500.0],
    [2250.0, 7000.0],
    [3000.0, 9800.0],
];
pub(crate) const RIVER_HALF_WIDTH_M: f64 = 40.0;
pub(crate) const RIVER_ROAD_OFFSET_M: f64 = 128.0;

pub(crate) const LAKE: &[P2] = &[
    [-1900.0, -3300.0],
    [-1750.0, -2950.0],
    [-1500.0, -2740.0],
    [-1260.0, -2560.0],
    [-960.0, -2480.0],
    [-800.0, -2600.0],
    [-850.0, -2850.0],
    [-720.0, -3150.0],
    [-800.0, -3500.0],
    [-1000.0, -3650.0],
    [-1050.0, -3980.0],
    [-1400.0, -4060.0],
    [-1550.0, -3800.0],
    [-1800.0, -3650.0],
];
pub(crate) const RESERVOIR: &[P2] = &[
    [10600.0, -9100.0],
    [11100.0, -9350.0],
    [11250.0, -9900.0],
    [11700.0, -10300.0],
    [11500.0, -10900.0],
    [11000.0, -10600.0],
    [10750.0, -10050.0],
    [10300.0, -9700.0],
];

/// Hills: centre, spread m, height m. The small one is a park in the east of the centre.
pub(crate) const HILLS: &[(P2, f64, f64)] = &[
    ([12500.0, -10400.0], 2600.0, 118.0),
    ([9900.0, -11300.0], 1500.0, 70.0),
    ([12300.0, -7900.0], 1500.0, 55.0),
    ([2390.0, -1210.0], 165.0, 27.0),
];

const RAIL_MAIN: &[P2] = &[
    [-9600.0, -9000.0],
    [-6000.0, -4700.0],
    [-3900.0, -1900.0],
    [-2900.0, 200.0],
    [-1800.0, 1900.0],
    [-101.0, 2420.0],
    [1500.0, 2900.0],
    [3300.0, 4400.0],
    [4900.0, 6600.0],
    [6600.0, 9800.0],
];

/// The part of the outer motorway that lies in the south.
const SOUTH_BYPASS: &[P2] = &[
    [-9600.0, -10300.0],
    [-6500.0, -10550.0],
    [-2500.0, -10800.0],
    [50.0, -10900.0],
    [2300.0, -10950.0],
    [4600.0, -10700.0],
    [6300.0, -10100.0],
    [8000.0, -8600.0],
];

pub(crate) fn main_roads() -> Vec<MainRoad> {
    let mut out = Vec::new();
    let mut put = |zh, en, class, points| out.push(MainRoad { zh, en, class, points });
    for &(zh, en, class, points) in INNER {
        put(zh, en, class, if class == R { smooth(points, 45.0, false) } else { points.to_vec() });
    }
    let river = smooth(RIVER, 45.0, false);
    put("滨河西路", "Binhe West Road", S, offset(&river, RIVER_ROAD_OFFSET_M));
    put("滨河东路", "Binhe East Road", S, offset(&river, -RIVER_ROAD_OFFSET_M));
    for &(r, zh, en) in RINGS {
        put(zh, en, Class::Expressway, ring_road(r));
    }
    let reach = |x: f64| {
        // Where the fourth ring crosses this line, as distance from its centre.
        let k = 1.0 - (x.abs() / 9000.0).powi(3);
        if k > 0.0 { 9000.0 * k.cbrt() } else { 0.0 }
    };
    for (i, &(x, zh, en)) in NORTH_SOUTH.iter().enumerate() {
        let r = reach(x - CITY_CENTRE[0]);
        put(zh, en, A, wavy([x, CITY_CENTRE[1] - r], [x, CITY_CENTRE[1] + r], i as f64));
    }
    for (i, &(y, x0, x1, zh, en)) in WEST_EAST.iter().enumerate() {
        let r = reach(y - CITY_CENTRE[1]);
        put(zh, en, A, wavy([x0.max(CITY_CENTRE[0] - r), y], [x1.min(CITY_CENTRE[0] + r), y], i as f64 * 1.7));
    }
    put(
        "净月大街",
        "Jingyue Street",
        A,
        smooth(&[[3650.0, -4600.0], [6200.0, -7000.0], [8800.0, -8600.0], [10000.0, -9200.0], [13900.0, -8900.0]], 80.0, false),
    );
    put("长吉公路", "Changji Highway", A, smooth(&[[7000.0, 3500.0], [10000.0, 4600.0], [14000.0, 5200.0]], 100.0, false));
    put("长沈公路", "Changshen Highway", A, vec![[-6700.0, -8100.0], [-7600.0, -9500.0], [-9600.0, -12600.0]]);
    put("超越大街", "Chaoyue Street", A, vec![[-4800.0, -9000.0], [-4850.0, -10600.0], [-5000.0, -12600.0]]);
    put("硅谷大街", "Guigu Street", A, vec![[-2450.0, -9400.0], [-2500.0, -10700.0], [-2600.0, -12600.0]]);
    put("绕城高速公路", "City Bypass", Class::Expressway, smooth(SOUTH_BYPASS, 90.0, false));
    put("长白公路", "Changbai Highway", A, vec![[-6700.0, 5700.0], [-7900.0, 7100.0], [-9600.0, 9200.0]]);
    put("京哈铁路", "Beijing–Harbin Railway", R, smooth(RAIL_MAIN, 90.0, false));
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Zone {
    River,
    Park,
    Hills,
    Plaza,
    OldTown,
    Cbd,
    Residential,
    School,
    Hospital,
    Works,
    /// A district still being planned and built.
    New,
    Rural,
}

impl Zone {
    /// Blocks larger than this (m²) are cut by streets; least side of a block, m.
    pub fn block(self) -> (f64, f64) {
        match self {
            Self::River | Self::Park | Self::Hills | Self::Plaza => (f64::INFINITY, 400.0),
            Self::OldTown => (24_000.0, 85.0),
            Self::Cbd => (34_000.0, 95.0),
            Self::Residential => (52_000.0, 120.0),
            Self::School => (110_000.0, 160.0),
            Self::Hospital => (60_000.0, 130.0),
            Self::Works => (95_000.0, 150.0),
            Self::New => (62_000.0, 140.0),
            Self::Rural => (1_400_000.0, 500.0),
        }
    }
}

fn within(p: P2, x: [f64; 2], y: [f64; 2]) -> bool {
    x[0] <= p[0] && p[0] <= x[1] && y[0] <= p[1] && p[1] <= y[1]
}

/// As the rings count it: the n-th ring road is where this is its radius.
fn from_centre(p: P2) -> f64 {
    let d = sub(p, CITY_CENTRE);
    (d[0].abs().powi(3) + d[1].abs().powi(3)).cbrt()
}

/// Outside the second ring road, where yards are wide.
pub(crate) fn is_outer(p: P2) -> bool {
    from_centre(p) > 4200.0
}

/// Outside the fourth ring road: new towns in the south and the south-east, works in the east and the north, fields between.
fn beyond(p: P2) -> Zone {
    let fields = [
        ([-20_000.0, -6_300.0], [4_800.0, 20_000.0]),
        ([-20_000.0, -6_300.0], [-20_000.0, -9_000.0]),
        ([9_400.0, 20_000.0], [2_600.0, 20_000.0]),
        ([3_800.0, 20_000.0], [-20_000.0, -10_600.0]),
        ([10_900.0, 20_000.0], [-7_200.0, -3_600.0]),
    ];
    if fields.iter().any(|(x, y)| within(p, *x, *y)) {
        return Zone::Rural;
    }
    if dist(p, [7_700.0, -9_500.0]) < 750.0 || dist(p, [1_700.0, -10_900.0]) < 600.0 {
        return Zone::School;
    }
    if within(p, [8_600.0, 20_000.0], [-1_400.0, 2_600.0]) || p[1] > 7_600.0 {
        return Zone::Works;
    }
    if p[1] < -9_800.0 || dist(p, [9_300.0, -7_000.0]) < 1_500.0 { Zone::New } else { Zone::Residential }
}

/// What stands at a place; asked at the middle of a block.
pub(crate) fn zone(p: P2, river_m: f64) -> Zone {
    let from_centre = from_centre(p);
    if river_m < RIVER_ROAD_OFFSET_M - 8.0 {
        return Zone::River;
    }
    if SQUARES.iter().any(|s| dist(s.centre, p) < s.radius * 0.5) || within(p, [-1400.0, -1020.0], [-1180.0, -700.0]) {
        return Zone::Plaza;
    }
    if within(p, [-2450.0, -575.0], [-4166.0, -2350.0])
        || within(p, [10.0, 570.0], [-1170.0, -605.0])
        || within(p, [625.0, 1225.0], [-2480.0, -1790.0])
    {
        return Zone::Park;
    }
    if dist(p, [2390.0, -1210.0]) < 170.0 || dist(p, [12300.0, -10000.0]) < 3600.0 {
        return Zone::Hills;
    }
    if within(p, [-620.0, 20.0], [-2390.0, -1690.0]) || dist(p, [-3300.0, -5700.0]) < 620.0 {
        return Zone::School;
    }
    if within(p, [-1080.0, -630.0], [-1950.0, -1400.0]) || dist(p, [3100.0, -6900.0]) < 260.0 {
        return Zone::Hospital;
    }
    let works = within(p, [2080.0, 3400.0], [-3300.0, -1570.0]);
    if works || dist([p[0] / 1.25, p[1]], [-7000.0 / 1.25, -6100.0]) < 1500.0 || dist(p, [4300.0, 3000.0]) < 900.0 {
        return Zone::Works;
    }
    if within(p, [2080.0, 3000.0], [440.0, 2900.0]) || within(p, [-1500.0, 4500.0], [5900.0, 8300.0]) || dist(p, [6900.0, -6200.0]) < 1500.0
    {
        return Zone::New;
    }
    if from_centre > 8900.0 {
        return beyond(p);
    }
    let along_renmin = p[0].abs() < 330.0 && (-6600.0..420.0).contains(&p[1]);
    if along_renmin || dist(p, [0.0, 0.0]) < 560.0 || (p[1] + 1170.0).abs() < 190.0 && (-1000.0..1250.0).contains(&p[0]) {
        return Zone::Cbd;
    }
    if within(p, [-1500.0, 1900.0], [120.0, 2400.0]) || within(p, [700.0, 1850.0], [-1000.0, 120.0]) {
        return Zone::OldTown;
    }
    if dist(p, [-150.0, -6300.0]) < 800.0 {
        return Zone::Cbd;
    }
    Zone::Residential
}

/// Two-character stems of side streets; 街 runs north–south and 路 west–east, as in the real city.
pub(crate) const STEMS: &[(&str, &str)] = &[
    ("桃源", "Taoyuan"),
    ("永安", "Yong'an"),
    ("百汇", "Baihui"),
    ("明德", "Mingde"),
    ("牡丹", "Mudan"),
    ("义和", "Yihe"),
    ("隆礼", "Longli"),
    ("立信", "Lixin"),
    ("万宝", "Wanbao"),
    ("至善", "Zhishan"),
    ("同德", "Tongde"),
    ("永昌", "Yongchang"),
    ("咸阳", "Xianyang"),
    ("桂林", "Guilin"),
    ("惠工", "Huigong"),
    ("丰顺", "Fengshun"),
    ("安达", "Anda"),
    ("普庆", "Puqing"),
    ("西康", "Xikang"),
    ("清明", "Qingming"),
    ("崇智", "Chongzhi"),
    ("慈光", "Ciguang"),
    ("长江", "Changjiang"),
    ("黄河", "Huanghe"),
    ("珠江", "Zhujiang"),
    ("松江", "Songjiang"),
    ("嫩江", "Nenjiang"),
    ("辽宁", "Liaoning"),
    ("吴淞", "Wusong"),
    ("南京", "Nanjing"),
    ("天津", "Tianjin"),
    ("青岛", "Qingdao"),
    ("杭州", "Hangzhou"),
    ("汉口", "Hankou"),
    ("广州", "Guangzhou"),
    ("厦门", "Xiamen"),
    ("湖光", "Huguang"),
    ("湖滨", "Hubin"),
    ("富锦", "Fujin"),
    ("卫光", "Weiguang"),
    ("开运", "Kaiyun"),
    ("宽平", "Kuanping"),
    ("抚松", "Fusong"),
    ("安龙", "Anlong"),
    ("集安", "Ji'an"),
    ("正阳", "Zhengyang"),
    ("青荫", "Qingyin"),
    ("皓月", "Haoyue"),
    ("春郊", "Chunjiao"),
    ("景阳", "Jingyang"),
    ("和光", "Heguang"),
    ("乐群", "Lequn"),
    ("东岭", "Dongling"),
    ("威海", "Weihai"),
    ("海口", "Haikou"),
    ("珲春", "Hunchun"),
    ("岭东", "Lingdong"),
    ("福安", "Fu'an"),
    ("长白", "Changbai"),
    ("团结", "Tuanjie"),
    ("光复", "Guangfu"),
    ("永春", "Yongchun"),
    ("九台", "Jiutai"),
    ("伊通", "Yitong"),
    ("通化", "Tonghua"),
    ("凯旋", "Kaixuan"),
    ("丹江", "Danjiang"),
    ("民丰", "Minfeng"),
    ("建工", "Jiangong"),
    ("磐石", "Panshi"),
    ("飞虹", "Feihong"),
    ("盛世", "Shengshi"),
];

/// District names by place, roughly.
pub(crate) fn district(p: P2) -> &'static str {
    let d = sub(p, [9000.0, -8500.0]);
    if d[0].hypot(d[1]) < 5200.0 {
        "净月"
    } else if p[0] > 2000.0 {
        "二道区"
    } else if p[1] > 1000.0 {
        if p[0] < -2500.0 { "绿园区" } else { "宽城区" }
    } else if p[0] > 20.0 {
        "南关区"
    } else if p[0] < -5200.0 {
        if p[1] < -3000.0 { "汽开区" } else { "绿园区" }
    } else {
        "朝阳区"
    }
}

/// Labels: Chinese, English, place, rank (1 first).
pub(crate) const LABELS: &[(&str, &str, P2, i64)] = &[
    ("长春", "Changchun", [200.0, -1500.0], 1),
    ("朝阳区", "Chaoyang District", [-1250.0, -400.0], 2),
    ("南关区", "Nanguan District", [880.0, -1450.0], 2),
    ("二道区", "Erdao District", [2720.0, -560.0], 2),
    ("宽城区", "Kuancheng District", [350.0, 3900.0], 2),
    ("绿园区", "Lüyuan District", [-5200.0, 1800.0], 2),
    ("净月", "Jingyue", [8800.0, -8400.0], 2),
    ("人民广场", "People's Square", [0.0, 0.0], 3),
    ("新民广场", "Xinmin Square", [-1090.0, -1950.0], 3),
    ("文化广场", "Culture Square", [-1205.0, -950.0], 3),
    ("卫星广场", "Weixing Square", [43.0, -6230.0], 3),
    ("工农广场", "Gongnong Square", [30.0, -4166.0], 3),
    ("长春站", "Changchun Railway Station", [-101.0, 2330.0], 3),
    ("南湖", "South Lake", [-1250.0, -2720.0], 3),
    ("南湖公园", "South Lake Park", [-1400.0, -2500.0], 4),
    ("伊通河", "Yitong River", [2005.0, -1700.0], 3),
    ("伊通河", "Yitong River", [2065.0, 200.0], 4),
    ("儿童公园", "Children's Park", [290.0, -900.0], 4),
    ("动植物公园", "Zoological and Botanical Park", [920.0, -2130.0], 4),
    ("东山公园", "East Hill Park", [2390.0, -1210.0], 4),
    ("东北师范大学", "Northeast Normal University", [-300.0, -2050.0], 4),
    ("第一医院", "First Hospital", [-850.0, -1650.0], 4),
    ("东部工厂区", "Eastern works", [2420.0, -2050.0], 4),
    ("汽车厂", "Car works", [-7000.0, -6100.0], 3),
    ("净月潭", "Jingyue Reservoir", [11100.0, -10000.0], 3),
    ("重庆路商圈", "Chongqing Road shops", [330.0, 430.0], 4),
];
