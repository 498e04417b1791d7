use crate::city::{HOME, city};
use strata_model::{Crs, EARTH_A_M, Scope, WorkingFrame};
use strata_tiles::{decode_mvt, height_from_terrarium};

fn home_tile(z: u8) -> (u32, u32) {
    let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known");
    let m = frame.mercator_from_working(HOME).expect("inside");
    let half = std::f64::consts::PI * EARTH_A_M;
    let n = f64::from(1u32 << z) / (2.0 * half);
    (((m[0] + half) * n) as u32, ((half - m[1]) * n) as u32)
}

#[tokio::test]
async fn a_vector_tile_holds_what_stands_there() {
    let city = city();
    let (x, y) = home_tile(15);
    let tile = city.get(&format!("/tiles/buildings/15/{x}/{y}.mvt")).await;
    assert_eq!((tile.status.as_u16(), tile.header("content-type")), (200, "application/vnd.mapbox-vector-tile"));
    let layers = decode_mvt(&tile.body).expect("sound");
    assert_eq!((layers.len(), layers[0].name.as_str()), (1, "buildings"));
    let mut ids: Vec<String> = layers[0].features.iter().filter_map(|f| f.tag("id")?.as_str().map(str::to_owned)).collect();
    ids.sort();
    assert_eq!(ids, ["b1", "b2"]);
    assert!(layers[0].features.iter().all(|f| f.tag("owner").is_none() && f.tag("valid_from_day").is_some()));
    let then = city.get(&format!("/tiles/buildings/15/{x}/{y}.mvt?t=2000-01-01")).await;
    assert_eq!(decode_mvt(&then.body).expect("sound")[0].features.len(), 1);
    let ogc = city.get(&format!("/ogc/collections/buildings/tiles/WebMercatorQuad/15/{y}/{x}")).await;
    assert_eq!(ogc.body, tile.body, "row before column");
    assert_eq!(city.get(&format!("/tiles/buildings/15/{x}/{y}.pbf")).await.body, tile.body);
    assert_eq!(city.get("/tiles/buildings/15/0/0.mvt").await.body.len(), 0);
    let inside = strata_server::content(&city.state, &format!("/tiles/buildings/15/{x}/{y}.mvt"), &Scope::public()).expect("the same");
    assert_eq!(inside.bytes, tile.body);
}

#[tokio::test]
async fn the_tileset_leads_to_every_feature_once() {
    let city = city();
    let t = city.get("/3dtiles/buildings/tileset.json").await;
    assert_eq!((t.status.as_u16(), t.header("content-type")), (200, "application/json"));
    let t = t.json();
    assert_eq!((&t["asset"]["version"], &t["root"]["implicitTiling"]["subdivisionScheme"]), (&"1.1".into(), &"QUADTREE".into()));
    assert!(!t.to_string().contains("owner"), "a hidden attribute stands in no schema");
    let levels = t["root"]["implicitTiling"]["availableLevels"].as_u64().expect("levels") as u32;
    let subtree = city.get("/3dtiles/buildings/subtrees/0/0/0.subtree").await;
    assert_eq!((subtree.status.as_u16(), &subtree.body[..4]), (200, &b"subt"[..]));
    let (mut ids, leaf) = (Vec::new(), levels - 1);
    for (x, y) in (0..1u32 << leaf).flat_map(|x| (0..1u32 << leaf).map(move |y| (x, y))) {
        let glb = city.get(&format!("/3dtiles/buildings/content/{leaf}/{x}/{y}.glb")).await;
        if glb.status == 200 {
            assert_eq!(glb.header("content-type"), "model/gltf-binary");
            let content = strata_tiles::decode_glb(&glb.body).expect("sound");
            assert!(!content.features.columns.contains_key("owner"));
            ids.extend(content.features.ids);
        }
    }
    ids.sort();
    assert_eq!(ids, ["b1", "b2", "b3"]);
    assert_eq!(city.keeper("/3dtiles/pipes/tileset.json").await.status, 200);
}

#[tokio::test]
async fn tilejson_and_styles_point_home_and_name_nothing_hidden() {
    let city = city();
    let t = city.get("/tiles/buildings.json").await.json();
    assert_eq!(t["tiles"][0], "http://127.0.0.1:8080/tiles/buildings/{z}/{x}/{y}.mvt");
    assert!(t["vector_layers"][0]["fields"].get("height_m").is_some() && t["tilejson"] == "3.0.0");
    assert!(t["bounds"][0].as_f64().expect("west") < 125.3);
    let style = city.get("/styles/planner.json").await;
    let text = String::from_utf8_lossy(&style.body).into_owned();
    assert!(!text.contains("pipes") && text.contains("http://127.0.0.1:8080/tiles/buildings.json"), "{text}");
    assert_eq!(style.json()["layers"].as_array().expect("layers").len(), 2);
    assert_eq!(city.keeper("/styles/planner.json").await.json()["layers"].as_array().expect("layers").len(), 4);
    assert_eq!(city.get("/styles").await.json()["scenes"][0]["title"]["zh"], "规划");
}

