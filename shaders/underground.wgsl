// What lies in the ground and is drawn as data: pipes in their casing with the marks of their class, wells, the walls of
// an excavation, the grid over one's head, control lines.

const CASING = vec3f(38.0, 48.0, 58.0);
const CASING_PALE = vec3f(232.0, 237.0, 242.0);
// Class numbers as `legend.rs` has them: JS 1 · WS 2 · YS 3 · HS 4 · RQ 5 · RL 6 · DL 7 · TX 8 · GY 9 · ZH 10 · BM 11.
const BIT_ABANDONED: u32 = 4u;
const BIT_FLAT: u32 = 64u;

// Marks along a tube, 0..1: the second channel beside hue. `t` runs through one period.
fn marks(kind: u32, t: f32, w: f32) -> f32 {
    switch kind {
        case 2u, 3u, 4u: { return band(t, 0.44, 0.56, w); }
        case 5u: { return band(fract(t * 2.0), 0.44, 0.58, w * 2.0); }
        case 7u: { return band(t, 0.36, 0.44, w) + band(t, 0.56, 0.64, w); }
        case 8u: { return band(t, 0.30, 0.37, w) + band(t, 0.465, 0.535, w) + band(t, 0.63, 0.70, w); }
        case 9u: { return band(t, 0.42, 0.58, w); }
        case 11u: { return band(fract(t * 6.0), 0.5, 1.0, w * 6.0); }
        default: { return 0.0; }
    }
}

// Class colour of CJJ 61 in its casing: hue is data, the light only models the tube.
@fragment fn fs_pipe(v: Vertex) -> @location(0) vec4f {
    let depth = max(dot(v.pos, frame.forward.xyz), frame.misc.w);
    let px_m = depth * frame.misc.z;
    let across = fwidth(v.uv.x) * 4.0;
    // The tube's axis from the way its measure runs over the surface.
    let px = dpdx(v.pos);
    let py = dpdy(v.pos);
    let face = cross(px, py);
    let along_x = cross(py, face) * dpdx(v.uv.y) + cross(face, px) * dpdy(v.uv.y);
    let f = bare(v.row);
    // Under the ground pipes are what one has come for: the box that takes the earth away leaves them.
    if faded(v.clip.xy) || cut_off(v.pos) { discard; }
    let flat_sided = (f.bits & BIT_FLAT) != 0u;
    let view = normalize(v.pos);
    let axis = along_x / max(length(along_x), 1e-20);
    let outward = face * select(1.0, -1.0, dot(face, v.normal) < 0.0) / max(length(face), 1e-20);
    let n = select(normalize(v.normal), outward, flat_sided);
    // How the surface faces the eye across the axis: a pipe that runs away from the eye has sides too.
    let facing = clamp(abs(dot(n, view)) / sqrt(max(1.0 - pow(dot(view, axis), 2.0), 1e-4)), 0.0, 1.0);
    let radius_px = (max(v.uv.z, px_m * pipe_least(v.uv.z)) + px_m * CASING_PX) / px_m;
    // Distance from the silhouette, px: of a round tube from how it faces, of a duct from the edges of its side.
    let s = sqrt(max(1.0 - facing * facing, 0.0));
    let t4 = fract(v.uv.x * 4.0);
    let rim = select((1.0 - s) * radius_px, min(t4, 1.0 - t4) / max(across, 1e-5), flat_sided);
    let edge = select(CASING_PX, 0.75, flat_sided);
    let core = smoothstep(edge - 0.6, edge + 0.5, rim);
    let swatch = linear(f.colour.rgb);
    let dark = luma(swatch) < 0.13;
    let under = mode() == MODE_BELOW;
    let night = under || (mode() == MODE_XRAY && shielded(frame.cut_hi.w) > 0.5);
    let casing = linear(select(CASING, CASING_PALE, dark && night) / 255.0);
    let shade = 0.66 + 0.34 * max(dot(n, normalize(vec3f(0.3, 0.2, select(0.9, -0.6, under)))), 0.0);
    var body = swatch * shade;
    // One period for the whole picture, so that the marks of a line do not change their measure along it.
    let period = exp2(round(log2(max(length(frame.eye.xyz) * frame.misc.z * 56.0, 0.5))));
    let ink = select(linear(CASING / 255.0), linear(CASING_PALE / 255.0), dark);
    let clear = smoothstep(1.6, 3.2, radius_px);
    body = mix(body, ink, marks(f.kind, fract(v.uv.y / period), px_m / period) * clear * 0.85);
    if (f.bits & 3u) != 0u {
        // The arms lie back from the tip by the tube's own radius, so that it points whatever its size.
        let along = select(v.uv.y, -v.uv.y, (f.bits & 2u) != 0u) - frame.misc.x * 1.5;
        let reach = radius_px * px_m;
        let step_m = max(period, reach * 5.0);
        let c = fract((along + s * reach) / step_m);
        let thick = max(1.6 * px_m, reach * 0.35) / step_m;
        body = mix(body, ink, band(c, 0.0, thick, px_m / step_m) * smoothstep(2.4, 3.6, radius_px));
    }
    let dashed = fract(v.uv.y / period * 4.0) > 0.6;
    if mode() == MODE_XRAY {
        // Dotted where a building stands before it.
        let wall = textureLoad(solid, vec2i(v.clip.xy), 0).x;
        if wall < 0.0 && -wall < dot(v.pos, frame.forward.xyz) && fract(v.uv.y / period * 5.0) > 0.5 { discard; }
    }
    if (f.bits & BIT_ABANDONED) != 0u && (core > 0.5 || dashed) { discard; }
    if comparing() && !stands(f, frame.time.x) {
        if frame.time.y + zero > frame.time.x {
            // Planned: one sees through the body, not through its outline.
            if core > 0.5 && fract((floor(v.clip.x) + floor(v.clip.y)) * 0.5) < 0.25 { discard; }
        } else if dashed { discard; }
    }
    var c = mix(casing, body, core);
    if mode() == MODE_XRAY {
        // Deeper is fainter, 1 at the top, 0.55 from 6 m down; mixed as the eye sees it, the casing half as much.
        let share = clamp(v.uv.w / 6.0, 0.0, 1.0);
        let ground = encoded(underground());
        c = linear(mix(ground, encoded(c), mix(1.0, mix(0.78, 0.55, core), share)));
    }
    if under { c = mix(UNDER_EARTH, c, exp(-max(length(v.pos) - 30.0, 0.0) / 90.0)); }
    // Where a section cuts a pipe one looks into it.
    if shielded(frame.section_on.x) > 0.5 && dot(v.normal, v.pos) > 0.0 { c = mix(linear(CASING / 255.0), c, 0.25) * 0.6; }
    return vec4f(chosen(c, n, v.pos, f), 0.0);
}

