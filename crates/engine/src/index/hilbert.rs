/// Place of a cell on the Hilbert curve of order 16: `x`, `y` below 65 536. Quadrant by quadrant from the coarse to
/// the fine (Hilbert 1891, in the state-table form of Butz): each step turns the frame into that of its quadrant.
pub(super) fn hilbert(x: u32, y: u32) -> u32 {
    let (mut x, mut y, mut d) = (x & 0xffff, y & 0xffff, 0u32);
    let mut side = 1u32 << 15;
    while side > 0 {
        let (rx, ry) = (u32::from(x & side != 0), u32::from(y & side != 0));
        d = (d << 2) | ((3 * rx) ^ ry);
        if ry == 0 {
            if rx == 1 {
                (x, y) = (0xffff ^ x, 0xffff ^ y);
            }
            std::mem::swap(&mut x, &mut y);
        }
        side >>= 1;
    }
    d
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
}