#[tokio::test]
async fn terrain_is_the_surface_of_the_tin() {
    let city = city();
    let (x, y) = home_tile(15);
    let picture = city.get(&format!("/terrain/15/{x}/{y}.png")).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/png"));
    let mut reader = png_reader(&picture.body);
    let (pixels, frame) = (reader.remove(0), WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known"));
    let b = strata_model::TileId::new(15, x, y).expect("inside").bounds_mercator_m();
    for (row, column) in [(0usize, 0usize), (128, 17), (255, 255)] {
        let at = |k: usize, i: usize| b.min[k] + (b.max[k] - b.min[k]) * (i as f64 + 0.5) / 256.0;
        let m = [at(0, column), at(1, 255 - row)];
        let w = frame.working_from_geographic(strata_model::geographic_from_mercator(m)).expect("inside");
        // The two triangles make one plane that rises 60 m over 6 km to the north.
        let expected = 230.0 + (w[1] - HOME[1]) / 100.0;
        let i = (row * 256 + column) * 3;
        let got = height_from_terrarium([pixels[i], pixels[i + 1], pixels[i + 2]]);
        assert!((got - expected).abs() < 1.0 / 256.0, "{got} is not {expected}");
    }
    assert_eq!(city.get("/terrain/15/0/0.png").await.status, 404);
}

/// Unpacks an 8-bit RGB picture by hand: the chunks, one zlib stream, the five filters.
fn png_reader(bytes: &[u8]) -> Vec<Vec<u8>> {
    use std::io::Read;
    let (mut at, mut packed) = (8, Vec::new());
    while at + 8 <= bytes.len() {
        let n = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
        if &bytes[at + 4..at + 8] == b"IDAT" {
            packed.extend_from_slice(&bytes[at + 8..at + 8 + n]);
        }
        at += 12 + n;
    }
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut raw).expect("zlib");
    let (w, mut out) = (256 * 3, Vec::<u8>::new());
    for row in raw.chunks_exact(w + 1) {
        let start = out.len();
        for i in 0..w {
            let left = if i >= 3 { out[start + i - 3] } else { 0 };
            let up = if start > 0 { out[start - w + i] } else { 0 };
            let corner = if start > 0 && i >= 3 { out[start - w + i - 3] } else { 0 };
            let add = match row[0] {
                0 => 0,
                1 => left,
                2 => up,
                3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                _ => {
                    let (a, b, c) = (i32::from(left), i32::from(up), i32::from(corner));
                    let p = a + b - c;
                    let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
                    if pa <= pb && pa <= pc {
                        left
                    } else if pb <= pc {
                        up
                    } else {
                        corner
                    }
                }
            };
            out.push(row[i + 1].wrapping_add(add));
        }
    }
    vec![out]
}

#[tokio::test]
async fn tags_are_strong_and_packed_forms_have_their_own() {
    use axum::{body::Body, http::Request};
    let city = city();
    let address = "/ogc/collections/places/items?limit=25";
    let plain = city.get(address).await;
    let tag = plain.header("etag").to_owned();
    assert!(tag.starts_with('"') && plain.header("cache-control") == "public, no-cache");
    let ask = async |name: &'static str, value: &str| {
        city.send(Request::get(address).header(name, value).body(Body::empty()).expect("a request")).await
    };
    let again = ask("if-none-match", &tag).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
    let packed = ask("accept-encoding", "gzip").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() && packed.header("etag") == format!("{}-gzip\"", &tag[..tag.len() - 1]));
    assert_eq!(ask("if-none-match", packed.header("etag")).await.status, 304);
    assert_eq!(ask("if-none-match", "\"other\"").await.status, 200);
    let keeper = city.keeper("/ogc/collections/buildings/items").await;
    assert_eq!(keeper.header("cache-control"), "private, no-cache");
    assert_ne!(keeper.header("etag"), city.get("/ogc/collections/buildings/items").await.header("etag"));
    assert!(keeper.headers.get_all("vary").iter().any(|v| v == "authorization, cookie"));
}
