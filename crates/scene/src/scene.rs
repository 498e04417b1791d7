//! Scene files.

use crate::{Camera, Overlay, SceneError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use strata_model::{Instant, Theme};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Title {
    pub zh: String,
    pub en: String,
}

/// A named place that the city publishes for cameras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    pub name: String,
    pub title: Title,
    /// `[lon_deg, lat_deg, ellipsoidal_height_m]`.
    pub position: [f64; 3],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraSpec {
    /// Either an anchor of the city …
    #[serde(default)]
    pub anchor: Option<String>,
    /// … or `[lon_deg, lat_deg, ellipsoidal_height_m]`.
    #[serde(default)]
    pub target: Option<[f64; 3]>,
    pub distance_m: f64,
    #[serde(default)]
    pub heading_deg: f64,
    pub pitch_deg: f64,
    #[serde(default)]
    pub fov_y_deg: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Surface,
    /// Ground and buildings faint, pipes clear.
    Xray,
    /// A box of ground taken away at the camera's target.
    Cutaway,
    /// The camera is under the ground.
    Below,
}

/// One layer of the scene, in drawing order of the style.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SceneLayer {
    pub id: String,
    pub theme: Theme,
    /// Address of the 3D tileset, relative to the server's root.
    pub tileset: String,
    pub visible: bool,
    pub opacity: f32,
    /// The style's paint, for what the renderer wants to know of it.
    pub paint: Value,
}

/// A box in the city that cuts what is drawn: only what lies inside of it is, or only what lies outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionBox {
    /// `[lon_deg, lat_deg, ellipsoidal height_m]` from which the faces are measured.
    pub centre: [f64; 3],
    /// Of the box's second axis from north, clockwise; the first is to its right, the third is up.
    #[serde(default)]
    pub heading_deg: f64,
    /// Faces along the three axes, m from the centre.
    pub low_m: [f64; 3],
    pub high_m: [f64; 3],
    /// What lies outside stays, and what lies inside goes.
    #[serde(default)]
    pub outside: bool,
    /// Corners of a plan, m along the first and the second axis from the centre, in either turn, the last joined to the first:
    /// of the box only what lies over it counts. None: the whole box.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<[f64; 2]>,
}

impl SectionBox {
    /// Of an outline.
    pub const MOST_CORNERS: usize = 24;

    /// Whether the faces stand in their order, the outline encloses a plan without crossing itself, and all is finite.
    pub fn is_sound(&self) -> bool {
        let all = self.centre.iter().chain(&self.low_m).chain(&self.high_m).chain([&self.heading_deg]);
        all.chain(self.outline.iter().flatten()).copied().all(f64::is_finite)
            && (0..3).all(|k| self.high_m[k] - self.low_m[k] >= 0.01)
            && (self.outline.is_empty() || encloses(&self.outline))
    }
}

/// A ring of at least three corners with an area, of which no two sides cross or touch but neighbours at their corner.
fn encloses(ring: &[[f64; 2]]) -> bool {
    let n = ring.len();
    if !(3..=SectionBox::MOST_CORNERS).contains(&n) {
        return false;
    }
    let turn = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    let side = |i: usize| (ring[i % n], ring[(i + 1) % n]);
    let apart = |i: usize, j: usize| {
        let ((a, b), (c, d)) = (side(i), side(j));
        turn(a, b, c) * turn(a, b, d) > 0.0 || turn(c, d, a) * turn(c, d, b) > 0.0
    };
    let area: f64 = (1..n - 1).map(|i| turn(ring[0], ring[i], ring[i + 1])).sum();
    area.abs() >= 0.01 && (0..n).all(|i| (i + 2..n).filter(|j| (j + 1) % n != i).all(|j| apart(i, j)))
}

#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub name: String,
    pub title: Title,
    pub camera: CameraSpec,
    /// Valid-time instant and the light's clock at once: one clock drives light, shadow and study.
    pub time: Instant,
    pub mode: Mode,
    /// A second date: what was added and removed between it and `time` is coloured.
    pub compare: Option<Instant>,
    /// Side and depth of the cut-away box, metres `[east, north, depth]`.
    pub cutaway_m: [f64; 3],
    /// Without a centre of its own it stands about what the camera looks at.
    section: Option<(bool, SectionBox)>,
    pub contours: bool,
    pub labels: bool,
    pub layers: Vec<SceneLayer>,
    /// Application layers over the city, in drawing order.
    pub overlays: Vec<Overlay>,
}

