//! GeoPackageBinary: an 8-byte head, the plan envelope, then ISO WKB Z. And the ST_ functions that the
//! standard R-tree triggers call, which every connection has to bring along.

use crate::StoreError;
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
};
use strata_model::{Bounds2, Geometry, from_wkb, to_wkb};

/// Blob, face kinds of `Surfaces`, plan bounds. The envelope is XY: 40 bytes before the WKB.
pub(crate) fn encode(geometry: &Geometry, srs_id: i32) -> (Vec<u8>, Option<Vec<u8>>, Bounds2) {
    let bounds = geometry.bounds().map_or(Bounds2::EMPTY, |b| b.plan());
    let (wkb, kinds) = to_wkb(geometry);
    let mut blob = Vec::with_capacity(40 + wkb.len());
    blob.extend_from_slice(b"GP\0\x03"); // version 1, little endian, envelope XY
    blob.extend_from_slice(&srs_id.to_le_bytes());
    for v in [bounds.min[0], bounds.max[0], bounds.min[1], bounds.max[1]] {
        blob.extend_from_slice(&v.to_le_bytes());
    }
    blob.extend_from_slice(&wkb);
    (blob, kinds, bounds)
}

pub(crate) fn decode(blob: &[u8], kinds: Option<&[u8]>) -> Result<Geometry, StoreError> {
    let head = head(blob).ok_or_else(|| StoreError::damaged("a geometry without a GeoPackage head"))?;
    Ok(from_wkb(head.wkb, kinds)?)
}

/// Plan bounds from the envelope, or from the shape where another program wrote none; `None` when empty or unreadable.
pub(crate) fn bounds(blob: &[u8]) -> Option<Bounds2> {
    let head = head(blob)?;
    if head.empty {
        return None;
    }
    match head.envelope {
        Some([x0, x1, y0, y1]) => Some(Bounds2 { min: [x0, y0], max: [x1, y1] }).filter(|b| !b.is_empty()),
        None => from_wkb(head.wkb, None).ok()?.bounds().map(|b| b.plan()),
    }
}

struct Head<'a> {
    empty: bool,
    envelope: Option<[f64; 4]>,
    wkb: &'a [u8],
}

fn head(blob: &[u8]) -> Option<Head<'_>> {
    if blob.get(..2)? != b"GP" {
        return None;
    }
    let flags = *blob.get(3)?;
    let size = match (flags >> 1) & 7 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return None,
    };
    let envelope = blob.get(8..8 + size)?;
    let number = |i: usize| {
        let b: [u8; 8] = envelope.get(i * 8..i * 8 + 8)?.try_into().ok()?;
        Some(if flags & 1 == 1 { f64::from_le_bytes(b) } else { f64::from_be_bytes(b) })
    };
    let envelope = if size == 0 { None } else { Some([number(0)?, number(1)?, number(2)?, number(3)?]) };
    Some(Head { empty: flags & 0x10 != 0, envelope, wkb: &blob[8 + size..] })
}

/// Innocuous, so that triggers may call them although the schema is not trusted.
pub(crate) fn register(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    let of = |ctx: &Context<'_>| ctx.get_raw(0).as_blob().ok().and_then(bounds);
    conn.create_scalar_function("ST_MinX", 1, flags, move |ctx| Ok(of(ctx).map(|b| b.min[0])))?;
    conn.create_scalar_function("ST_MaxX", 1, flags, move |ctx| Ok(of(ctx).map(|b| b.max[0])))?;
    conn.create_scalar_function("ST_MinY", 1, flags, move |ctx| Ok(of(ctx).map(|b| b.min[1])))?;
    conn.create_scalar_function("ST_MaxY", 1, flags, move |ctx| Ok(of(ctx).map(|b| b.max[1])))?;
    conn.create_scalar_function("ST_IsEmpty", 1, flags, move |ctx| Ok(of(ctx).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_envelope_are_those_of_the_standard() {
        let (blob, _, _) = encode(&Geometry::LineString(vec![[1.0, 5.0, 9.0], [3.0, 2.0, 9.0]]), 4551);
        assert_eq!(&blob[..8], b"GP\0\x03\xc7\x11\0\0");
        let at = |i: usize| f64::from_le_bytes(blob[8 + i * 8..16 + i * 8].try_into().unwrap());
        assert_eq!([at(0), at(1), at(2), at(3)], [1.0, 3.0, 2.0, 5.0]);
        assert_eq!(bounds(&blob), Some(Bounds2 { min: [1.0, 2.0], max: [3.0, 5.0] }));
    }

    #[test]
    fn other_writers_heads_are_read() {
        let (ours, _, _) = encode(&Geometry::Point([1.0, 2.0, 3.0]), 4551);
        let mut bare = b"GP\0\x01\xc7\x11\0\0".to_vec(); // what GDAL writes for points: no envelope
        bare.extend_from_slice(&ours[40..]);
        assert_eq!(bounds(&bare), Some(Bounds2 { min: [1.0, 2.0], max: [1.0, 2.0] }));
        assert_eq!(decode(&bare, None).unwrap(), Geometry::Point([1.0, 2.0, 3.0]));
        for cut in 0..40 {
            assert!(decode(&ours[..cut], None).is_err());
        }
    }
}
