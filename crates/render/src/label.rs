//! Which words stand where on a picture: rank, collision and turn, for the PNG and for the browser's HTML alike.

use serde::Serialize;

/// What a word names; a client styles by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Place,
    Street,
    Water,
    Parcel,
    Pipe,
    Cover,
    Contour,
    /// Numbers of the depth ruler, the frost line, the grid over one's head.
    Ruler,
    Sensor,
    /// A count on its symbol: it is never left out, for a symbol without its count would lie.
    Badge,
}

/// One word or line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    pub text: String,
    /// Its middle, px from the top left.
    pub at: [f32; 2],
    /// Clockwise on the screen; within ±90°, so that nothing stands on its head.
    pub angle_deg: f32,
    /// Of the em, px.
    pub size_px: f32,
    pub ink: [u8; 3],
    pub halo: [u8; 3],
    /// Smaller is more important: what would touch an earlier label is left out.
    pub rank: i64,
    pub kind: Kind,
    /// What it says at heart: two of the same kind and subject keep `apart_px` between them.
    #[serde(skip)]
    pub subject: String,
    #[serde(skip)]
    pub apart_px: f32,
    /// Distance along the view axis, m, when bodies in front of it hide it.
    #[serde(skip)]
    pub far_m: Option<f32>,
}

impl Label {
    /// Upright, with a pale halo.
    pub fn new(kind: Kind, text: impl Into<String>, at: [f32; 2], size_px: f32, rank: i64) -> Self {
        let text = text.into();
        Self {
            subject: text.clone(),
            text,
            at,
            angle_deg: 0.0,
            size_px,
            ink: [23, 32, 42],
            halo: [250, 250, 246],
            rank,
            kind,
            apart_px: 0.0,
            far_m: None,
        }
    }
    /// Along the line from `a` to `b` on the screen, read from the left; an upright line is read from below.
    pub fn along(mut self, a: [f32; 2], b: [f32; 2]) -> Self {
        let mut angle = (b[1] - a[1]).atan2(b[0] - a[0]).to_degrees();
        if angle > 90.0 {
            angle -= 180.0;
        }
        if angle <= -90.0 {
            angle += 180.0;
        }
        self.angle_deg = if angle >= 89.99 { -90.0 } else { angle };
        self
    }
}

/// Share of the em that ink stands above and below the middle line, with a little air.
const TALL: f32 = 0.62;
const AIR_PX: f32 = 4.0;

/// A turned rectangle: middle, half axes.
#[derive(Debug, Clone, Copy)]
struct Turned {
    at: [f32; 2],
    way: [f32; 2],
    half: [f32; 2],
}

impl Turned {
    fn of(l: &Label, width_px: f32) -> Self {
        let (sin, cos) = l.angle_deg.to_radians().sin_cos();
        Self { at: l.at, way: [cos, sin], half: [width_px / 2.0 + AIR_PX, l.size_px * TALL + AIR_PX / 2.0] }
    }
    /// Half its extent along a unit direction.
    fn reach(&self, d: [f32; 2]) -> f32 {
        (self.way[0] * d[0] + self.way[1] * d[1]).abs() * self.half[0] + (self.way[0] * d[1] - self.way[1] * d[0]).abs() * self.half[1]
    }
    fn touches(&self, o: &Self) -> bool {
        let to = [o.at[0] - self.at[0], o.at[1] - self.at[1]];
        // Two rectangles are apart exactly when one of their four axes tells them apart.
        [self.way, [-self.way[1], self.way[0]], o.way, [-o.way[1], o.way[0]]]
            .iter()
            .all(|d| (to[0] * d[0] + to[1] * d[1]).abs() < self.reach(*d) + o.reach(*d))
    }
    fn inside(&self, size: [u32; 2]) -> bool {
        let (x, y) = (self.reach([1.0, 0.0]), self.reach([0.0, 1.0]));
        self.at[0] >= x && self.at[1] >= y && self.at[0] + x <= size[0] as f32 && self.at[1] + y <= size[1] as f32
    }
}