impl Scene {
    /// Reads a MapLibre style. Of its `metadata`:
    ///
    /// | key | value |
    /// |---|---|
    /// | `strata:title` | `{zh, en}` |
    /// | `strata:camera` | [`CameraSpec`] |
    /// | `strata:time` | ISO 8601 with offset |
    /// | `strata:mode` | `surface`, `xray`, `cutaway`, `below` |
    /// | `strata:compare` | a date |
    /// | `strata:cutaway_m` | `[east, north, depth]` |
    /// | `strata:section` | [`SectionBox`]; without `centre` about what the camera looks at |
    /// | `strata:contours`, `strata:labels` | true or false |
    /// | `strata:overlays` | list of [`Overlay`] |
    ///
    /// and of a layer's: `strata:tileset` (address), `strata:theme`. Layers without a tileset are the flat map's own.
    pub fn parse(text: &str) -> Result<Self, SceneError> {
        let style: Value = serde_json::from_str(text)?;
        let fault = |key: &str, reason: &str| SceneError::Scene { key: key.into(), reason: reason.into() };
        if style["version"] != 8 {
            return Err(fault("version", "a style of version 8 is wanted"));
        }
        let meta = &style["metadata"];
        let part = |key: &str| meta.get(key).filter(|v| !v.is_null()).cloned();
        fn read<T: serde::de::DeserializeOwned>(key: &str, value: Value) -> Result<T, SceneError> {
            serde_json::from_value(value).map_err(|e| SceneError::Scene { key: key.into(), reason: e.to_string() })
        }
        let name = style["name"].as_str().unwrap_or("scene").to_owned();
        let title = part("strata:title")
            .map(|v| read("strata:title", v))
            .transpose()?
            .unwrap_or_else(|| Title { zh: name.clone(), en: name.clone() });
        let camera: CameraSpec = read("strata:camera", part("strata:camera").ok_or_else(|| fault("strata:camera", "it is missing"))?)?;
        if !(camera.distance_m.is_finite() && camera.distance_m > 0.0) || (camera.anchor.is_none() && camera.target.is_none()) {
            return Err(fault("strata:camera", "it wants a distance and an anchor or a target"));
        }
        let flag = |key: &str| meta.get(key).and_then(Value::as_bool).unwrap_or(false);
        let mut layers = Vec::new();
        let mut seen = BTreeMap::new();
        for (i, layer) in style["layers"].as_array().ok_or_else(|| fault("layers", "they are missing"))?.iter().enumerate() {
            let id = layer["id"].as_str().ok_or_else(|| fault(&format!("layers[{i}].id"), "it is missing"))?.to_owned();
            if seen.insert(id.clone(), ()).is_some() {
                return Err(fault(&format!("layers[{i}].id"), "it stands twice"));
            }
            let Some(tileset) = layer["metadata"]["strata:tileset"].as_str() else { continue };
            let theme = layer["metadata"].get("strata:theme").cloned().unwrap_or("other".into());
            let opacity = |v: &Value| v.as_f64().map(|v| v as f32);
            layers.push(SceneLayer {
                theme: read(&format!("layers[{i}].strata:theme"), theme)?,
                tileset: tileset.to_owned(),
                visible: layer["layout"]["visibility"] != "none",
                opacity: ["fill-opacity", "line-opacity", "fill-extrusion-opacity", "circle-opacity"]
                    .iter()
                    .find_map(|k| opacity(&layer["paint"][k]))
                    .unwrap_or(1.0),
                paint: layer["paint"].clone(),
                id,
            });
        }
        let overlays = match part("strata:overlays") {
            None => Vec::new(),
            Some(Value::Array(list)) => list
                .into_iter()
                .enumerate()
                .map(|(i, v)| Overlay::read(v, &format!("strata:overlays[{i}]")))
                .collect::<Result<Vec<_>, _>>()?,
            Some(_) => return Err(fault("strata:overlays", "a list is wanted")),
        };
        if let Some(twice) = overlays.iter().enumerate().find(|(i, o)| overlays[..*i].iter().any(|p| p.id == o.id)) {
            return Err(fault(&format!("strata:overlays[{}].id", twice.0), "it stands twice"));
        }
        let section = part("strata:section").map(|mut v| {
            let own = v.get("centre").is_some();
            if let Some(fields) = v.as_object_mut().filter(|_| !own) {
                fields.insert("centre".into(), [0.0; 3].into_iter().collect());
            }
            let section: SectionBox = read("strata:section", v)?;
            if !section.is_sound() {
                return Err(fault("strata:section", "its faces do not stand in their order, or its outline crosses itself"));
            }
            Ok((own, section))
        });
        Ok(Self {
            name,
            title,
            camera,
            time: read("strata:time", part("strata:time").ok_or_else(|| fault("strata:time", "it is missing"))?)?,
            mode: part("strata:mode").map(|v| read("strata:mode", v)).transpose()?.unwrap_or_default(),
            compare: part("strata:compare").map(|v| read("strata:compare", v)).transpose()?,
            cutaway_m: part("strata:cutaway_m").map(|v| read("strata:cutaway_m", v)).transpose()?.unwrap_or([24.0, 24.0, 6.0]),
            section: section.transpose()?,
            contours: flag("strata:contours"),
            labels: meta.get("strata:labels").and_then(Value::as_bool).unwrap_or(true),
            layers,
            overlays,
        })
    }

    /// The camera of the scene in a city with these anchors.
    pub fn camera(&self, anchors: &[Anchor]) -> Result<Camera, SceneError> {
        self.camera.camera(anchors)
    }
    /// Whether a section cuts it.
    pub fn is_cut(&self) -> bool {
        self.section.is_some()
    }
    /// The box that cuts it, under this camera.
    pub fn section(&self, camera: &Camera) -> Option<SectionBox> {
        self.section.clone().map(|(own, s)| if own { s } else { SectionBox { centre: camera.target, ..s } })
    }
}