const UNDER_EARTH = vec3f(0.0185, 0.0160, 0.0140);

// Shafts and fittings: pale bodies with a dark rim, covers in the colour of their class.
@fragment fn fs_well(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if cut_off(v.pos) || (mode() == MODE_SURFACE && unseen(v.pos, f, v.clip.xy)) { discard; }
    let n = normalize(v.normal);
    if mode() == MODE_SURFACE {
        return matter(lit(draw.colour.rgb, n, v.pos, 0.9), n, v.pos, f, v.clip.xy);
    }
    let facing = abs(dot(n, normalize(v.pos)));
    let under = mode() == MODE_BELOW;
    let shade = 0.62 + 0.38 * max(dot(n, normalize(vec3f(0.3, 0.2, select(0.9, -0.6, under)))), 0.0);
    var c = mix(srgb(206.0, 208.0, 208.0), linear(f.colour.rgb), select(0.25, 0.85, n.z > 0.7)) * shade;
    c = mix(linear(CASING / 255.0), c, smoothstep(0.12, 0.30, facing));
    if mode() == MODE_XRAY { c = mix(underground(), c, 0.85); }
    if under { c = mix(UNDER_EARTH, c, exp(-max(length(v.pos) - 30.0, 0.0) / 90.0)); }
    return vec4f(chosen(c, n, v.pos, f), 0.0);
}

// Control lines in the colour of their kind, data as land use is; a pixel of paper at both sides parts them from it.
@fragment fn fs_line(v: Vertex) -> @location(0) vec4f {
    let w = max(fwidth(v.uv.x), 1e-4);
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let core = band(abs(v.uv.x), -1.0, max(v.uv.z * 0.5 - w, w), w);
    let c = mix(vec3f(242.0, 239.0, 232.0) / 255.0, f.colour.rgb, core);
    return vec4f(chosen(linear(c), vec3f(0.0, 0.0, 1.0), v.pos, f), 0.0);
}

// Outlines of parcels, where parcels are drawn as data.
@fragment fn fs_border(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    return vec4f(srgb(68.0, 81.0, 94.0), 0.0);
}

