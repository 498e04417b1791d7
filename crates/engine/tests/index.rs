//! The packed index alone: same rows as a look at every box, whatever the boxes are like.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use strata_engine::index::{IndexView, RowBox, Window, build};
use strata_model::{Bounds3, Instant, Interval};

fn boxes(rng: &mut ChaCha8Rng, n: usize, kind: usize) -> Vec<RowBox> {
    let mut all: Vec<RowBox> = (0..n)
        .map(|i| {
            let c: [f64; 3] = match kind {
                0 => [rng.random_range(0.0..1e4), rng.random_range(0.0..1e4), rng.random_range(0.0..100.0)],
                1 => [i as f64, i as f64, 0.0],
                2 => [f64::from(rng.random_range(0..4)) * 2e3, f64::from(rng.random_range(0..4)) * 2e3, 1.0]
                    .map(|v| v + rng.random_range(0.0..9.0)),
                3 => [5.0, 5.0, 5.0],
                // Far from the origin and finer than f32 can tell.
                _ => [4.4e5, 4.86e6, 200.0].map(|v: f64| v + f64::from(rng.random_range(0..50)) * 1e-4),
            };
            let size: f64 = if kind == 4 { 1e-4 } else { 10.0 };
            let bounds = if kind == 2 && i % 50 == 0 { Bounds3::EMPTY } else { Bounds3 { min: c, max: c.map(|v| v + size) } };
            let from = if rng.random_bool(0.2) { Instant::MIN } else { Instant(rng.random_range(0..1000) * 3_600_000) };
            let to = if rng.random_bool(0.3) { Instant::MAX } else { Instant(from.0.max(0) + rng.random_range(0..500) * 3_600_000) };
            RowBox { bounds, valid: Interval { from, to } }
        })
        .collect();
    if kind == 1 {
        all.sort_by(|a, b| a.bounds.min[0].total_cmp(&b.bounds.min[0]));
    }
    all
}

#[test]
fn same_rows_as_a_look_at_every_box() {
    for kind in 0..5 {
        for n in [0, 1, 15, 16, 17, 256, 257, 5_000] {
            let mut rng = ChaCha8Rng::seed_from_u64((kind * 10_000 + n) as u64);
            let rows = boxes(&mut rng, n, kind);
            let built = build(&rows);
            let mut order = built.order.clone();
            let view = IndexView::over(built).unwrap();
            for (new, given) in order.iter().enumerate() {
                assert_eq!(view.row(new as u32), rows[*given as usize]);
            }
            for _ in 0..120 {
                let mut window = Window::default();
                if rng.random_bool(0.8) {
                    let corner = rows.get(rng.random_range(0..n.max(1))).map_or([0.0; 3], |r| r.bounds.max);
                    let size = [0.0, 1e-4, 10.0, 1e3, 1e5][rng.random_range(0..5)];
                    window.bounds = Some(Bounds3 { min: corner, max: corner.map(|v| v + size) });
                    if rng.random_bool(0.5) {
                        window.bounds = window.bounds.map(|b| b.plan().with_all_heights());
                    }
                }
                if rng.random_bool(0.7) {
                    let from = Instant(rng.random_range(-10..1500) * 3_600_000);
                    window.valid = Some(Interval { from, to: Instant(from.0 + [0, 1, 3_600_000, 900_000_000][rng.random_range(0..4)]) });
                }
                let mut got = Vec::new();
                view.search(&window, &mut got);
                assert!(got.is_sorted_by(|a, b| a < b));
                let mut got: Vec<u32> = got.into_iter().map(|r| order[r as usize]).collect();
                got.sort_unstable();
                let want: Vec<u32> = (0..n as u32).filter(|i| window.takes(&rows[*i as usize])).collect();
                assert_eq!(got, want, "kind {kind}, {n} boxes, {window:?}");
            }
            order.sort_unstable();
            assert!(order.iter().copied().eq(0..n as u32));
        }
    }
}
