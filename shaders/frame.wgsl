// What every pass shares: the frame's numbers, noise, light, fog and the tone curve.
// Frame of all positions: east, north, up in metres with the eye as origin.

struct Frame {
    clip: mat4x4f,
    shadow: array<mat4x4f, 4>,
    splits: vec4f,        // far end of each shadow cascade along the view axis, m
    texel_m: vec4f,       // ground size of a shadow texel per cascade, m
    sun: vec4f,           // towards the sun; w: cascades in use
    sun_colour: vec4f,    // w: night 0..1
    zenith: vec4f,        // w: cloud strength
    horizon: vec4f,       // w: fog strength
    ambient: vec4f,       // light from above; w: lamps 0..1
    bounce: vec4f,        // light from below; w: exposure
    eye: vec4f,           // eye in ENU at the camera's target; w: ambient occlusion is drawn, 0 or 1
    time: vec4i,          // day, compared day, compare on, mode
    misc: vec4f,          // seconds, leaves 0..1, size of a pixel at 1 m, near plane
    cut_lo: vec4f,        // cut-away box; w: ellipsoidal height of the city's datum
    cut_hi: vec4f,        // w: 1 where x-ray is on a dark page
    right: vec4f,         // times tan of half the width; w: the eye's easting in the city's plan, less tens of km
    up: vec4f,            // times tan of half the height; w: northing
    forward: vec4f,       // w: from grid north to true north, clockwise, rad; 9 without a plan
    view_px: vec4f,       // width, height and their inverses
    terrain: vec4f,       // lowest and highest tint, contours on, snow 0..1
    windows: vec4f,       // share of lit windows: homes, offices, shops, others
    section: mat4x4f,     // to the cube of the section box, −1 to 1
    section_on: vec4f,    // 0 no section, 1 what is inside stays, 2 what is outside; y: corners of its outline
    section_outline: array<vec4f, 12>, // in the cube's plan, two corners each
}

struct Draw {
    enu_from_tile: mat4x4f,
    params: vec4f,        // role, opacity, fade, ellipsoidal height of the tile's origin
    world: vec4f,         // city-wide plan offset of the tile for noise, depth bias, layer's flat colour on
    colour: vec4f,
    ids: vec4u,           // draw number, texels in a row of the feature picture, 0, 0
}

@group(0) @binding(0) var<uniform> frame: Frame;
@group(1) @binding(0) var<uniform> draw: Draw;
@group(2) @binding(0) var features: texture_2d<u32>;
@group(3) @binding(0) var shadow_map: texture_depth_2d;
@group(3) @binding(1) var shadow_sampler: sampler_comparison;
// Distance along the view axis of the matter under each pixel, m, negative where it is a building; only x-ray reads it.
@group(3) @binding(2) var solid: texture_2d<f32>;
// Chances 0..1 at the corners of a lattice that repeats, for `noise`; and `fbm`, ready mixed.
@group(3) @binding(3) var grain: texture_2d<f32>;
@group(3) @binding(4) var grain_sampler: sampler;

// Taps a side of a soft shadow's edge.
override shadow_taps: i32 = 3;
// Nothing of what is drawn is taken away: no fade, no cut, no section, no comparison. A shader that never discards lets the
// device test depth before it dresses a pixel.
override whole: bool = false;
// What a picture does not have is left out of its shaders likewise: an adapter that draws eight pixels at once goes both ways
// of every branch.
// Whole, above the ground, and nothing of the tile is chosen, hovered or coloured by a live state.
override plain: bool = false;
// No lamp burns.
override daylit: bool = false;
override snowless: bool = false;
// Neither contours nor land use is drawn as data.
override unmapped: bool = false;

const MODE_SURFACE: i32 = 0;
const MODE_XRAY: i32 = 1;
const MODE_CUTAWAY: i32 = 2;
const MODE_BELOW: i32 = 3;

struct Feature {
    valid_from: i32,
    valid_to: i32,
    seed: u32,
    colour: vec4f,
    kind: u32,            // use of a building, class of a pipe, species of a tree …
    roof: u32,
    floors: f32,
    year: i32,
    height: f32,
    bits: u32,            // 1,2 flow direction · 4 abandoned · 8 selected · 16 hovered · 32 has another version · 64 flat sides · 256 coloured by a live state
}

