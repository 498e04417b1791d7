// Walls and roofs, dressed from attributes: use, floors, year, seed. No pictures are loaded.

const USE_RESIDENTIAL: u32 = 1u;
const USE_OFFICE: u32 = 2u;
const USE_COMMERCIAL: u32 = 3u;
const USE_INDUSTRIAL: u32 = 4u;
const USE_SCHOOL: u32 = 5u;
const USE_HOSPITAL: u32 = 6u;
const USE_PUBLIC: u32 = 7u;

fn tinted(c: vec3f, seed: u32) -> vec3f {
    // ±6 % by seed, a little warmer or cooler.
    let k = 0.94 + 0.12 * hash3(seed, 11u, 3u);
    let warm = (hash3(seed, 23u, 5u) - 0.5) * 0.06;
    return c * k * vec3f(1.0 + warm, 1.0, 1.0 - warm);
}
fn wall_colour(f: Feature) -> vec3f {
    let r = hash3(f.seed, 1u, 1u);
    var c = srgb(201.0, 183.0, 156.0);
    switch f.kind {
        case 1u: {
            if f.year < 1990 { c = select(srgb(201.0, 183.0, 156.0), srgb(165.0, 116.0, 92.0), r < 0.55); }
            else if f.year <= 2010 {
                c = srgb(216.0, 205.0, 184.0);
                if r < 0.25 { c = srgb(222.0, 190.0, 164.0); } else if r < 0.42 { c = srgb(205.0, 203.0, 196.0); }
            } else {
                c = srgb(207.0, 200.0, 188.0);
                if r < 0.3 { c = srgb(190.0, 174.0, 154.0); } else if r < 0.5 { c = srgb(221.0, 216.0, 206.0); }
            }
        }
        case 2u: { c = mix(srgb(111.0, 135.0, 147.0), srgb(150.0, 158.0, 160.0), r * 0.7); }
        case 3u: { c = mix(srgb(205.0, 186.0, 160.0), srgb(186.0, 180.0, 174.0), r); }
        case 4u: { c = mix(srgb(174.0, 180.0, 184.0), srgb(152.0, 170.0, 186.0), r * 0.8); }
        case 5u: { c = select(srgb(201.0, 143.0, 98.0), srgb(214.0, 186.0, 150.0), r < 0.4); }
        case 6u: { c = mix(srgb(232.0, 230.0, 224.0), srgb(212.0, 222.0, 226.0), r); }
        case 7u: { c = srgb(227.0, 223.0, 214.0); }
        default: { c = srgb(196.0, 188.0, 174.0); }
    }
    return tinted(c, f.seed);
}

struct Dress {
    albedo: vec3f,
    fine: f32,
    glass: f32,
    glow: vec3f,
    ao: f32,
    // How each pane stands a little out of the wall's plane, so that reflections are not one mirror.
    tilt: vec2f,
}

// A rectangle's share of the pixel, melting into its mean share where a bay is under two pixels.
fn opening(x: f32, x0: f32, x1: f32, wx: f32, period_x: f32, y: f32, y0: f32, y1: f32, wy: f32, period_y: f32) -> f32 {
    let sx = clamp(period_x / wx * 0.5 - 1.0, 0.0, 1.0);
    let sy = clamp(period_y / wy * 0.5 - 1.0, 0.0, 1.0);
    let cx = mix(clamp((x1 - x0) / period_x, 0.0, 1.0), band(x, x0, x1, wx), sx);
    let cy = mix(clamp((y1 - y0) / period_y, 0.0, 1.0), band(y, y0, y1, wy), sy);
    return cx * cy;
}

// Light of the room of 2^`doubling` bays that a bay belongs to; 0 where nobody is.
fn room(seed: u32, level: f32, bay: f32, side: u32, doubling: f32, share: f32) -> f32 {
    let cell = u32(floor(bay / exp2(doubling))) + side * 977u + u32(doubling) * 7919u;
    return select(0.0, 0.35 + 0.65 * hash3(seed, u32(level) + 9u, cell), hash3(seed, u32(level), cell) < share);
}

