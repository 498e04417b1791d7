// Ambient occlusion: how much of the sky the bodies around a point leave open to it (Jiménez et al. 2016, "Practical
// real-time strategies for accurate indirect occlusion": horizons left and right in a few slices, each slice's cosine
// integral in closed form). No history and no clock: the same view is the same picture.

@group(1) @binding(1) var depths: texture_2d<f32>;
@group(1) @binding(2) var openness: texture_2d<f32>;
@group(1) @binding(3) var unshaded: texture_2d<f32>;

const PI = 3.14159265;

// Distance along the view axis of the matter under a pixel, m: negative where it is a building, 0 where there is none.
@fragment fn fs_depth(v: Vertex) -> @location(0) vec4f {
    if unseen(v.pos, feature_of(v.row), v.clip.xy) { discard; }
    let d = dot(v.pos, frame.forward.xyz);
    let role = i32(draw.params.x);
    return vec4f(select(d, -d, role >= ROLE_WALL && role <= ROLE_MASSING), 0.0, 0.0, 0.0);
}

fn depth_at(p: vec2i) -> f32 {
    let last = vec2i(frame.view_px.xy) - 1;
    return abs(textureLoad(depths, clamp(p, vec2i(0), last), 0).x);
}
// The point `depth` away along the view axis under the middle of a pixel.
fn point_at(p: vec2i, depth: f32) -> vec3f {
    let ndc = (vec2f(p) + 0.5) * frame.view_px.zw * 2.0 - 1.0;
    return (frame.forward.xyz + frame.right.xyz * ndc.x - frame.up.xyz * ndc.y) * depth;
}
// Of both neighbours the one that lies on the same surface.
fn slope(p: vec2i, c: vec3f, d: f32, way: vec2i) -> vec3f {
    let before = depth_at(p - way);
    let after = depth_at(p + way);
    if abs(before - d) < abs(after - d) { return c - point_at(p - way, before); }
    return point_at(p + way, after) - c;
}
fn slice_arc(h: f32, n: f32) -> f32 {
    return 0.25 * (cos(n) + 2.0 * h * sin(n) - cos(2.0 * h - n));
}

const SLICES = 3;
const STEPS = 4;
// A radius of so many pixels, within 0.5 m and 8 m.
const REACH_PX = 44.0;

// At half the size: share of the sky that is open, and the distance that it was found for.
@fragment fn fs_occlusion(v: SkyVertex) -> @location(0) vec4f {
    let half_px = vec2i(v.clip.xy);
    let p = half_px * 2;
    let d = depth_at(p);
    let px_m = d * frame.misc.z;
    let radius = clamp(px_m * REACH_PX, 0.5, 8.0);
    let reach_px = radius / max(px_m, 1e-6);
    if d <= 0.0 || reach_px < 1.5 { return vec4f(1.0, min(d, 60000.0), 0.0, 0.0); }
    let c = point_at(p, d);
    let to_eye = -normalize(c);
    var n = normalize(cross(slope(p, c, d, vec2i(1, 0)), slope(p, c, d, vec2i(0, 1))) + to_eye * 1e-12);
    n = select(n, -n, dot(n, to_eye) < 0.0);
    // Sixteen turns in a square of 4 × 4, which the blur takes together again.
    let q = vec2u(half_px) & vec2u(3u);
    let turn = f32((q.x * 4u + q.y * 7u + (q.x & 1u) * 2u) & 15u) + 0.5;
    let offset = f32((q.x * 5u + q.y * 12u + 3u) & 15u) / 16.0 + 0.03;
    var open = 0.0;
    for (var k = 0; k < SLICES; k += 1) {
        let angle = (f32(k) + turn / 16.0) * PI / f32(SLICES);
        // Down the screen is against the camera's up.
        let on_screen = vec2f(cos(angle), sin(angle));
        let way = normalize(frame.right.xyz) * on_screen.x - normalize(frame.up.xyz) * on_screen.y;
        let across = way - to_eye * dot(way, to_eye);
        let axis = normalize(cross(across, to_eye));
        let flat_n = n - axis * dot(n, axis);
        let length_n = max(length(flat_n), 1e-5);
        let cos_n = clamp(dot(flat_n, to_eye) / length_n, -1.0, 1.0);
        let tilt = select(-1.0, 1.0, dot(across, flat_n) >= 0.0) * acos(cos_n);
        // Horizons begin in the surface itself.
        let low = vec2f(cos(tilt + PI * 0.5), cos(tilt - PI * 0.5));
        var high = low;
        for (var i = 0; i < STEPS; i += 1) {
            let t = (f32(i) + offset) / f32(STEPS);
            let step_px = on_screen * (t * t * reach_px + 1.0);
            let ahead = vec2i(floor(vec2f(p) + 0.5 + step_px));
            let behind = vec2i(floor(vec2f(p) + 0.5 - step_px));
            let da = depth_at(ahead);
            let db = depth_at(behind);
            let a = point_at(ahead, da) - c;
            let b = point_at(behind, db) - c;
            let far = vec2f(length(a), length(b));
            let height = vec2f(dot(a, to_eye), dot(b, to_eye));
            let rise = height / max(far, vec2f(1e-6));
            // Beside the line of sight what is far does not count; along it a body is taken to reach down behind its edge, as
            // houses do, so far as a house is tall. Nor does the sky count.
            let beside = sqrt(max(far * far - height * height, vec2f(0.0)));
            let weight = clamp((radius - beside) / (0.5 * radius), vec2f(0.0), vec2f(1.0)) * clamp((3.0 * radius - far) / radius, vec2f(0.0), vec2f(1.0))
                       * step(vec2f(1e-6), vec2f(da, db));
            high = max(high, mix(low, rise, weight));
        }
        let right = tilt + clamp(acos(clamp(high.x, -1.0, 1.0)) - tilt, 0.0, PI * 0.5);
        let left = tilt + clamp(-acos(clamp(high.y, -1.0, 1.0)) - tilt, -PI * 0.5, 0.0);
        open += length_n * (slice_arc(right, tilt) + slice_arc(left, tilt));
    }
    open = clamp(open / f32(SLICES), 0.0, 1.0);
    return vec4f(mix(1.0, open, smoothstep(1.5, 4.0, reach_px)), min(d, 60000.0), 0.0, 0.0);
}

// The finished picture: the light from the sky less what is hidden from it. Alpha says how much of a pixel's light that is;
// data and sky have none and stay as they are.
@fragment fn fs_shaded(v: SkyVertex) -> @location(0) vec4f {
    let p = vec2i(v.clip.xy);
    let c = textureLoad(unshaded, p, 0);
    let d = depth_at(p);
    let size = vec2i(textureDimensions(openness)) - 1;
    let corner = (p + vec2i(1)) / 2 - vec2i(2);
    let tolerance = d * 0.01 + d * frame.misc.z * 6.0 + 0.02;
    var sum = 1e-3;
    var weights = 1e-3;
    for (var y = 0; y < 4; y += 1) {
        for (var x = 0; x < 4; x += 1) {
            let o = textureLoad(openness, clamp(corner + vec2i(x, y), vec2i(0), size), 0).xy;
            let w = max(1.0 - abs(o.y - d) / tolerance, 0.0);
            sum += o.x * w;
            weights += w;
        }
    }
    return vec4f(c.rgb * (1.0 - c.a * (1.0 - sum / weights)), c.a);
}