// Always 0, which no compiler can know. Mesa's software adapter takes each uniform that alone decides a branch for a constant
// and makes the shader anew for every draw: a picture's time, and memory without end. What is added to such a number shields it.
var<private> zero: i32 = 0;

fn mode() -> i32 {
    if plain { return MODE_SURFACE; }
    return frame.time.w + zero;
}
fn comparing() -> bool {
    if whole { return false; }
    return frame.time.z + zero == 1;
}
fn shielded(v: f32) -> f32 {
    return v + f32(zero);
}

fn feature_of(row: u32) -> Feature {
    zero = i32(row >> 31u);
    let w = draw.ids.y;
    let i = row * 2u;
    let a = textureLoad(features, vec2i(i32(i % w), i32(i / w)), 0);
    let b = textureLoad(features, vec2i(i32((i + 1u) % w), i32((i + 1u) / w)), 0);
    var f: Feature;
    f.valid_from = bitcast<i32>(a.x);
    f.valid_to = bitcast<i32>(a.y);
    f.seed = a.z;
    f.colour = unpack4x8unorm(a.w);
    f.kind = b.x & 0xffu;
    f.roof = (b.x >> 8u) & 0xffu;
    f.floors = f32(b.x >> 16u);
    f.year = bitcast<i32>(b.y);
    f.height = bitcast<f32>(b.z);
    f.bits = b.w;
    return f;
}

fn stands(f: Feature, day: i32) -> bool {
    return f.valid_from <= day && day < f.valid_to;
}

// ---- noise -------------------------------------------------------------------------------------------------

fn hash_u(v: u32) -> u32 {
    let s = v * 747796405u + 2891336453u;
    let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
    return (w >> 22u) ^ w;
}
fn hash3(a: u32, b: u32, c: u32) -> f32 {
    return f32(hash_u(a ^ hash_u(b ^ hash_u(c))) >> 8u) / 16777216.0;
}
fn hash_cell(p: vec2f, salt: u32) -> f32 {
    return hash3(bitcast<u32>(i32(floor(p.x))), bitcast<u32>(i32(floor(p.y))), salt);
}
// Value noise: the sampler mixes the four corners, eased so that the lattice does not show.
const GRAIN: f32 = 256.0;
fn noise(p: vec2f) -> f32 {
    let i = floor(p);
    let f = p - i;
    let u = f * f * (3.0 - 2.0 * f);
    // Within one period: a far coordinate would lose its fraction. The picture holds it twice over.
    let at = i - floor(i / GRAIN) * GRAIN;
    return textureSampleLevel(grain, grain_sampler, (at + u + 0.5) / (2.0 * GRAIN), 0.0).x;
}
// Four octaves of it.
const MOTTLE: f32 = 64.0;
fn fbm(p: vec2f) -> f32 {
    return textureSampleLevel(grain, grain_sampler, fract(p / MOTTLE), 0.0).y;
}
// How much of a pixel of width `w` at `x` lies in [a, b]: a stripe without jagged edges.
fn band(x: f32, a: f32, b: f32, w: f32) -> f32 {
    return clamp((x - a) / w + 0.5, 0.0, 1.0) - clamp((x - b) / w + 0.5, 0.0, 1.0);
}
fn srgb(r: f32, g: f32, b: f32) -> vec3f {
    return linear(vec3f(r, g, b) / 255.0);
}
fn linear(c: vec3f) -> vec3f {
    return select(pow((c + 0.055) / 1.055, vec3f(2.4)), c / 12.92, c <= vec3f(0.04045));
}
fn encoded(c: vec3f) -> vec3f {
    let x = clamp(c, vec3f(0.0), vec3f(1.0));
    return select(1.055 * pow(x, vec3f(1.0 / 2.4)) - 0.055, x * 12.92, x <= vec3f(0.0031308));
}
fn luma(c: vec3f) -> f32 {
    return dot(c, vec3f(0.2126, 0.7152, 0.0722));
}