fn dressed_wall(f: Feature, uv: vec2f, size: vec2f, side: u32, wx: f32, wy: f32, n: vec3f) -> Dress {
    var d: Dress;
    let wall = wall_colour(f);
    d.albedo = wall;
    // To a decimetre and a little off it: interpolation leaves its noise in the last digits, and a wall is dressed as one.
    let len = max(round(size.x * 10.0) * 0.1 + 0.013, 0.02);
    let tall = max(size.y, 0.5);
    let floors = max(f.floors, 1.0);
    let storey = tall / floors;
    let level = clamp(floor(uv.y / storey), 0.0, floors - 1.0);
    let y = uv.y - level * storey;
    let top = level >= floors - 0.5;
    let ground = level < 0.5;
    var pitch = 3.3;
    switch f.kind {
        case 2u: { pitch = 1.5; }
        case 3u: { pitch = 4.2; }
        case 4u: { pitch = 6.0; }
        case 5u, 6u: { pitch = 3.6; }
        case 7u: { pitch = 3.9; }
        default: {}
    }
    let bays = max(floor(len / pitch + 0.25), 1.0);
    let bay = len / bays;
    let bi = clamp(floor(uv.x / bay), 0.0, bays - 1.0);
    let x = uv.x - bi * bay;
    let cell = u32(bi) + side * 977u;
    let r = hash3(f.seed, u32(level), cell);
    let column = hash3(f.seed, 40u, cell);
    let fine = clamp(bay / wx * 0.5 - 1.0, 0.0, 1.0) * clamp(storey / wy * 0.5 - 1.0, 0.0, 1.0);
    // Floors are seen from farther than bays are.
    let floors_seen = clamp(storey / wy - 1.0, 0.0, 1.0);

    // Weather: streaks under sills, dirt at the foot, more on old walls.
    let age = clamp((2026.0 - f32(f.year)) / 50.0, 0.0, 1.0);
    let streak = noise(vec2f(uv.x * 1.7 + f32(f.seed & 255u), uv.y * 0.12)) - 0.5;
    d.albedo *= 1.0 + streak * (0.05 + 0.10 * age) + (noise(uv * 0.35 + f32(f.seed & 63u)) - 0.5) * 0.05;

    var window = 0.0;
    var frame_colour = vec3f(0.62);
    var pane = vec3f(0.045, 0.06, 0.075);
    var share = frame.windows.x;
    var warmth = srgb(255.0, 214.0, 163.0);
    // A room has 2^spread bays.
    var spread = 0.0;
    var rail = 0.0;
    var rail_colour = wall * 0.9;
    var recess = 0.0;
    let end_wall = f.kind == USE_RESIDENTIAL && len < 13.6;

    if f.kind == USE_OFFICE {
        // Curtain wall: glass from slab to slab, thin mullions, an opaque band at each slab.
        window = opening(x, 0.06, bay - 0.06, wx, bay, y, 0.75, storey - 0.10, wy, storey);
        share = frame.windows.y; warmth = srgb(255.0, 228.0, 190.0) * 0.62; spread = 2.0;
        pane = mix(vec3f(0.05, 0.075, 0.095), wall * 0.32, 0.6);
        d.albedo = mix(wall * 0.62, vec3f(0.55, 0.57, 0.58), step(hash3(f.seed, 3u, 9u), 0.5) * 0.6);
        if hash3(f.seed, 8u, 8u) < 0.4 {
            // The other kind: stone piers with tall windows.
            let pier = bay * 2.0;
            let px = uv.x - floor(uv.x / pier) * pier;
            window = opening(px, pier * 0.2, pier * 0.8, wx, pier, y, 0.5, storey - 0.35, wy, storey);
            d.albedo = tinted(srgb(198.0, 192.0, 182.0), f.seed);
        }
    } else if f.kind == USE_INDUSTRIAL {
        // Profiled sheet with one high strip of glass.
        let rib = opening(fract(uv.x / 0.5) * 0.5, 0.0, 0.25, wx, 0.5, 0.5, 0.0, 1.0, 0.01, 1.0);
        d.albedo *= 0.94 + 0.08 * rib;
        window = band(uv.y, tall * 0.68, tall * 0.86, wy) * opening(x, 0.12, bay - 0.12, wx, bay, 0.5, 0.0, 1.0, 0.01, 1.0);
        if floors > 1.5 { window = opening(x, 0.5, bay - 0.5, wx, bay, y, 1.1, storey - 0.7, wy, storey); }
        share = frame.windows.w;
        let base = band(uv.y, -1.0, 1.1, wy);
        d.albedo = mix(d.albedo, srgb(128.0, 126.0, 122.0), base);
        // A roller gate now and then.
        if column < 0.2 && floors < 1.5 {
            let gate = band(x, 0.9, bay - 0.9, wx) * band(uv.y, 0.0, min(4.2, tall * 0.55), wy);
            d.albedo = mix(d.albedo, srgb(96.0, 112.0, 128.0) * (0.9 + 0.1 * step(0.5, fract(uv.y / 0.4))), gate);
        }
    } else if f.kind == USE_COMMERCIAL {
        window = opening(x, 0.7, bay - 0.7, wx, bay, y, 0.9, storey - 0.8, wy, storey);
        share = frame.windows.z; warmth = srgb(255.0, 232.0, 200.0);
    } else if f.kind == USE_SCHOOL || f.kind == USE_HOSPITAL {
        // Long bands of windows between pale slabs.
        window = opening(x, 0.22, bay - 0.22, wx, bay, y, 0.95, storey - 0.55, wy, storey);
        let slab = opening(0.5, 0.0, 1.0, 0.01, 1.0, y, storey - 0.45, storey + 0.4, wy, storey);
        d.albedo = mix(d.albedo, srgb(232.0, 226.0, 214.0), slab * 0.8);
        share = frame.windows.w; warmth = srgb(240.0, 244.0, 255.0);
    } else if f.kind == USE_PUBLIC {
        window = opening(x, bay * 0.30, bay * 0.70, wx, bay, y, 0.7, storey - 0.6, wy, storey);
        share = frame.windows.w; warmth = srgb(255.0, 236.0, 205.0);
    } else {
        // Homes: every third bay a balcony, the others single windows; end walls nearly blank.
        let loggia = f.kind == USE_RESIDENTIAL && !end_wall && (u32(bi) % 3u) == (f.seed % 3u);
        if end_wall {
            if u32(bi) == u32(bays * 0.5) { window = opening(x, bay * 0.36, bay * 0.36 + 0.9, wx, bay, y, 1.0, min(2.3, storey - 0.3), wy, storey); }
        } else if loggia {
            window = opening(x, 0.35, bay - 0.35, wx, bay, y, 1.05, storey - 0.30, wy, storey);
            rail = opening(x, 0.18, bay - 0.18, wx, bay, y, 0.0, 1.05, wy, storey);
            rail_colour = select(wall * 1.12, vec3f(0.58, 0.60, 0.60), hash3(f.seed, 6u, 2u) < 0.5);
            recess = opening(x, 0.18, bay - 0.18, wx, bay, y, storey - 0.30, storey, wy, storey);
            pane = vec3f(0.07, 0.09, 0.10);
        } else {
            let wide = select(1.5, 1.9, hash3(f.seed, 7u, 2u) < 0.5);
            let mid = bay * 0.5;
            window = opening(x, mid - wide * 0.5, mid + wide * 0.5, wx, bay, y, 0.92, min(2.45, storey - 0.3), wy, storey);
            // An outdoor air-conditioning unit under some windows.
            if r < 0.35 && fine > 0.0 {
                let unit = band(x, mid + 0.2, mid + 1.05, wx) * band(y, 0.25, 0.80, wy) * fine;
                d.albedo = mix(d.albedo, vec3f(0.66, 0.66, 0.64), unit);
            }
        }
        if f.year > 1995 {
            let slab = opening(0.5, 0.0, 1.0, 0.01, 1.0, y, -0.1, 0.16, wy, storey);
            d.albedo = mix(d.albedo, d.albedo * 1.13, slab);
        }
        if f.kind == USE_RESIDENTIAL && f.year > 2005 && hash3(f.seed, 4u, 4u) < 0.5 && level < 3.0 {
            // A stone base of two or three storeys.
            d.albedo = mix(d.albedo, srgb(158.0, 142.0, 126.0), 0.7);
        }
    }
    if len < 2.4 && f.kind != USE_OFFICE { window = 0.0; rail = 0.0; recess = 0.0; }

    // The ground floor differs: shopfronts with sign bands, entrances, a plinth.
    let shops = f.kind == USE_COMMERCIAL || (f.kind == USE_RESIDENTIAL && !end_wall && hash3(f.seed, 21u, 7u) < 0.30 && floors > 3.5);
    if ground && shops && len > 5.0 {
        let front = opening(x, 0.25, bay - 0.25, wx, bay, y, 0.25, storey * 0.64, wy, 1000.0);
        let sign = opening(x, 0.10, bay - 0.10, wx, bay, y, storey * 0.68, storey * 0.95, wy, 1000.0);
        window = front; rail = 0.0; recess = band(y, storey * 0.60, storey * 0.66, wy);
        share = max(frame.windows.z, frame.windows.x * 0.5);
        warmth = srgb(255.0, 238.0, 214.0);
        let pick = hash3(f.seed, 71u, cell);
        var paint = srgb(176.0, 46.0, 40.0);
        if pick < 0.2 { paint = srgb(32.0, 84.0, 140.0); } else if pick < 0.36 { paint = srgb(38.0, 110.0, 76.0); }
        else if pick < 0.55 { paint = srgb(216.0, 170.0, 70.0); } else if pick < 0.75 { paint = srgb(92.0, 76.0, 66.0); }
        // Strokes of lettering, only as texture.
        let stroke = step(0.45, hash_cell(vec2f(uv.x * 3.2, floor(y * 3.0)), f.seed)) * band(y, storey * 0.74, storey * 0.89, wy) * fine;
        let mean = srgb(150.0, 92.0, 76.0);
        let painted = mix(mean, mix(paint, vec3f(0.85), stroke * 0.7), max(fine, 0.25));
        d.albedo = mix(d.albedo, painted, sign);
        if !daylit { d.glow += painted * sign * frame.sun_colour.w * frame.windows.z * 0.9; }
    } else if ground && f.kind == USE_RESIDENTIAL && !end_wall && (u32(bi) % 6u) == (f.seed % 5u) {
        // An entrance with a canopy.
        let door = band(x, bay * 0.5 - 0.8, bay * 0.5 + 0.8, wx) * band(y, 0.0, 2.2, wy);
        window = 0.0; rail = 0.0;
        d.albedo = mix(d.albedo, srgb(84.0, 68.0, 60.0), door);
        d.albedo = mix(d.albedo, vec3f(0.5), band(x, bay * 0.5 - 1.2, bay * 0.5 + 1.2, wx) * band(y, 2.35, 2.6, wy));
    } else if ground {
        let plinth = band(uv.y, -2.0, 0.6, wy);
        d.albedo = mix(d.albedo, srgb(122.0, 116.0, 110.0), plinth * 0.8);
        if f.kind == USE_OFFICE || f.kind == USE_PUBLIC || f.kind == USE_HOSPITAL {
            window = opening(x, 0.1, bay - 0.1, wx, bay, y, 0.15, storey - 0.5, wy, storey);
            share = max(share, 0.5);
        }
    }

    // Glass: a dark room with curtains, and the sky in it.
    let curtain = mix(0.5, hash3(f.seed, u32(level) + 100u, cell), fine);
    pane *= 0.7 + 0.6 * curtain;
    if f.kind == USE_RESIDENTIAL && curtain > 0.72 { pane = mix(pane, vec3f(0.34, 0.31, 0.27), 0.45 * fine + 0.1); }
    let jamb = opening(x, 0.0, bay, wx, bay, y, 0.0, storey, wy, storey);
    d.albedo = mix(d.albedo, rail_colour, rail);
    d.albedo *= 1.0 - 0.45 * recess;
    d.albedo = mix(d.albedo, pane, window * jamb);
    // A thin bright frame round each pane seen close by.
    d.glass = window;
    d.fine = fine;
    d.tilt = (vec2f(hash3(f.seed, u32(level) + 200u, cell), hash3(f.seed, u32(level) + 300u, cell)) - 0.5) * 0.03 * fine;
    // The lintel's shade on the upper part of the glass.
    let shade = window * band(y, storey - 0.75, storey, wy) * fine;
    d.albedo *= 1.0 - 0.35 * shade;
    if !daylit {
        // Lamps are switched by room: as many bays as two pixels are wide, so that far windows make floors and no noise. Some
        // floors are busier than others.
        let doubling = max(log2(2.0 * wx / bay), spread);
        let busy = clamp(share * (0.55 + 0.9 * hash3(f.seed, u32(level), 61u)), 0.0, 1.0);
        let lamps = mix(room(f.seed, level, bi, side, floor(doubling), busy), room(f.seed, level, bi, side, floor(doubling) + 1.0, busy), fract(doubling));
        // Lamps too small to be resolved seem brighter than their share of the wall.
        // What stays on in the corridors behind dark rooms keeps a big facade from a chessboard.
        let corridor = select(0.0, 0.025, f.kind == USE_OFFICE);
        d.glow += warmth * window * (corridor + mix(share * 0.725, lamps, floors_seen)) * frame.sun_colour.w * mix(1.5, 0.40 + 0.30 * y / storey, fine);
    }

    // Foot, eaves and corners hold less sky; where occlusion is drawn it says so itself.
    d.ao = mix(mix(0.62, 0.92, frame.eye.w), 1.0, smoothstep(0.0, 3.2, uv.y)) * mix(mix(0.85, 1.0, frame.eye.w), 1.0, smoothstep(0.0, 1.0, tall - uv.y));
    if top {
        let cope = band(uv.y, tall - 0.35, tall + 1.0, wy);
        d.albedo = mix(d.albedo, wall * 1.06, cope * (1.0 - window));
        d.glass *= 1.0 - cope;
    }
    return d;
}

