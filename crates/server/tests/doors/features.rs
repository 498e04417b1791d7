use crate::city::{GEOID, HOME, city};
use serde_json::{Value, json};

fn ids(v: &Value) -> Vec<&str> {
    v["features"].as_array().expect("features").iter().map(|f| f["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn the_way_in_is_as_clients_walk_it() {
    let city = city();
    let landing = city.get("/ogc").await.json();
    for rel in ["self", "service-desc", "conformance", "data"] {
        let link = landing["links"].as_array().expect("links").iter().find(|l| l["rel"] == rel).unwrap_or_else(|| panic!("{rel}"));
        let href = link["href"].as_str().expect("text").strip_prefix("http://127.0.0.1:8080").expect("our own address");
        assert_eq!(city.get(href).await.status, 200, "{rel}");
    }
    let conforms = city.get("/ogc/conformance").await.json()["conformsTo"].to_string();
    assert!(conforms.contains("ogcapi-features-1/1.0/conf/core") && conforms.contains("cql2-text"));
    let all = city.get("/ogc/collections").await.json();
    let names: Vec<&str> = all["collections"].as_array().expect("list").iter().map(|c| c["id"].as_str().expect("id")).collect();
    assert_eq!(names, ["buildings", "gauges", "places", "terrain"], "pipes are not public");
    let one = city.get("/ogc/collections/buildings").await.json();
    let b: Vec<f64> = serde_json::from_value(one["extent"]["spatial"]["bbox"][0].clone()).expect("four numbers");
    assert!(b[0] < 125.3 && b[2] > 125.3 && b[1] < 43.9 && b[3] > 43.92, "{b:?}");
    assert_eq!(one["storageCrs"], "http://www.opengis.net/def/crs/EPSG/0/4551");
    let q = city.get("/ogc/collections/buildings/queryables").await;
    assert_eq!(q.header("content-type"), "application/schema+json");
    let q = q.json();
    assert_eq!(q["properties"]["height_m"]["type"], "number");
    assert!(q["properties"].get("owner").is_none(), "a hidden attribute is no queryable");
}

#[tokio::test]
async fn coordinates_are_those_of_proj() {
    let city = city();
    let f = city.get("/ogc/collections/places/items/p00").await;
    assert_eq!(
        (f.header("content-type"), f.header("content-crs")),
        ("application/geo+json", "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>")
    );
    let f = f.json();
    let c: Vec<f64> = serde_json::from_value(f["geometry"]["coordinates"].clone()).expect("a point");
    assert!((c[0] - 125.3).abs() < 1e-8 && (c[1] - 43.9).abs() < 1e-8 && c[2] == 200.0 + GEOID, "{c:?}");
    assert_eq!((f["type"].as_str(), f["id"].as_str(), &f["properties"]["name_zh"]), (Some("Feature"), Some("p00"), &json!("地点0")));
    assert_eq!(f["properties"]["valid_from"], Value::Null);
    let own = city.get("/ogc/collections/places/items/p00?crs=http://www.opengis.net/def/crs/EPSG/0/4551").await;
    assert_eq!(own.header("content-crs"), "<http://www.opengis.net/def/crs/EPSG/0/4551>");
    let c: Vec<f64> = serde_json::from_value(own.json()["geometry"]["coordinates"].clone()).expect("a point");
    assert!((c[0] - HOME[1]).abs() < 1e-3 && (c[1] - HOME[0]).abs() < 1e-3, "EPSG:4551 is northing, easting: {c:?}");
    let c = city.get("/ogc/collections/places/items/p00?crs=http://www.opengis.net/def/crs/EPSG/0/4326").await.json()["geometry"]["coordinates"].clone();
    assert!((c[0].as_f64().expect("lat") - 43.9).abs() < 1e-8);
    let tin = city.get("/ogc/collections/terrain/items/t1").await.json();
    assert_eq!((&tin["geometry"]["type"], tin["geometry"]["coordinates"].as_array().map(Vec::len)), (&json!("MultiPolygon"), Some(2)));
    let b = city.get("/ogc/collections/buildings/items/b1").await.json();
    assert_eq!((&b["properties"]["height_m"], &b["properties"]["valid_from"]), (&json!(33.0), &json!("2012-01-01")));
    assert!(b["properties"].get("owner").is_none());
    assert_eq!(city.keeper("/ogc/collections/buildings/items/b1").await.json()["properties"]["owner"], "Mr Hidden");
}

#[tokio::test]
async fn boxes_take_what_lies_in_them() {
    let city = city();
    let got = async |query: &str| {
        let a = city.get(&format!("/ogc/collections/buildings/items?{query}")).await;
        assert_eq!(a.status, 200, "{query}: {}", String::from_utf8_lossy(&a.body));
        let mut v: Vec<String> = ids(&a.json()).into_iter().map(str::to_owned).collect();
        v.sort();
        v.join(" ")
    };
    // 0.0001° is 11 m north and 8 m east here; b1 is 40 m wide, b2 stands 200 m (0.0025°) to the east.
    assert_eq!(got("bbox=125.2999,43.8999,125.3001,43.9001").await, "b1");
    assert_eq!(got("bbox=125.3001,43.8999,125.3026,43.9001").await, "b1 b2");
    assert_eq!(got("bbox=125.3006,43.8999,125.3015,43.9001").await, "", "between the two");
    assert_eq!(got("bbox=-180,-90,180,90").await, "b1 b2 b3", "the whole world");
    assert_eq!(got("bbox=170,-90,-170,90").await, "", "across the antimeridian is a sound box");
    assert_eq!(got("bbox=120,-90,-170,90").await, "b1 b2 b3");
    assert_eq!(got("bbox=10,10,11,11").await, "");
    assert_eq!(got("bbox=125.29,43.89,0,125.31,43.91,100").await, "", "below the ground");
    assert_eq!(got("bbox=125.29,43.89,150,125.31,43.91,250").await, "b1 b2");
    let own = "bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4551";
    assert_eq!(got(&format!("bbox={},{},{},{}&{own}", HOME[1] - 5.0, HOME[0] - 5.0, HOME[1] + 5.0, HOME[0] + 5.0)).await, "b1");
    // A box in the corner of b1's own box but beside the slanted square of degrees is told apart by the geometry:
    // the triangle of terrain south-east of the diagonal.
    let north_west = city.get("/ogc/collections/terrain/items?bbox=125.2,43.8,125.2633,43.92&resultType=hits").await.json();
    assert_eq!(north_west["numberMatched"], 1);
}

#[tokio::test]
async fn time_filters_and_pages() {
    let city = city();
    let got = async |query: &str| {
        let a = city.get(&format!("/ogc/collections/{query}")).await;
        assert_eq!(a.status, 200, "{query}: {}", String::from_utf8_lossy(&a.body));
        a.json()
    };
    assert_eq!(ids(&got("buildings/items?datetime=2000-06-01").await).len(), 2, "b2 and b3");
    assert_eq!(ids(&got("buildings/items?datetime=2005-01-01").await), ["b3"], "an end does not belong to an interval");
    assert_eq!(ids(&got("buildings/items?datetime=2004-12-31/..").await).len(), 3);
    assert_eq!(ids(&got("buildings/items?filter=height_m%20%3E%2030%20AND%20floors%20IN%20(10,11)").await), ["b1"]);
    assert_eq!(ids(&got("buildings/items?floors=4").await), ["b2"]);
    assert_eq!(ids(&got("buildings/items?name=%27%20OR%201=1--").await).len(), 0);
    assert_eq!(got("buildings/items?v=1&floors=10").await["features"][0]["properties"]["height_m"], 30.5, "the older version");
    assert_eq!(got("places/items?resultType=hits").await["numberMatched"], 25);

    let (mut seen, mut address, mut pages) = (Vec::new(), "/ogc/collections/places/items?limit=10".to_owned(), 0);
    loop {
        let page = city.get(&address).await.json();
        pages += 1;
        assert_eq!(page["numberReturned"].as_u64(), Some(ids(&page).len() as u64));
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let next = page["links"]
            .as_array()
            .expect("links")
            .iter()
            .find(|l| l["rel"] == "next")
            .map(|l| l["href"].as_str().expect("text").to_owned());
        match next {
            Some(href) => address = href.strip_prefix("http://127.0.0.1:8080").expect("our own address").to_owned(),
            None => break,
        }
    }
    seen.sort();
    let expected: Vec<String> = (0..25).map(|i| format!("p{i:02}")).collect();
    assert_eq!((seen, pages), (expected, 3));
    assert!(address.contains("v=2"), "pages are of one version: {address}");
    // The same walk with a box, whose hits are counted behind the index.
    let page = got("places/items?limit=7&offset=14&bbox=125.29,43.89,125.31,43.91").await;
    assert_eq!(ids(&page).len(), 7);
    let page = got("places/items?limit=7&offset=21&bbox=125.29,43.89,125.31,43.91").await;
    assert_eq!(ids(&page).len(), 4);
}

#[tokio::test]
async fn the_viewer_learns_what_it_asks() {
    let city = city();
    let c = city.get("/api/city").await.json();
    assert_eq!((&c["version"], &c["synthetic"], &c["crs"]), (&json!(2), &json!(true), &json!("EPSG:4551+5737")));
    assert_eq!(c["layers"].as_array().expect("list").len(), 4);
    assert_eq!((&c["layers"][2]["id"], &c["layers"][2]["count"]), (&json!("places"), &json!(25)));
    assert_eq!(c["anchors"][0]["name"], "cbd");
    let day = |y| strata_model::Instant::from_ymd(y, 1, 1).day();
    assert_eq!(c["changes"], json!([[day(1990), 1, 0], [day(2005), 0, 1], [day(2012), 1, 0]]));
    assert_eq!(city.keeper("/api/city").await.json()["layers"].as_array().expect("list").len(), 6);

    let card = city.get("/api/features/buildings/b1").await.json();
    assert_eq!(card["attributes"][1], json!({ "name": "height_m", "title_zh": "高度", "title_en": "height", "unit": "m", "value": 33.0 }));
    assert_eq!(card["attributes"].as_array().expect("list").len(), 3, "the owner is hidden");
    assert_eq!(card["valid"], json!(["2012-01-01", ".."]));
    assert_eq!((&card["versions"][0]["until"], &card["versions"][1]["since"]), (&json!(2), &json!(2)));

    let v = city.get("/api/versions").await;
    assert!(!String::from_utf8_lossy(&v.body).contains("errand") && v.json()["versions"].as_array().map(Vec::len) == Some(2));
    assert_eq!(city.keeper("/api/versions").await.json()["versions"][1]["message"], "second errand");
    let d = city.get("/api/versions/1/diff/2").await.json();
    assert_eq!(d["layers"][0]["changed"], json!([{ "id": "b1", "fields": ["height_m", "floors"] }]));
    assert!(!d.to_string().contains("PIPE"));
    assert_eq!(city.keeper("/api/versions/1/diff/2?layer=pipes").await.json()["layers"][0]["removed"], json!(["PIPE-2"]));
    assert_eq!(city.get("/api/versions/1/diff/3").await.status, 404);
}

#[tokio::test]
async fn features_are_found_by_name_and_by_id_and_hidden_ones_are_not() {
    let city = city();
    let got = async |q: &str| city.get(&format!("/api/search?q={q}")).await.json();
    let by = |v: &Value| -> Vec<(String, String)> {
        let text = |h: &Value, k: &str| h[k].as_str().expect("text").to_owned();
        v["hits"].as_array().expect("hits").iter().map(|h| (text(h, "layer"), text(h, "id"))).collect()
    };
    // 地点1 itself before 地点10 … 地点19.
    let found = got("%E5%9C%B0%E7%82%B9%201").await;
    assert_eq!((found["total"].as_u64(), &by(&found)[0]), (Some(11), &("places".into(), "p01".into())), "{found}");
    assert!((found["hits"][0]["place"][1].as_f64().expect("a latitude") - 43.9).abs() < 0.1);
    let one = got("b1").await;
    assert_eq!((by(&one), &one["hits"][0]["by"]), (vec![("buildings".into(), "b1".into())], &json!("id")));
    // The owner of b1 is hidden from the public, and pipes are.
    assert_eq!(got("mr%20hidden").await["total"], 0);
    let pipe = city.keeper("/api/search?q=PIPE-0").await.json();
    assert_eq!((got("PIPE-0").await["total"].as_u64(), by(&pipe)), (Some(0), vec![("pipes".into(), "PIPE-0".into())]));
    let few = got("%E5%9C%B0%E7%82%B9&limit=3").await;
    assert_eq!((few["total"].as_u64(), few["hits"].as_array().map(Vec::len)), (Some(25), Some(3)));
    for bad in ["", "%20", "%2E%2E"] {
        assert_eq!(city.get(&format!("/api/search?q={bad}")).await.status, 400, "{bad}");
    }
}
