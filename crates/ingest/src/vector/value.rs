//! Fields of GDAL's features as values.

use gdal::vector::{Feature, FieldValue, OGRFieldType as Kind};
use std::ffi::CStr;
use strata_model::Value;

/// One field of this kind; lists become JSON text, dates ISO 8601, what cannot be read becomes null.
///
/// The common kinds are asked of GDAL by their kind: its crate looks the field's definition up for each value, copies
/// texts once more, and gives 0 or an empty text for a field that the file leaves out.
#[expect(unsafe_code, reason = "the crate has no way to a field of a known kind")]
pub(super) fn value(f: &Feature<'_>, field: usize, kind: Kind::Type) -> Value {
    let Ok(i) = i32::try_from(field) else { return Value::Null };
    // SAFETY: the feature lives, and the index is one of its layer's; GDAL checks it again. The text is copied before
    // the feature is asked for anything else.
    unsafe {
        let h = f.c_feature();
        if gdal_sys::OGR_F_IsFieldSetAndNotNull(h, i) == 0 {
            return Value::Null;
        }
        match kind {
            Kind::OFTInteger => i64::from(gdal_sys::OGR_F_GetFieldAsInteger(h, i)).into(),
            Kind::OFTInteger64 => gdal_sys::OGR_F_GetFieldAsInteger64(h, i).into(),
            Kind::OFTReal => finite(gdal_sys::OGR_F_GetFieldAsDouble(h, i)),
            Kind::OFTString => {
                let text = gdal_sys::OGR_F_GetFieldAsString(h, i);
                if text.is_null() { Value::Null } else { Value::Text((&*CStr::from_ptr(text).to_string_lossy()).into()) }
            }
            _ => rare(f, field),
        }
    }
}

fn rare(f: &Feature<'_>, field: usize) -> Value {
    let list = |j: Result<String, serde_json::Error>| j.map_or(Value::Null, Value::from);
    match f.field(field) {
        Ok(Some(FieldValue::IntegerValue(v))) => v.into(),
        Ok(Some(FieldValue::Integer64Value(v))) => v.into(),
        Ok(Some(FieldValue::RealValue(v))) => finite(v),
        Ok(Some(FieldValue::StringValue(v))) => v.into(),
        Ok(Some(FieldValue::StringListValue(v))) => list(serde_json::to_string(&v)),
        Ok(Some(FieldValue::IntegerListValue(v))) => list(serde_json::to_string(&v)),
        Ok(Some(FieldValue::Integer64ListValue(v))) => list(serde_json::to_string(&v)),
        Ok(Some(FieldValue::RealListValue(v))) => list(serde_json::to_string(&v)),
        Ok(Some(FieldValue::DateValue(v))) => v.to_string().into(),
        Ok(Some(FieldValue::DateTimeValue(v))) => format!("{v:?}").into(),
        Ok(None) | Err(_) => Value::Null,
    }
}

fn finite(v: f64) -> Value {
    if v.is_finite() { v.into() } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdal::{
        DriverManager,
        spatial_ref::SpatialRef,
        vector::{FieldDefn, Geometry, LayerAccess, LayerOptions, OGRFieldType as F, OGRwkbGeometryType as T},
    };

    /// What a feature leaves out is null, and what it says is that, in a format that writes no nulls and in one that does.
    #[test]
    fn what_is_left_out_is_null() {
        crate::place::guard_gdal();
        let folder = tempfile::tempdir().expect("a folder");
        for (driver, file) in [("GPKG", "rows.gpkg"), ("FlatGeobuf", "rows.fgb"), ("GeoJSON", "rows.geojson")] {
            let path = folder.path().join(file);
            let mut made = DriverManager::get_driver_by_name(driver).and_then(|d| d.create_vector_only(&path)).expect("a file");
            let srs = SpatialRef::from_epsg(4326).expect("a CRS");
            let layer = made.create_layer(LayerOptions { name: "rows", srs: Some(&srs), ty: T::wkbPoint, options: None }).expect("a layer");
            for (name, kind) in [("n", F::OFTInteger), ("big", F::OFTInteger64), ("x", F::OFTReal), ("名称", F::OFTString)] {
                FieldDefn::new(name, kind).and_then(|d| d.add_to_layer(&layer)).expect("a field");
            }
            for i in 0..40 {
                let mut f = Feature::new(layer.defn()).expect("a feature");
                f.set_field_integer(0, i).expect("set");
                if i % 2 == 0 {
                    f.set_field_integer64(1, i64::from(i) << 33).expect("set");
                    f.set_field_double(2, f64::from(i) / 4.0).expect("set");
                }
                if i % 3 == 0 {
                    f.set_field_string(3, &format!("管线é{i}")).expect("set");
                }
                f.set_geometry(Geometry::from_wkt("POINT(1 2)").expect("WKT")).expect("set");
                f.create(&layer).expect("written");
            }
            drop(made);
            let read = gdal::Dataset::open(&path).expect("opens");
            let mut layer = read.layer(0).expect("a layer");
            let kinds: Vec<_> = layer.defn().fields().map(|d| d.field_type()).collect();
            let value = |f: &Feature<'_>, i: usize| super::value(f, i, kinds[i]);
            let mut seen = 0;
            for f in layer.features() {
                let Value::Int(i) = value(&f, 0) else { panic!("{driver}: a number") };
                let (even, third) = (i % 2 == 0, i % 3 == 0);
                assert_eq!(value(&f, 1), if even { Value::Int(i << 33) } else { Value::Null }, "{driver} {i}");
                assert_eq!(value(&f, 2), if even { Value::Float(i as f64 / 4.0) } else { Value::Null }, "{driver} {i}");
                assert_eq!(value(&f, 3), if third { format!("管线é{i}").into() } else { Value::Null }, "{driver} {i}");
                seen += 1;
            }
            assert_eq!(seen, 40, "{driver}");
        }
    }
}