/// Those of the list that find room, the most important first. None lies over the picture's edge, on another, or beside
/// its twin. `width_px` measures a text at a size of the em, `seen` says whether nothing hides a label; it is asked only of
/// those that find room. Of equal rank the one named first wins, so that the same list gives the same picture.
pub fn place(mut list: Vec<Label>, size: [u32; 2], width_px: &dyn Fn(&str, f32) -> f32, seen: &dyn Fn(&Label) -> bool) -> Vec<Label> {
    list.sort_by_key(|l| l.rank);
    let mut taken: Vec<(Turned, Label)> = Vec::new();
    for l in list {
        let r = Turned::of(&l, width_px(&l.text, l.size_px));
        let twin = |o: &Label| {
            l.apart_px > 0.0 && o.subject == l.subject && o.kind == l.kind && (o.at[0] - l.at[0]).hypot(o.at[1] - l.at[1]) < l.apart_px
        };
        if l.kind == Kind::Badge && !l.text.is_empty() {
            taken.push((r, l));
            continue;
        }
        if l.text.is_empty() || !r.inside(size) || taken.iter().any(|(t, o)| t.touches(&r) || twin(o)) || !seen(&l) {
            continue;
        }
        taken.push((r, l));
    }
    taken.into_iter().map(|(_, l)| l).collect()
}

/// Width of a text where no font can be asked: an ideograph fills its em, a Latin letter a little more than half.
pub fn about_width(text: &str, size_px: f32) -> f32 {
    text.chars().map(|c| if u32::from(c) > 0x2e7f { 1.0 } else { 0.58 }).sum::<f32>() * size_px
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two turned rectangles share a point, from points of both: slow and independent of the axes.
    fn sampled(a: &Turned, b: &Turned) -> bool {
        let inside = |r: &Turned, p: [f32; 2]| {
            let d = [p[0] - r.at[0], p[1] - r.at[1]];
            (d[0] * r.way[0] + d[1] * r.way[1]).abs() < r.half[0] && (d[1] * r.way[0] - d[0] * r.way[1]).abs() < r.half[1]
        };
        let any = |a: &Turned, b: &Turned| {
            (0..=40).any(|i| {
                (0..=40).any(|j| {
                    let (x, y) = ((i as f32 / 20.0 - 1.0) * a.half[0] * 0.999, (j as f32 / 20.0 - 1.0) * a.half[1] * 0.999);
                    inside(b, [a.at[0] + x * a.way[0] - y * a.way[1], a.at[1] + x * a.way[1] + y * a.way[0]])
                })
            })
        };
        any(a, b) || any(b, a)
    }

    #[test]
    fn no_two_words_touch_and_the_more_important_one_stays() {
        let mut list = Vec::new();
        for i in 0..400u32 {
            let spin = |k: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(k.wrapping_mul(40_503)) >> 7) as f32;
            let at = [spin(1) % 800.0, spin(2) % 600.0];
            let l = Label::new(Kind::Street, format!("路{}", i % 37), at, 12.0 + spin(3) % 8.0, i64::from(i % 9));
            list.push(l.along([0.0, 0.0], [(spin(4) % 200.0) - 100.0, (spin(5) % 200.0) - 100.0]));
        }
        let placed = place(list.clone(), [800, 600], &about_width, &|_| true);
        assert!(placed.len() > 40 && placed.len() < 300, "{}", placed.len());
        let turned: Vec<Turned> = placed.iter().map(|l| Turned::of(l, about_width(&l.text, l.size_px))).collect();
        for (i, a) in turned.iter().enumerate() {
            assert!(placed[i].angle_deg.abs() <= 90.0, "nothing stands on its head");
            assert!(turned[..i].iter().all(|b| !sampled(a, b)), "{:?}", placed[i]);
        }
        // Whatever was left out lies over the edge or on something at least as important.
        for l in list.iter().filter(|l| !placed.contains(l)) {
            let r = Turned::of(l, about_width(&l.text, l.size_px));
            let better = placed.iter().zip(&turned).any(|(p, t)| p.rank <= l.rank && t.touches(&r));
            assert!(better || !r.inside([800, 600]), "{l:?} was left out for nothing");
        }
    }

    #[test]
    fn a_name_is_not_repeated_beside_itself() {
        let street = |x: f32| Label { apart_px: 300.0, ..Label::new(Kind::Street, "人民大街", [x, 100.0], 14.0, 1) };
        let placed = place(vec![street(100.0), street(300.0), street(450.0)], [800, 200], &about_width, &|_| true);
        assert_eq!(placed.iter().map(|l| l.at[0]).collect::<Vec<_>>(), [100.0, 450.0]);
    }
}