// ---- light -------------------------------------------------------------------------------------------------

// One tap, so many of its steps from the point itself.
fn sunlit(q: vec4f, x: f32, y: f32, size: f32) -> f32 {
    return textureSampleCompareLevel(shadow_map, shadow_sampler, q.xy + vec2f(x, y) * (size * 1.1), q.z);
}
fn shadow_at(pos: vec3f, n: vec3f) -> f32 {
    let depth = dot(pos, frame.forward.xyz);
    // One that is not in use ends at 0.
    var c = 4;
    if depth < frame.splits.w { c = 3; }
    if depth < frame.splits.z { c = 2; }
    if depth < frame.splits.y { c = 1; }
    if depth < frame.splits.x { c = 0; }
    if c > 3 { return 1.0; }
    let ndl = max(dot(n, frame.sun.xyz), 0.0);
    let t = frame.texel_m[c];
    let p = pos + n * t * (0.6 + 1.8 * (1.0 - ndl)) + frame.sun.xyz * t * 0.5;
    let q = frame.shadow[c] * vec4f(p, 1.0);
    let size = 1.0 / f32(textureDimensions(shadow_map).x);
    // Each cascade owns a quarter of the picture.
    let corner = vec2f(f32(c % 2), f32(c / 2)) * 0.5;
    let lo = corner + vec2f(size * 2.5);
    let hi = corner + vec2f(0.5 - size * 2.5);
    if any(q.xy < lo) || any(q.xy > hi) || q.z > 1.0 { return 1.0; }
    // Written out: a software adapter keeps what a loop sums in memory.
    var s = 0.0;
    if shadow_taps == 1 {
        s = sunlit(q, 0.0, 0.0, size);
    } else if shadow_taps == 2 {
        s = (sunlit(q, -0.5, -0.5, size) + sunlit(q, 0.5, -0.5, size) + sunlit(q, -0.5, 0.5, size) + sunlit(q, 0.5, 0.5, size)) * 0.25;
    } else {
        let corners = sunlit(q, -1.0, -1.0, size) + sunlit(q, 1.0, -1.0, size) + sunlit(q, -1.0, 1.0, size) + sunlit(q, 1.0, 1.0, size);
        let sides = sunlit(q, 0.0, -1.0, size) + sunlit(q, -1.0, 0.0, size) + sunlit(q, 1.0, 0.0, size) + sunlit(q, 0.0, 1.0, size);
        s = (corners + 2.0 * sides + 4.0 * sunlit(q, 0.0, 0.0, size)) / 16.0;
    }
    let last = max(max(frame.splits.x, frame.splits.y), max(frame.splits.z, frame.splits.w));
    return mix(s, 1.0, smoothstep(last * 0.85, last, depth));
}
fn sky_towards(d: vec3f) -> vec3f {
    let t = 1.0 - exp(-max(d.z, 0.0) * 5.5);
    var c = mix(frame.horizon.rgb, frame.zenith.rgb, t);
    let toward = max(dot(d, frame.sun.xyz), 0.0);
    // Its sixth and its fortieth power.
    let two = toward * toward;
    let four = two * two;
    let eight = four * four;
    let sixteen = eight * eight;
    c += frame.sun_colour.rgb * (four * two * 0.06 + sixteen * sixteen * eight * 0.10) * (1.0 - t * 0.5);
    return c;
}
fn ambient_at(n: vec3f) -> vec3f {
    // A wall that looks away from the sun sees the bluer half of the sky.
    let side = 0.90 + 0.10 * dot(normalize(n.xy + vec2f(1e-4)), normalize(frame.sun.xy + vec2f(1e-4)));
    return mix(frame.bounce.rgb, frame.ambient.rgb * side, n.z * 0.5 + 0.5);
}
// Share of a pixel's light that comes from the sky at large: so much of it occlusion may take.
var<private> from_sky: f32 = 1.0;
// What of the sun's beam reached the point that was lit last: a shader for a slow adapter asks once.
var<private> in_sun: f32 = 0.0;