impl CameraSpec {
    /// The camera in a city with these anchors.
    pub fn camera(&self, anchors: &[Anchor]) -> Result<Camera, SceneError> {
        let target = match (&self.anchor, self.target) {
            (Some(name), _) => {
                anchors.iter().find(|a| a.name == *name).ok_or_else(|| SceneError::UnknownAnchor { name: name.clone() })?.position
            }
            (None, Some(target)) => target,
            (None, None) => return Err(SceneError::Scene { key: "strata:camera".into(), reason: "no anchor and no target".into() }),
        };
        let mut camera = Camera::new(target, self.distance_m, self.heading_deg, self.pitch_deg);
        if let Some(fov) = self.fov_y_deg {
            camera.fov_y_deg = fov.clamp(5.0, 120.0);
        }
        Ok(camera)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_stands_about_the_target_unless_it_says_where() {
        let parse = |section: &str| {
            Scene::parse(&format!(
                r#"{{"version":8,"metadata":{{"strata:camera":{{"target":[125.3,43.9,200.0],"distance_m":900,"pitch_deg":-30}},
                "strata:time":"2026-06-21T09:30:00+08:00","strata:section":{section}}},"layers":[]}}"#
            ))
        };
        let of = |section: &str| {
            let scene = parse(section).expect("a scene");
            scene.section(&scene.camera(&[]).expect("a camera"))
        };
        let faces = r#""low_m":[-20,-20,-6],"high_m":[20,20,40]"#;
        assert_eq!(of("null"), None);
        let here = of(&format!("{{{faces}}}")).expect("a box");
        assert_eq!((here.centre, here.heading_deg, here.outside, here.high_m[2]), ([125.3, 43.9, 200.0], 0.0, false, 40.0));
        let there = of(&format!(r#"{{"centre":[125.4,43.8,190.0],"outside":true,{faces}}}"#)).expect("a box");
        assert_eq!((there.centre, there.outside), ([125.4, 43.8, 190.0], true));
        let bay = of(&format!(r#"{{{faces},"outline":[[-9,-8],[9,-7],[8,9],[1,-1],[-8,7]]}}"#)).expect("a box");
        assert_eq!((bay.outline.len(), bay.outline[3]), (5, [1.0, -1.0]));
        let with = |outline: &str| format!(r#"{{{faces},"outline":{outline}}}"#);
        let many = serde_json::to_string(&(0..25).map(|i| (f64::from(i) / 4.0).sin_cos()).collect::<Vec<_>>()).expect("text");
        let crossed = ["[[0,0],[9,9],[9,0],[0,9]]", "[[0,0],[9,0]]", "[[0,0],[5,0],[9,0]]", "[[0,0],[9,0],[9,9],[5,0]]", &many].map(with);
        let others = [r#"{"low_m":[1,1,1],"high_m":[0,2,2]}"#, r#"{"low_m":[0,0,0]}"#, "7", &format!(r#"{{{faces},"polygon":[]}}"#)]
            .map(str::to_owned);
        for wrong in crossed.iter().chain(&others) {
            let told = parse(wrong).expect_err(wrong).to_string();
            assert!(told.contains("strata:section"), "{told}");
        }
    }

    #[test]
    fn a_style_with_strata_keys_is_a_scene() {
        let scene = Scene::parse(
            r#"{"version":8,"name":"01-city-day","metadata":{"strata:title":{"zh":"城","en":"City"},
            "strata:camera":{"anchor":"cbd","distance_m":2600,"heading_deg":330,"pitch_deg":-28},"strata:time":"2026-06-21T09:30:00+08:00"},
            "sources":{},"layers":[{"id":"land","type":"background"},
            {"id":"buildings","type":"fill-extrusion","paint":{"fill-extrusion-opacity":0.5},"metadata":{"strata:tileset":"/3dtiles/buildings/tileset.json","strata:theme":"building"}}]}"#,
        )
        .expect("a scene");
        assert_eq!(scene.time, Instant::parse("2026-06-21T01:30:00Z").expect("a time"));
        assert_eq!(scene.layers.len(), 1);
        assert_eq!((scene.layers[0].theme, scene.layers[0].opacity), (Theme::Building, 0.5));
        assert!(matches!(scene.camera(&[]), Err(SceneError::UnknownAnchor { .. })));
        let anchor = Anchor { name: "cbd".into(), title: Title::default(), position: [125.3, 43.9, 200.0] };
        assert_eq!(scene.camera(&[anchor]).expect("a camera").distance_m, 2600.0);
    }

    #[test]
    fn what_is_no_scene_is_named() {
        for (text, word) in [
            ("{", "JSON"),
            (r#"{"version":7}"#, "version"),
            (r#"{"version":8,"layers":[]}"#, "strata:camera"),
            (
                r#"{"version":8,"metadata":{"strata:camera":{"anchor":"a","distance_m":1,"pitch_deg":0},"strata:time":"soon"},"layers":[]}"#,
                "strata:time",
            ),
        ] {
            let error = Scene::parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