fn crease(distance: f32, edge: f32, w: f32) -> f32 {
    let near = 1.0 - smoothstep(400.0, 800.0, distance);
    return 1.0 - 0.38 * near * (1.0 - smoothstep(0.0, max(w * 1.4, 0.05), edge));
}

fn wall_pixel(v: Vertex, f: Feature, size: vec2f, wx: f32, wy: f32) -> vec4f {
    let n = normalize(v.normal);
    let side = u32(round(abs(size.x) * 10.0)) ^ (u32(n.x > 0.0) * 3u + u32(n.y > 0.0) * 5u);
    let d = dressed_wall(f, v.uv.xy, size, side, wx, wy, n);
    let distance = length(v.pos);
    let view = v.pos / max(distance, 0.01);
    let diffuse = lit(d.albedo, n, v.pos, d.ao);
    var c = diffuse;
    if d.glass > 0.0 {
        let m = normalize(n + vec3f(d.tilt.x, d.tilt.x, d.tilt.y));
        let mirrored = reflect(view, m);
        let fresnel = 0.07 + 0.93 * pow(1.0 - clamp(abs(dot(view, m)), 0.0, 1.0), 5.0);
        let strength = select(0.55, 1.0, f.kind == USE_OFFICE) * mix(fresnel, 0.30, select(0.15, 0.50, f.kind == USE_OFFICE));
        // Low rays meet the houses across the street, not the sky.
        var seen = mix(sky_towards(mirrored) * 0.42, sky_towards(mirrored), smoothstep(-0.05, 0.30, mirrored.z));
        // At night the panes hold the lit town around them.
        if !daylit { seen += street_light() * 0.085 * exp(-abs(mirrored.z) * 2.5); }
        c += seen * strength * d.glass * mix(0.6, 1.0, d.ao);
        let glint = pow(max(dot(mirrored, frame.sun.xyz), 0.0), 220.0);
        c += frame.sun_colour.rgb * glint * d.glass * 0.7 * in_sun;
    }
    c *= crease(distance, min(v.uv.x, size.x - v.uv.x), wx);
    // Street light washes the foot of the walls at night, and some of it reaches far up.
    if !daylit {
        let up = max(v.uv.y, 0.0);
        c += d.albedo * street_light() * (0.22 * exp(-up / 6.0) + 0.05 * exp(-up / 40.0));
        c += d.glow;
    }
    brightened(diffuse, c);
    return hatched(matter(c, n, v.pos, f, v.clip.xy), n, v.pos, v.clip.xy);
}