// Walls of the excavation, or of a section: black soil over loess with its hatch, a line each metre, a staff at both ends of each wall, the
// frost line dashed at 1.69 m.
@fragment fn fs_earth(v: Vertex) -> @location(0) vec4f {
    let w = max(fwidth(v.uv.y), 1e-4);
    let wx = max(fwidth(v.uv.x), 1e-4);
    let n = normalize(v.normal);
    let light = 0.66 + 0.34 * max(dot(n, normalize(vec3f(0.4, -0.5, 0.75))), 0.0);
    if v.row > 0u {
        // The cut end of a pipe: its class within its casing, hatched as a cut is.
        let f = bare(v.row);
        let hatch = band(fract((v.clip.x + v.clip.y) / 7.0), 0.0, 0.28, 0.14);
        let rim = band(v.uv.x, 1.0 - clamp(1.8 * wx, 0.12, 0.4), 2.0, wx);
        return vec4f(mix(linear(f.colour.rgb) * (1.0 - 0.30 * hatch) * light, linear(CASING / 255.0), rim), 0.0);
    }
    let depth = v.uv.y;
    var c = mix(srgb(206.0, 180.0, 144.0), srgb(184.0, 158.0, 126.0), clamp(depth / 6.0, 0.0, 1.0));
    c = mix(c, srgb(96.0, 84.0, 72.0), band(depth, -0.1, 0.62 + 0.16 * noise(vec2f(v.uv.x * 0.7, 3.0)), w));
    c *= 0.90 + 0.20 * fbm(vec2f(v.uv.x * 0.9, depth * 3.1)) + 0.06 * (noise(v.uv.xy * 7.0) - 0.5);
    if abs(n.z) < 0.5 {
        let hatch = fract((v.uv.x + depth) / 0.8);
        c *= 1.0 - 0.22 * band(hatch, 0.0, 0.09, w / 0.8);
        let metre = abs(fract(depth + 0.5) - 0.5);
        c = mix(c, srgb(70.0, 58.0, 48.0), band(metre, -1.0, max(0.012, 0.5 * w), w) * 0.65 * step(0.5, depth));
        let frost = band(abs(depth - 1.69), -1.0, max(0.035, 0.8 * w), w) * step(fract(v.uv.x / 1.2), 0.6);
        c = mix(c, srgb(11.0, 98.0, 184.0), frost);
        let end = min(v.uv.x, v.uv.z - v.uv.x);
        let staff = band(end, 0.10, 0.46, wx) * step(depth, floor(v.uv.w));
        let field = select(srgb(24.0, 26.0, 30.0), srgb(246.0, 246.0, 242.0), fract(depth) < 0.5);
        c = mix(c, field, staff);
        let edge = band(abs(end - 0.28), 0.16, 0.20, wx) * step(depth, floor(v.uv.w));
        c = mix(c, srgb(24.0, 26.0, 30.0), edge);
        c = mix(c, srgb(255.0, 213.0, 0.0), band(depth, -1.0, max(0.06, 1.5 * w), w));
    }
    return vec4f(c * light, 0.0);
}

// The ground seen from under it: a grid of the city's own metres, 10 m, every fifth line strong.
@fragment fn fs_ceiling(v: Vertex) -> @location(0) vec4f {
    let w = max(fwidth(v.uv.xy), vec2f(1e-4));
    let one = abs(fract(v.uv.xy / 10.0 + 0.5) - 0.5) * 10.0;
    let five = abs(fract(v.uv.xy / 50.0 + 0.5) - 0.5) * 50.0;
    let fine = max(band(one.x, -1.0, max(0.04, 0.5 * w.x), w.x), band(one.y, -1.0, max(0.04, 0.5 * w.y), w.y));
    let bold = max(band(five.x, -1.0, max(0.10, 0.9 * w.x), w.x), band(five.y, -1.0, max(0.10, 0.9 * w.y), w.y));
    let far = exp(-max(length(v.pos) - 20.0, 0.0) / 70.0);
    let grain = 0.9 + 0.2 * fbm(v.uv.xy / 1.7);
    var c = mix(UNDER_EARTH, srgb(66.0, 58.0, 52.0) * grain, far);
    // Lines finer than a pixel would only flicker.
    c = mix(c, srgb(168.0, 176.0, 184.0), max(fine * 0.9 * clamp(3.0 - max(w.x, w.y), 0.0, 1.0), bold) * far);
    return vec4f(c, 0.0);
}
