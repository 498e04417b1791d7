// Application layers over the city. All of it is data: composed after the tone curve, so that a swatch equals its pixel. The
// alpha of the blend keeps ambient occlusion away from it.

struct OverlayIn {
    @location(0) position: vec3f,     // metres in the overlay's own east, north, up
    @location(1) toward: vec3f,       // lines: the way along; symbols: shape, gathered 0 or 1
    @location(2) shape: vec4f,        // lines: side, end, half width px; symbols: corner, half size px; flat: –, –, rank; w: style
    @location(3) colour: vec4f,       // alpha 0: no data
    @location(4) normal: vec4f,
}
struct OverlayVertex {
    @builtin(position) clip: vec4f,
    @location(0) pos: vec3f,
    @location(1) shape: vec4f,
    @location(2) @interpolate(flat) colour: vec4f,
    @location(3) normal: vec3f,
    @location(4) @interpolate(flat) glyph: vec2f,
}

const STYLE_FLAT: i32 = 0;
const STYLE_BODY: i32 = 1;
const STYLE_ICON: i32 = 2;
const STYLE_LINE: i32 = 3;
const NO_DATA = vec3f(214.0, 217.0, 220.0);
const NO_DATA_STRIPE = vec3f(148.0, 156.0, 164.0);

@vertex fn vs_overlay(v: OverlayIn) -> OverlayVertex {
    var out: OverlayVertex;
    let style = i32(v.shape.w + 0.5);
    let scale = draw.params.y;
    out.pos = (draw.enu_from_tile * vec4f(v.position, 1.0)).xyz;
    out.clip = frame.clip * vec4f(out.pos, 1.0);
    out.shape = v.shape;
    out.colour = v.colour;
    out.normal = (draw.enu_from_tile * vec4f(v.normal.xyz, 0.0)).xyz;
    out.glyph = v.toward.xy;
    let half_px = v.shape.z * scale;
    if style == STYLE_ICON {
        out.clip = vec4f(out.clip.xy + v.shape.xy * (half_px + 1.0) * 2.0 * frame.view_px.zw * out.clip.w, out.clip.zw);
    } else if style == STYLE_LINE {
        let way = normalize((draw.enu_from_tile * vec4f(v.toward, 0.0)).xyz + vec3f(0.0, 0.0, 1e-7));
        let ahead = frame.clip * vec4f(out.pos + way * max(length(out.pos) * 0.001, 0.01), 1.0);
        let d = (ahead.xy / ahead.w - out.clip.xy / out.clip.w) * frame.view_px.xy;
        let along = d / max(length(d), 1e-6);
        let across = vec2f(-along.y, along.x);
        let px = across * v.shape.x * (half_px + 1.0) + along * v.shape.y * half_px;
        out.clip = vec4f(out.clip.xy + px * 2.0 * frame.view_px.zw * out.clip.w, out.clip.zw);
    }
    var nearer = draw.world.z;
    if style == STYLE_FLAT { nearer += 0.0001 * v.shape.z; }
    out.clip.z *= 1.0 + nearer;
    return out;
}

// Distance from the rim of a symbol, in half sizes, negative inside.
fn symbol(glyph: i32, p: vec2f) -> f32 {
    let a = abs(p);
    switch glyph {
        case 1: { return max(a.x * 0.866 + p.y * 0.5, -p.y) - 0.5; }
        case 2: { return (a.x + a.y - 1.0) * 0.7071; }
        case 3: { return max(a.x * 0.866 + a.y * 0.5, a.y) - 0.866; }
        case 4: { return max(a.x, a.y) - 0.82; }
        default: { return length(p) - 0.96; }
    }
}

fn overlay_colour(v: OverlayVertex) -> vec4f {
    let style = i32(v.shape.w + 0.5);
    let swatch = linear(v.colour.rgb);
    let scale = draw.params.y;
    if style == STYLE_FLAT {
        if v.colour.a < 0.5 {
            let stripe = fract((v.clip.x + v.clip.y) / (9.0 * scale)) < 0.34;
            return vec4f(linear(select(NO_DATA, NO_DATA_STRIPE, stripe) / 255.0), 1.0);
        }
        return vec4f(swatch, 1.0);
    }
    if style == STYLE_BODY {
        let n = normalize(v.normal);
        // The top is the swatch itself; sides are modelled by a light that does not move with the sun.
        if n.z > 0.7 { return vec4f(swatch, 1.0); }
        return vec4f(swatch * (0.60 + 0.26 * (0.5 + 0.5 * dot(n, normalize(vec3f(-0.6, -0.5, 0.0))))), 1.0);
    }
    if style == STYLE_ICON {
        let px = v.shape.z * scale;
        let d = symbol(i32(v.glyph.x + 0.5), v.shape.xy * (px + 1.0) / px) * px;
        let seen = clamp(0.5 - d, 0.0, 1.0);
        let inner = clamp(0.5 - (d + 1.75 * scale), 0.0, 1.0);
        let pale = clamp(0.5 - (d + 3.25 * scale), 0.0, 1.0) * step(0.5, v.glyph.y);
        // A dark rim, within it a pale ring where several are gathered.
        let rim = mix(vec3f(23.0, 32.0, 42.0), vec3f(250.0, 250.0, 246.0), step(0.5, v.glyph.y) * inner);
        let fill = select(inner, pale, v.glyph.y > 0.5);
        return vec4f(mix(linear(rim / 255.0), swatch, fill), seen);
    }
    let px = v.shape.z * scale;
    let d = (abs(v.shape.x) * (px + 1.0)) - px;
    let core = clamp(0.5 - (d + 1.0 * scale), 0.0, 1.0);
    return vec4f(mix(linear(vec3f(23.0, 32.0, 42.0) / 255.0), swatch, core), clamp(0.5 - d, 0.0, 1.0));
}

@fragment fn fs_overlay(v: OverlayVertex) -> @location(0) vec4f {
    let c = overlay_colour(v);
    if cut_off(v.pos) || i32(v.shape.w + 0.5) == STYLE_FLAT && in_cut(v.pos) { discard; }
    if c.a <= 0.003 { discard; }
    return c;
}
// What bodies in front hide of a line: one sees that it goes on.
@fragment fn fs_overlay_hidden(v: OverlayVertex) -> @location(0) vec4f {
    let c = overlay_colour(v);
    if cut_off(v.pos) || c.a <= 0.5 || door(v.clip.xy) > 0.35 { discard; }
    return c;
}