// Of the lamps along the streets, by night.
fn street_light() -> vec3f {
    if daylit { return vec3f(0.0); }
    return srgb(255.0, 190.0, 120.0) * frame.ambient.w;
}

fn lit(albedo: vec3f, n: vec3f, pos: vec3f, ao: f32) -> vec3f {
    let ndl = max(dot(n, frame.sun.xyz), 0.0);
    var s = 0.0;
    if ndl > 0.0 { s = shadow_at(pos, n); }
    in_sun = s;
    let beam = frame.sun_colour.rgb * (ndl * s);
    let sky = ambient_at(n) * ao;
    from_sky = luma(sky) / max(luma(beam + sky), 1e-5);
    return albedo * (beam + sky);
}
fn fogged(c: vec3f, pos: vec3f) -> vec3f {
    let d = length(pos);
    let dir = pos / max(d, 0.001);
    // Thin haze from the first kilometre, fog from the fourth; both thin out with height above the eye's ground.
    let height = exp(-max(pos.z + frame.eye.z, 0.0) / 500.0);
    let haze = 1.0 - exp(-max(d - 600.0, 0.0) / 21000.0);
    let fog = 1.0 - exp(-max(d - 4000.0, 0.0) / 9000.0 * height);
    let tint = sky_towards(normalize(vec3f(dir.xy, 0.02)));
    let share = clamp((haze + fog) * frame.horizon.w, 0.0, 1.0);
    from_sky *= 1.0 - share;
    return mix(c, tint, share);
}
// Linear up to 0.6, then a soft shoulder that never reaches paper white.
fn toned(c: vec3f) -> vec3f {
    // A little more colour than the light alone leaves: a screen is dimmer than a street.
    let x = max(mix(vec3f(luma(c)), c, 1.16) * frame.bounce.w, vec3f(0.0));
    let y = 0.6 + 0.345 * (1.0 - exp(-(x - 0.6) / 0.345));
    return select(y, x, x < vec3f(0.6));
}
// Screen-door for cross-fading tiles and ghosts; the same pattern on every machine.
fn door(p: vec2f) -> f32 {
    return fract(52.9829189 * fract(dot(floor(p), vec2f(0.06711056, 0.00583715))));
}
fn in_cut(pos: vec3f) -> bool {
    return mode() == MODE_CUTAWAY && all(pos.xy > frame.cut_lo.xy) && all(pos.xy < frame.cut_hi.xy);
}

