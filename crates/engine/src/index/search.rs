use super::{IndexView, LEAF_LEN, NODE_LEN, NODE_SIZE, Window, view::Keyed};
use std::ops::{ControlFlow, Range};

type Lane = [f32; NODE_SIZE];

impl IndexView {
    /// Every row that the window takes, in ascending order, appended to `out`.
    pub fn search(&self, window: &Window, out: &mut Vec<u32>) {
        let _ = self.for_each(window, &mut |rows: Range<u32>| {
            out.extend(rows);
            ControlFlow::Continue(())
        });
    }
    /// Runs of rows that the window takes, ascending and apart. Stops when `f` breaks.
    pub fn for_each(&self, window: &Window, f: &mut impl FnMut(Range<u32>) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.is_empty() || window.valid.is_some_and(|v| v.from >= v.to) {
            return ControlFlow::Continue(());
        }
        self.visit(&Search { window, keyed: self.keyed(window) }, self.starts.len() - 1, 0, f)
    }

    fn visit(&self, s: &Search, level: usize, block: usize, f: &mut impl FnMut(Range<u32>) -> ControlFlow<()>) -> ControlFlow<()> {
        let len = if level == 0 { LEAF_LEN } else { NODE_LEN };
        let start = self.starts[level] + block * len;
        let Some(node) = self.nodes().get(start..start + len) else { return ControlFlow::Continue(()) };
        let (lanes, _) = node.as_chunks::<NODE_SIZE>();
        let (Some(bounds), late) = (lanes.first_chunk::<8>(), lanes.get(8..).and_then(|l| l.first_chunk::<2>())) else {
            return ControlFlow::Continue(());
        };
        let (mut touched, sure) = masks(bounds, late, &s.keyed);
        while touched != 0 {
            let at = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            let child = block * NODE_SIZE + at;
            if sure & (1 << at) != 0 {
                // Runs of sure children are one range.
                let run = (!(sure >> at)).trailing_zeros() as usize;
                touched &= !(((1u32 << run) - 1) << at);
                let span = NODE_SIZE.pow(level as u32);
                f((child * span) as u32..((child + run) * span).min(self.len()) as u32)?;
            } else if level > 0 {
                self.visit(s, level - 1, child, f)?;
            } else if s.window.takes(&self.row(child as u32)) {
                f(child as u32..child as u32 + 1)?;
            }
        }
        ControlFlow::Continue(())
    }
}

struct Search<'a> {
    window: &'a Window,
    keyed: Keyed,
}

/// Children that the window may touch, and those of them all of whose rows it surely takes. In a leaf (`late` is `None`)
/// a child is a row: to touch it beyond doubt is to take it. Above, the whole of the child must lie inside.
#[inline]
fn masks(l: &[Lane; 8], late: Option<&[Lane; 2]>, q: &Keyed) -> (u32, u32) {
    let plan = bits(|i| (l[0][i] <= q.max[0]) & (l[1][i] >= q.min[0]) & (l[2][i] <= q.max[1]) & (l[3][i] >= q.min[1]));
    if plan == 0 {
        return (0, 0);
    }
    let rest = bits(|i| (l[4][i] <= q.max[2]) & (l[5][i] >= q.min[2]) & (l[6][i] <= q.last) & (l[7][i] >= q.from));
    let touched = plan & rest;
    if touched == 0 {
        return (0, 0);
    }
    let sure = if let Some(late) = late {
        bits(|i| (l[1][i] < q.max[0]) & (l[0][i] > q.min[0]) & (l[3][i] < q.max[1]) & (l[2][i] > q.min[1]))
            & bits(|i| (l[5][i] < q.max[2]) & (l[4][i] > q.min[2]) & (late[0][i] < q.last) & (late[1][i] > q.from))
    } else {
        bits(|i| (l[0][i] < q.max[0]) & (l[1][i] > q.min[0]) & (l[2][i] < q.max[1]) & (l[3][i] > q.min[1]))
            & bits(|i| (l[4][i] < q.max[2]) & (l[5][i] > q.min[2]) & (l[6][i] < q.last) & (l[7][i] > q.from))
    };
    (touched, touched & sure)
}

/// Sixteen conditions as sixteen bits, in the form that compilers turn into vector comparisons.
#[inline(always)]
fn bits(condition: impl Fn(usize) -> bool) -> u32 {
    let mut lanes = [0u32; NODE_SIZE];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = u32::from(condition(i)) << i;
    }
    lanes.iter().fold(0, |m, l| m | l)
}