@fragment fn fs_wall(v: Vertex) -> @location(0) vec4f {
    let wx = max(fwidth(v.uv.x), 1e-4);
    let wy = max(fwidth(v.uv.y), 1e-4);
    let f = feature_of(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    return wall_pixel(v, f, v.uv.zw, wx, wy);
}

@fragment fn fs_massing(v: Vertex) -> @location(0) vec4f {
    let wx = max(fwidth(v.uv.x), 1e-4);
    let wy = max(fwidth(v.uv.y), 1e-4);
    let f = feature_of(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    if v.normal.z > 0.6 {
        let n = normalize(v.normal);
        let c = srgb(150.0, 148.0, 142.0) * (0.9 + 0.2 * hash_cell(v.uv.xy / 18.0, f.seed));
        return hatched(matter(lit(c, n, v.pos, 1.0), n, v.pos, f, v.clip.xy), n, v.pos, v.clip.xy);
    }
    return wall_pixel(v, f, vec2f(max(v.uv.z, 1.0), max(v.uv.w, 3.0)), wx, wy);
}

@fragment fn fs_roof(v: Vertex) -> @location(0) vec4f {
    let w = max(max(fwidth(v.uv.x), fwidth(v.uv.y)), 1e-4);
    let plan = plan_of(v);
    let wz = max(fwidth(plan.z), 1e-4);
    let f = feature_of(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let n = normalize(v.normal);
    let distance = length(v.pos);
    let r = hash3(f.seed, 31u, 2u);
    let edge = v.uv.w;
    var c = vec3f(0.0);
    var ao = 1.0;
    let fine = clamp(1.2 / w - 0.5, 0.0, 1.0);
    if v.uv.z > 0.5 {
        // Tiles or sheet in rows down the slope.
        c = select(srgb(98.0, 102.0, 108.0), srgb(146.0, 86.0, 68.0), r < 0.55);
        if f.kind == USE_INDUSTRIAL { c = select(srgb(112.0, 134.0, 156.0), srgb(158.0, 160.0, 160.0), r < 0.5); }
        else if r > 0.85 { c = srgb(92.0, 116.0, 106.0); }
        let row = fract(plan.z / 0.32);
        let rows = mix(0.5, band(row, 0.0, 0.5, wz / 0.32), clamp(0.32 / wz * 0.5 - 1.0, 0.0, 1.0));
        c *= 0.90 + 0.16 * rows;
        c *= 0.92 + 0.16 * noise(v.uv.xy * 0.6);
    } else {
        c = mix(srgb(132.0, 130.0, 126.0), srgb(176.0, 170.0, 160.0), r);
        if f.kind == USE_INDUSTRIAL { c = mix(srgb(150.0, 156.0, 162.0), srgb(120.0, 138.0, 156.0), step(0.6, r)); }
        else if r < 0.18 { c = srgb(104.0, 102.0, 100.0); } else if r > 0.86 { c = srgb(150.0, 110.0, 92.0); }
        // Gravel, patches of newer felt, seams.
        c *= 0.93 + 0.14 * mix(0.5, noise(v.uv.xy * 5.0), fine) * 1.0;
        c *= 0.90 + 0.20 * noise(v.uv.xy * 0.11 + f32(f.seed & 127u));
        let seam = opening(fract(v.uv.x / 6.0) * 6.0, 0.0, 0.14, w, 6.0, 0.5, 0.0, 1.0, 0.01, 1.0);
        c *= 1.0 - 0.12 * seam;
        // Plant, hatches and vents, with a painted shade to the north of each.
        let cell = floor(v.uv.xy / 7.0);
        let q = v.uv.xy - cell * 7.0;
        let pick = hash_cell(cell, f.seed);
        if edge > 4.5 && pick < 0.42 {
            let half = vec2f(0.5 + 0.9 * hash_cell(cell, f.seed + 1u), 0.5 + 0.7 * hash_cell(cell, f.seed + 2u));
            let at = vec2f(2.0 + 3.0 * hash_cell(cell, f.seed + 3u), 3.0);
            let box = band(q.x, at.x - half.x, at.x + half.x, w) * band(q.y, at.y - half.y, at.y + half.y, w);
            let thrown = band(q.x, at.x - half.x, at.x + half.x, w) * band(q.y, at.y + half.y, at.y + half.y + 0.9, w);
            c = mix(c, c * 0.5, thrown * (1.0 - frame.sun_colour.w));
            c = mix(c, mix(vec3f(0.62, 0.63, 0.63), vec3f(0.36), pick * 2.0), box);
        }
        // Parapet: a pale coping and the darker gutter behind it.
        let cope = band(edge, -1.0, 0.38, w);
        let gutter = band(edge, 0.38, 1.0, w);
        c = mix(c, c * 0.66, gutter);
        c = mix(c, mix(wall_colour(f), vec3f(0.66), 0.4), cope);
        ao = mix(mix(0.80, 1.0, frame.eye.w), 1.0, smoothstep(0.4, 2.5, edge));
    }
    // Snow lies on what looks up.
    // It slides down a pitch and bares it in streaks along the fall, under the ridge first.
    if !snowless {
        let lying = noise(v.uv.xy * select(vec2f(0.16), vec2f(0.9, 0.11), n.z < 0.97));
        let snow = frame.terrain.w * smoothstep(0.35, 0.8, n.z) * smoothstep(0.24, 0.52, lying + 0.24);
        c = mix(c, vec3f(0.80, 0.83, 0.88), min(snow * 1.15, 0.92));
    }
    c = lit(c, n, v.pos, ao) * crease(distance, edge, w);
    return hatched(matter(c, n, v.pos, f, v.clip.xy), n, v.pos, v.clip.xy);
}
