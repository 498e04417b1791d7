//! Rows of `gpkg_spatial_ref_sys`. WKT 1 after the EPSG registry; geometry is stored east, north whatever
//! the AXIS lines say, as the GeoPackage standard wants.

const WGS84: &str = r#"GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]"#;
const CGCS2000: &str = r#"GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4490"]]"#;

pub(crate) struct Srs {
    pub name: String,
    pub id: i32,
    pub organization: &'static str,
    pub definition: String,
}

/// The three that the standard asks for, then the city's own.
pub(crate) fn rows(horizontal: u16) -> Vec<Srs> {
    let row = |name: &str, id, organization, definition: &str| Srs { name: name.into(), id, organization, definition: definition.into() };
    let mut rows = vec![
        row("Undefined Cartesian SRS", -1, "NONE", "undefined"),
        row("Undefined geographic SRS", 0, "NONE", "undefined"),
        row("WGS 84 geodetic", 4326, "EPSG", WGS84),
    ];
    if horizontal != 4326 {
        let (name, definition) = projected(horizontal).unwrap_or_else(|| (format!("EPSG:{horizontal}"), "undefined".into()));
        rows.push(Srs { name, id: i32::from(horizontal), organization: "EPSG", definition });
    }
    rows
}

/// CGCS2000 Gauss-Kruger (3 and 6 degrees, with and without zone number) and WGS 84 / UTM. Others are left
/// "undefined", and readers take the organization's code.
fn projected(code: u16) -> Option<(String, String)> {
    let c = u32::from(code);
    let (name, base, meridian, scale, easting, northing, axes) = match c {
        4491..=4501 => (format!("CGCS2000 / Gauss-Kruger zone {}", c - 4478), CGCS2000, (c - 4491) * 6 + 75, "1", zone(c - 4478), 0, true),
        4502..=4512 => {
            (format!("CGCS2000 / Gauss-Kruger CM {}E", (c - 4502) * 6 + 75), CGCS2000, (c - 4502) * 6 + 75, "1", zone(0), 0, true)
        }
        4513..=4533 => {
            let z = c - 4488;
            (format!("CGCS2000 / 3-degree Gauss-Kruger zone {z}"), CGCS2000, z * 3, "1", zone(z), 0, true)
        }
        4534..=4554 => {
            let m = (c - 4534) * 3 + 75;
            (format!("CGCS2000 / 3-degree Gauss-Kruger CM {m}E"), CGCS2000, m, "1", zone(0), 0, true)
        }
        32631..=32660 => (format!("WGS 84 / UTM zone {}N", c - 32600), WGS84, (c - 32630) * 6 - 3, "0.9996", zone(0), 0, false),
        32731..=32760 => (format!("WGS 84 / UTM zone {}S", c - 32700), WGS84, (c - 32730) * 6 - 3, "0.9996", zone(0), 10_000_000, false),
        _ => return None,
    };
    let axes = if axes { r#"AXIS["Northing",NORTH],AXIS["Easting",EAST]"# } else { r#"AXIS["Easting",EAST],AXIS["Northing",NORTH]"# };
    let wkt = format!(
        r#"PROJCS["{name}",{base},PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",{meridian}],PARAMETER["scale_factor",{scale}],PARAMETER["false_easting",{easting}],PARAMETER["false_northing",{northing}],UNIT["metre",1,AUTHORITY["EPSG","9001"]],{axes},AUTHORITY["EPSG","{code}"]]"#
    );
    Some((name, wkt))
}

fn zone(number: u32) -> u32 {
    number * 1_000_000 + 500_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole text against what `gdalsrsinfo -o wkt1 --single-line EPSG:code` prints.
    #[test]
    fn wkt_is_that_of_gdal() {
        for code in [4551_u16, 4526, 4500, 4510, 32651, 32751] {
            let Ok(out) = std::process::Command::new("gdalsrsinfo").args(["-o", "wkt1", "--single-line", &format!("EPSG:{code}")]).output()
            else {
                eprintln!("skipped: gdalsrsinfo is not installed");
                return;
            };
            assert_eq!(rows(code)[3].definition, String::from_utf8_lossy(&out.stdout).trim(), "EPSG:{code}");
        }
    }
}
