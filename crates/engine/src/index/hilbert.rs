/// Place of a cell on the Hilbert curve of order 16: `x`, `y` below 65 536. Quadrant by quadrant from the coarse to
/// the fine (Hilbert 1891, in the state-table form of Butz): each step turns the frame into that of its quadrant.
/// The turned frame is one of four, so four steps at a time are looked up.
pub(super) fn hilbert(x: u32, y: u32) -> u32 {
    let (mut d, mut frame) = (0, 0);
    for shift in [12, 8, 4, 0] {
        let step = STEPS[frame][((x >> shift & 15) << 4 | (y >> shift & 15)) as usize];
        d = d << 8 | u32::from(step & 0xff);
        frame = usize::from(step >> 8);
    }
    d
}

/// For each frame (bit 0: axes swapped, bit 1: both turned around) and each four bits of x and of y: eight bits of the
/// place, and above them the frame that follows.
static STEPS: [[u16; 256]; 4] = steps();

const fn steps() -> [[u16; 256]; 4] {
    let mut out = [[0; 256]; 4];
    let mut frame = 0;
    while frame < 4 {
        let mut cell = 0;
        while cell < 256 {
            let (mut f, mut d, mut bit) = (frame as u16, 0, 4);
            while bit > 0 {
                bit -= 1;
                let turned = f >> 1;
                let (a, b) = ((cell >> (bit + 4) & 1) as u16 ^ turned, (cell >> bit & 1) as u16 ^ turned);
                let (rx, ry) = if f & 1 == 1 { (b, a) } else { (a, b) };
                d = d << 2 | (3 * rx) ^ ry;
                if ry == 0 {
                    f ^= rx << 1 | 1;
                }
            }
            out[frame][cell] = f << 8 | d;
            cell += 1;
        }
        frame += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::hilbert;

    #[test]
    fn neighbours_on_the_curve_are_neighbours_in_the_plane() {
        // The first 4^5 places lie in a square of 32 cells: each once, each one step from the one before.
        let mut cells: Vec<(u32, u32, u32)> = (0..32).flat_map(|x| (0..32).map(move |y| (hilbert(x, y), x, y))).collect();
        cells.sort_unstable();
        for (i, w) in cells.windows(2).enumerate() {
            assert_eq!(w[0].0 as usize, i);
            assert_eq!(w[0].1.abs_diff(w[1].1) + w[0].2.abs_diff(w[1].2), 1, "{w:?}");
        }
    }

    /// Bit by bit, as the curve is defined.
    fn slowly(x: u32, y: u32) -> u32 {
        let (mut x, mut y, mut d) = (x, y, 0u32);
        for bit in (0..16).rev() {
            let (rx, ry) = (x >> bit & 1, y >> bit & 1);
            d = d << 2 | (3 * rx) ^ ry;
            if ry == 0 {
                if rx == 1 {
                    (x, y) = (0xffff ^ x, 0xffff ^ y);
                }
                std::mem::swap(&mut x, &mut y);
            }
        }
        d
    }

    proptest::proptest! {
        #[test]
        fn four_steps_at_a_time_are_four_steps(x in 0u32..65_536, y in 0u32..65_536) {
            proptest::prop_assert_eq!(hilbert(x, y), slowly(x, y));
        }
    }
}
