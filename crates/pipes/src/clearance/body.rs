//! Straight pieces of pipe as bodies, and the exact distance between their outer faces.
//!
//! A round piece is a capsule: its axis grown by its radius, so that joints are closed. A rectangular piece is a box that
//! ends square to its axis; its width lies level, its height square to axis and width. Distances between faces are exact
//! for both (f64): capsules by the distance of their axes, boxes by all pairs of edges, corners and faces, and where they
//! share a place by the least way that parts them.

use strata_model::Point3;

/// One straight piece. Working frame, m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    pub axis: [Point3; 2],
    /// Half extents sideways and upwards; a round piece has its radius twice.
    pub half_m: [f64; 2],
    pub round: bool,
}

/// Faces apart (negative: the least way that parts them) and the ends of the shortest connection, one on each face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    pub gap_m: f64,
    pub ends: [Point3; 2],
}

pub(crate) fn sub(a: Point3, b: Point3) -> Point3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
pub(crate) fn add(a: Point3, b: Point3) -> Point3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
pub(crate) fn scale(a: Point3, k: f64) -> Point3 {
    a.map(|v| v * k)
}
pub(crate) fn dot(a: Point3, b: Point3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
pub(crate) fn cross(a: Point3, b: Point3) -> Point3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
pub(crate) fn norm(a: Point3) -> f64 {
    dot(a, a).sqrt()
}
pub(crate) fn lerp(a: Point3, b: Point3, t: f64) -> Point3 {
    add(a, scale(sub(b, a), t))
}
fn unit(a: Point3) -> Option<Point3> {
    let n = norm(a);
    (n > 1e-12).then(|| scale(a, 1.0 / n))
}

/// Nearest points of two segments in space and their distance. A segment of no length is a point.
pub fn nearest_of_segments(p: [Point3; 2], q: [Point3; 2]) -> (f64, Point3, Point3) {
    let (d1, d2, r) = (sub(p[1], p[0]), sub(q[1], q[0]), sub(p[0], q[0]));
    let (a, e, f, c, b) = (dot(d1, d1), dot(d2, d2), dot(d2, r), dot(d1, r), dot(d1, d2));
    let to_q = |s: f64| if e > 0.0 { ((b * s + f) / e).clamp(0.0, 1.0) } else { 0.0 };
    let to_p = |t: f64| if a > 0.0 { ((b * t - c) / a).clamp(0.0, 1.0) } else { 0.0 };
    let mut best = (f64::INFINITY, p[0], q[0]);
    let mut take = |s: f64, t: f64| {
        let (x, y) = (lerp(p[0], p[1], s), lerp(q[0], q[1], t));
        let d = norm(sub(x, y));
        if d < best.0 {
            best = (d, x, y);
        }
    };
    let denom = a * e - b * b;
    if denom > 1e-14 * a * e {
        let s = ((b * f - c * e) / denom).clamp(0.0, 1.0);
        let t = to_q(s);
        take(to_p(t), t);
    }
    // The ends decide where the inner solution is clamped, and for parallels.
    for s in [0.0, 1.0] {
        take(s, to_q(s));
        take(to_p(s), s);
    }
    best
}

/// Nearest points in plan of two segments: distance and parameters along each.
pub fn nearest_in_plan(p: [Point3; 2], q: [Point3; 2]) -> (f64, f64, f64) {
    let (ux, uy) = (p[1][0] - p[0][0], p[1][1] - p[0][1]);
    let (vx, vy) = (q[1][0] - q[0][0], q[1][1] - q[0][1]);
    let (wx, wy) = (q[0][0] - p[0][0], q[0][1] - p[0][1]);
    let det = ux * vy - uy * vx;
    let (uu, vv) = (ux * ux + uy * uy, vx * vx + vy * vy);
    if det * det > 1e-18 * uu * vv {
        let s = (wx * vy - wy * vx) / det;
        let t = (wx * uy - wy * ux) / det;
        if (0.0..=1.0).contains(&s) && (0.0..=1.0).contains(&t) {
            return (0.0, s, t);
        }
    }
    let (iu, iv) = (if uu > 0.0 { 1.0 / uu } else { 0.0 }, if vv > 0.0 { 1.0 / vv } else { 0.0 });
    let mut best = (f64::INFINITY, 0.0, 0.0);
    let mut take = |s: f64, t: f64| {
        let (dx, dy) = (wx + vx * t - ux * s, wy + vy * t - uy * s);
        let d2 = dx * dx + dy * dy;
        if d2 < best.0 {
            best = (d2, s, t);
        }
    };
    take(((wx * ux + wy * uy) * iu).clamp(0.0, 1.0), 0.0);
    take((((wx + vx) * ux + (wy + vy) * uy) * iu).clamp(0.0, 1.0), 1.0);
    take(0.0, (-(wx * vx + wy * vy) * iv).clamp(0.0, 1.0));
    take(1.0, (((ux - wx) * vx + (uy - wy) * vy) * iv).clamp(0.0, 1.0));
    (best.0.sqrt(), best.1, best.2)
}

/// The core of a body, of which the body is the sum with a ball of radius `grown`: a segment or a box.
struct Core {
    centre: Point3,
    /// Half edges; the second and third are absent for a segment.
    half: Vec<Point3>,
    grown: f64,
}

impl Core {
    fn new(b: &Body) -> Self {
        let d = scale(sub(b.axis[1], b.axis[0]), 0.5);
        let centre = lerp(b.axis[0], b.axis[1], 0.5);
        if b.round {
            return Self { centre, half: vec![d], grown: b.half_m[0] };
        }
        let side = unit([-d[1], d[0], 0.0]).unwrap_or([1.0, 0.0, 0.0]);
        let up = unit(cross(d, side)).unwrap_or([0.0, 0.0, 1.0]);
        Self { centre, half: vec![d, scale(side, b.half_m[0]), scale(up, b.half_m[1])], grown: 0.0 }
    }
    fn corners(&self) -> Vec<Point3> {
        let mut out = vec![self.centre];
        for h in &self.half {
            out = out.iter().flat_map(|c| [sub(*c, *h), add(*c, *h)]).collect();
        }
        out
    }
    fn edges(&self) -> Vec<[Point3; 2]> {
        let n = self.half.len();
        let mut out = Vec::with_capacity(12);
        for k in 0..n {
            let others: Vec<_> = (0..n).filter(|j| *j != k).collect();
            for mask in 0..1 << others.len() {
                let c = others
                    .iter()
                    .enumerate()
                    .fold(self.centre, |c, (i, j)| add(c, scale(self.half[*j], if mask >> i & 1 == 1 { 1.0 } else { -1.0 })));
                out.push([sub(c, self.half[k]), add(c, self.half[k])]);
            }
        }
        out
    }
    /// Nearest point of a box to a point outside it; for a segment its edges say it.
    fn nearest(&self, p: Point3) -> Option<Point3> {
        if self.half.len() < 3 {
            return None;
        }
        let d = sub(p, self.centre);
        Some(self.half.iter().fold(self.centre, |at, h| {
            let hh = dot(*h, *h);
            let t = if hh > 0.0 { (dot(d, *h) / hh).clamp(-1.0, 1.0) } else { 0.0 };
            add(at, scale(*h, t))
        }))
    }
    fn reach(&self, axis: Point3) -> f64 {
        self.half.iter().map(|h| dot(*h, axis).abs()).sum()
    }
}

/// Signed distance of two cores along the direction that parts them best (negative: overlap), by separating axes.
fn parting(a: &Core, b: &Core) -> (f64, Point3) {
    let mut axes: Vec<Point3> = Vec::with_capacity(16);
    for c in [a, b] {
        if c.half.len() == 3 {
            axes.extend(c.half.iter().filter_map(|h| unit(*h)));
        }
    }
    for h in &a.half {
        axes.extend(b.half.iter().filter_map(|k| unit(cross(*h, *k))));
    }
    let between = sub(b.centre, a.centre);
    let mut best = (f64::NEG_INFINITY, [0.0, 0.0, 1.0]);
    for axis in axes {
        let along = dot(between, axis);
        let apart = along.abs() - a.reach(axis) - b.reach(axis);
        if apart > best.0 {
            best = (apart, scale(axis, if along < 0.0 { -1.0 } else { 1.0 }));
        }
    }
    best
}

/// Exact distance between the outer faces of two bodies.
pub fn gap(a: &Body, b: &Body) -> Gap {
    if a.round && b.round {
        let (d, p, q) = nearest_of_segments(a.axis, b.axis);
        return between_cores(d, p, q, a.half_m[0], b.half_m[0]);
    }
    let (ca, cb) = (Core::new(a), Core::new(b));
    let (apart, axis) = parting(&ca, &cb);
    if apart <= 0.0 {
        // They share a place: the least way apart, shown where their axes are nearest.
        let (_, p, q) = nearest_of_segments(a.axis, b.axis);
        let middle = lerp(p, q, 0.5);
        let depth = apart - ca.grown - cb.grown;
        return Gap { gap_m: depth, ends: [sub(middle, scale(axis, depth / 2.0)), add(middle, scale(axis, depth / 2.0))] };
    }
    let mut best = (f64::INFINITY, ca.centre, cb.centre);
    let mut take = |d: f64, p: Point3, q: Point3| {
        if d < best.0 {
            best = (d, p, q);
        }
    };
    let (ea, eb) = (ca.edges(), cb.edges());
    for p in &ea {
        for q in &eb {
            let (d, x, y) = nearest_of_segments(*p, *q);
            take(d, x, y);
        }
    }
    for p in ca.corners() {
        if let Some(q) = cb.nearest(p) {
            take(norm(sub(p, q)), p, q);
        }
    }
    for q in cb.corners() {
        if let Some(p) = ca.nearest(q) {
            take(norm(sub(p, q)), p, q);
        }
    }
    between_cores(best.0, best.1, best.2, ca.grown, cb.grown)
}

fn between_cores(d: f64, p: Point3, q: Point3, grown_p: f64, grown_q: f64) -> Gap {
    let way = unit(sub(q, p)).unwrap_or([0.0, 0.0, 1.0]);
    Gap { gap_m: d - grown_p - grown_q, ends: [add(p, scale(way, grown_p)), sub(q, scale(way, grown_q))] }
}

impl Body {
    /// Radius of the cylinder around the axis that holds the whole section.
    pub fn outer_radius_m(&self) -> f64 {
        if self.round { self.half_m[0] } else { self.half_m[0].hypot(self.half_m[1]) }
    }
    /// `[east min, north min, east max, north max]` of the piece in plan.
    pub(crate) fn plan_box(&self) -> [f64; 4] {
        let r = self.half_m[0];
        let [a, b] = self.axis;
        [a[0].min(b[0]) - r, a[1].min(b[1]) - r, a[0].max(b[0]) + r, a[1].max(b[1]) + r]
    }
    /// Direction in plan; `None` for what stands upright (less than 1 cm in plan).
    pub(crate) fn plan_direction(&self) -> Option<[f64; 2]> {
        let d = sub(self.axis[1], self.axis[0]);
        let n = d[0].hypot(d[1]);
        (n > 0.01).then(|| [d[0] / n, d[1] / n])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(a: Point3, b: Point3, r: f64) -> Body {
        Body { axis: [a, b], half_m: [r, r], round: true }
    }
    fn rect(a: Point3, b: Point3, w: f64, h: f64) -> Body {
        Body { axis: [a, b], half_m: [w / 2.0, h / 2.0], round: false }
    }

    #[test]
    fn hand_worked_gaps() {
        let east = round([0.0, 0.0, 0.0], [10.0, 0.0, 0.0], 0.2);
        // Crossing 1 m above: 1 − 0.2 − 0.1.
        let g = gap(&east, &round([5.0, -5.0, 1.0], [5.0, 5.0, 1.0], 0.1));
        assert!((g.gap_m - 0.7).abs() < 1e-12);
        assert!((g.ends[0][2] - 0.2).abs() < 1e-12 && (g.ends[1][2] - 0.9).abs() < 1e-12 && g.ends[0][0] == 5.0);
        // Side by side, a duct 0.6 wide whose axis is 1 m away: 1 − 0.2 − 0.3.
        assert!((gap(&east, &rect([0.0, 1.0, 0.0], [10.0, 1.0, 0.0], 0.6, 0.3)).gap_m - 0.5).abs() < 1e-12);
        // The same duct 1 m above and in line: 1 − 0.2 − 0.15.
        assert!((gap(&rect([0.0, 0.0, 1.0], [10.0, 0.0, 1.0], 0.6, 0.3), &east).gap_m - 0.65).abs() < 1e-12);
        // Off the corner of two ducts: 0.3 beside and 0.4 above.
        let (p, q) = (rect([0.0, 0.0, 0.0], [9.0, 0.0, 0.0], 1.0, 1.0), rect([0.0, 1.3, 1.4], [9.0, 1.3, 1.4], 1.0, 1.0));
        assert!((gap(&p, &q).gap_m - 0.5).abs() < 1e-12);
        // Into one another by 0.1 upwards.
        assert!((gap(&p, &rect([4.0, -5.0, 0.9], [4.0, 5.0, 0.9], 1.0, 1.0)).gap_m + 0.1).abs() < 1e-12);
        // A pipe through a duct: out by half the duct's height and the radius.
        assert!((gap(&p, &round([4.0, -5.0, 0.0], [4.0, 5.0, 0.0], 0.2)).gap_m + 0.7).abs() < 1e-12);
    }

    #[test]
    fn a_piece_of_no_length_is_a_ball_or_a_plate() {
        let dot = round([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.5);
        assert_eq!(gap(&dot, &round([3.0, 4.0, 0.0], [3.0, 4.0, 0.0], 0.5)).gap_m, 4.0);
        assert!(gap(&dot, &rect([3.0, 0.0, 0.0], [3.0, 0.0, 0.0], 1.0, 1.0)).gap_m.is_finite());
    }

    /// How far two bodies are apart along a direction: no more than their gap, whatever the direction, and just as much
    /// along the one that parts them best.
    fn apart(a: &Body, b: &Body, way: Point3) -> f64 {
        let (ca, cb) = (Core::new(a), Core::new(b));
        dot(sub(cb.centre, ca.centre), way) - ca.reach(way) - cb.reach(way) - ca.grown - cb.grown
    }

    /// Is a place on or in a body? By its own sides, to a nanometre.
    fn holds(b: &Body, p: Point3) -> bool {
        if b.round {
            return nearest_of_segments(b.axis, [p, p]).0 <= b.half_m[0] + 1e-9;
        }
        let core = Core::new(b);
        let d = sub(p, core.centre);
        core.half.iter().all(|h| dot(d, *h).abs() <= dot(*h, *h) + 1e-9 * norm(*h))
    }

    fn place() -> impl Strategy<Value = Point3> {
        [-4.0..4.0f64, -4.0..4.0f64, -4.0..4.0f64].prop_map(|p| p)
    }
    fn any_body() -> impl Strategy<Value = Body> {
        (place(), place(), 0.05..0.8f64, 0.05..0.8f64, any::<bool>()).prop_map(|(a, b, w, h, r)| Body {
            axis: [a, b],
            half_m: if r { [w, w] } else { [w, h] },
            round: r,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn gaps_are_proved_from_both_sides(a in any_body(), b in any_body(), ways in proptest::collection::vec(place(), 200)) {
            let exact = gap(&a, &b);
            prop_assume!(exact.gap_m.abs() > 1e-6);
            // From below: along the connection they are apart by just the gap.
            let way = scale(sub(exact.ends[1], exact.ends[0]), 1.0 / exact.gap_m);
            prop_assert!((apart(&a, &b, way) - exact.gap_m).abs() < 1e-8, "{} {}", apart(&a, &b, way), exact.gap_m);
            if exact.gap_m > 0.0 {
                // From above: its ends are places of the two bodies.
                prop_assert!(holds(&a, exact.ends[0]) && holds(&b, exact.ends[1]));
            } else {
                // No direction parts them better, nor any that a climb from it leads to.
                for way in ways {
                    let Some(mut way) = unit(way) else { continue };
                    let mut step = 0.5;
                    while step > 1e-4 {
                        let near = (0..6).filter_map(|k| {
                            let mut w = way;
                            w[k / 2] += if k % 2 == 0 { step } else { -step };
                            unit(w)
                        });
                        match near.max_by(|x, y| apart(&a, &b, *x).total_cmp(&apart(&a, &b, *y))) {
                            Some(w) if apart(&a, &b, w) > apart(&a, &b, way) => way = w,
                            _ => step /= 2.0,
                        }
                    }
                    prop_assert!(apart(&a, &b, way) <= exact.gap_m + 1e-9);
                }
            }
            prop_assert!((gap(&b, &a).gap_m - exact.gap_m).abs() < 1e-9);
        }
        #[test]
        fn in_plan_it_is_the_distance_of_flattened_segments(a in place(), b in place(), c in place(), d in place()) {
            let flat = |p: Point3| [p[0], p[1], 0.0];
            let (plan, s, t) = nearest_in_plan([a, b], [c, d]);
            let (space, ..) = nearest_of_segments([flat(a), flat(b)], [flat(c), flat(d)]);
            prop_assert!((plan - space).abs() < 1e-9, "{plan} {space}");
            let at = sub(lerp(flat(a), flat(b), s), lerp(flat(c), flat(d), t));
            prop_assert!((norm(at) - plan).abs() < 1e-9);
        }
    }
}