// What the section box takes.
fn cut_off(pos: vec3f) -> bool {
    if whole { return false; }
    let on = shielded(frame.section_on.x);
    if on < 0.5 { return false; }
    let q = (frame.section * vec4f(pos, 1.0)).xyz;
    return (all(abs(q) <= vec3f(1.0)) && in_outline(q.xy)) == (on > 1.5);
}
fn outline_corner(i: i32) -> vec2f {
    let two = frame.section_outline[i / 2];
    return select(two.xy, two.zw, (i & 1) == 1);
}
fn in_outline(p: vec2f) -> bool {
    let n = i32(shielded(frame.section_on.y));
    if n == 0 { return true; }
    var inside = false;
    var a = outline_corner(n - 1);
    for (var i = 0; i < n; i++) {
        let b = outline_corner(i);
        if (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x { inside = !inside; }
        a = b;
    }
    return inside;
}
// Where a section opens a body its inner faces stand for the cut: paper with a hatch.
fn hatched(c: vec4f, n: vec3f, pos: vec3f, px: vec2f) -> vec4f {
    if whole { return c; }
    if shielded(frame.section_on.x) < 0.5 || dot(n, pos) <= 0.0 { return c; }
    let line = band(fract((px.x + px.y) / 9.0), 0.0, 0.22, 0.12);
    return vec4f(mix(srgb(226.0, 217.0, 200.0), srgb(120.0, 96.0, 72.0), line), 0.0);
}

const PALE_UNDERGROUND = vec3f(0.694, 0.651, 0.571);
const DARK_UNDERGROUND = vec3f(0.0052, 0.0070, 0.0103);
// What lies about the pipes in x-ray: paper, or night on a dark page.
fn underground() -> vec3f {
    return mix(PALE_UNDERGROUND, DARK_UNDERGROUND, frame.cut_hi.w);
}

// The last word on matter: mode, compare, selection, fog, tone. Alpha is the share that ambient occlusion may take; data has none.
fn matter(colour: vec3f, n: vec3f, pos: vec3f, f: Feature, px: vec2f) -> vec4f {
    if plain { return vec4f(toned(fogged(colour, pos)), from_sky); }
    var c = colour;
    if mode() == MODE_XRAY {
        let shade = 0.75 + 0.25 * max(dot(n, normalize(frame.sun.xyz + vec3f(0.0, 0.0, 0.6))), 0.0);
        c = mix(underground() * shade, toned(c), mix(0.30, 0.09, frame.cut_hi.w));
        return vec4f(chosen(c, n, pos, f), select(0.85, 0.0, is_chosen(f)));
    }
    c = toned(fogged(c, pos));
    if comparing() {
        c = compared(c, n, f, px);
        if stands(f, frame.time.x) != stands(f, frame.time.y) { from_sky = 0.0; }
    }
    return vec4f(chosen(c, n, pos, f), select(from_sky, 0.0, is_chosen(f)));
}
fn is_chosen(f: Feature) -> bool {
    return (f.bits & 8u) != 0u;
}
// More light on a pixel than the sky's.
fn brightened(before: vec3f, after: vec3f) {
    from_sky *= clamp(luma(before) / max(luma(after), 1e-5), 0.0, 1.0);
}
fn compared(colour: vec3f, n: vec3f, f: Feature, px: vec2f) -> vec3f {
    let now = stands(f, frame.time.x);
    let was = stands(f, frame.time.y);
    let shade = 0.62 + 0.38 * max(dot(n, normalize(frame.sun.xyz + vec3f(0.0, 0.0, 0.4))), 0.0);
    let stripe = fract((px.x + px.y) / 10.0);
    if now && !was {
        if (f.bits & 32u) != 0u { return select(srgb(230.0, 159.0, 0.0), srgb(250.0, 222.0, 160.0), stripe > 0.5) * shade; }
        return srgb(0.0, 114.0, 178.0) * shade;
    }
    if was && !now { return srgb(213.0, 94.0, 0.0) * shade; }
    let grey = vec3f(luma(colour));
    return mix(colour, grey * 0.8 + vec3f(0.16), 0.65);
}
fn chosen(colour: vec3f, n: vec3f, pos: vec3f, f: Feature) -> vec3f {
    if is_chosen(f) {
        let facing = abs(dot(n, normalize(pos)));
        let yellow = vec3f(1.0, 0.665, 0.0) * (0.70 + 0.30 * clamp(luma(colour) * 2.0, 0.0, 1.0));
        return select(vec3f(0.0), yellow, facing > 0.12);
    }
    if (f.bits & 16u) != 0u { return colour * 1.12 + 0.02; }
    if (f.bits & 256u) != 0u { return linear(f.colour.rgb) * (0.62 + 0.38 * max(dot(n, normalize(vec3f(0.3, 0.2, 0.9))), 0.0)); }
    return colour;
}
// A tile that comes takes the pixels that the one it replaces gives up: fade 0..1 comes, −1..0 leaves.
fn faded(px: vec2f) -> bool {
    if whole { return false; }
    let fade = shielded(draw.params.z);
    if fade >= 1.0 { return false; }
    let d = door(px);
    return select(d >= fade, d < 1.0 + fade, fade < 0.0);
}
// Tiles that just came, ghosts of what is gone, and what the cut-away takes.
fn unseen(pos: vec3f, f: Feature, px: vec2f) -> bool {
    if whole { return false; }
    if in_cut(pos) || cut_off(pos) { return true; }
    if faded(px) { return true; }
    if shielded(draw.params.y) < 1.0 && door(px) >= draw.params.y { return true; }
    if comparing() && !stands(f, frame.time.x) && fract((px.x - px.y) / 8.0) > 0.5 { return true; }
    return false;
}
