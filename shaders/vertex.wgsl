// One vertex shader for everything that comes in tiles.

struct VertexIn {
    @location(0) position: vec3f,
    @location(1) normal: vec2f,       // on an octahedron, folded flat
    @location(2) uv: vec4f,           // uv, uv2
    @location(3) row: u32,
    @location(4) at: vec3f,
    @location(5) turn: vec4f,
    @location(6) scale: vec3f,
    @location(7) instance_row: u32,
}
struct Vertex {
    @builtin(position) clip: vec4f,
    @location(0) pos: vec3f,          // east, north, up from the eye
    @location(1) normal: vec3f,
    @location(2) uv: vec4f,
    @location(3) @interpolate(flat) row: u32,
}

// City-wide plan metres for noise, and the height above the ellipsoid. Worked out anew: what is handed from corner to corner
// costs a software adapter more.
fn plan_of(v: Vertex) -> vec3f {
    let m = draw.enu_from_tile;
    let d = v.pos - m[3].xyz;
    return vec3f(draw.world.xy, draw.params.w) + vec3f(dot(m[0].xyz, d), dot(m[1].xyz, d), dot(m[2].xyz, d));
}

fn rotated(v: vec3f, q: vec4f) -> vec3f {
    let t = 2.0 * cross(q.xyz, v);
    return v + q.w * t + cross(q.xyz, t);
}

fn unfolded(flat: vec2f) -> vec3f {
    let up = 1.0 - abs(flat.x) - abs(flat.y);
    let over = max(-up, 0.0);
    return vec3f(flat + select(vec2f(over), vec2f(-over), flat >= vec2f(0.0)), up);
}

const ROLE_WALL: i32 = 1;
const ROLE_MASSING: i32 = 3;
const ROLE_PIPE: i32 = 7;
const ROLE_LINE: i32 = 13;
const ROLE_BORDER: i32 = 15;
// Least half width of a tube, px: trunks 2.5 px across, branches 1.5.
fn pipe_least(radius_m: f32) -> f32 {
    return select(0.75, 1.25, radius_m > 0.10);
}
const CASING_PX: f32 = 1.25;

fn placed(v: VertexIn) -> Vertex {
    var out: Vertex;
    out.row = v.row + v.instance_row;
    let f = feature_of(out.row);
    let there = stands(f, frame.time.x) || (comparing() && stands(f, frame.time.y));
    let p = v.at + rotated(v.position * v.scale, v.turn);
    let n = rotated(unfolded(v.normal) / max(abs(v.scale), vec3f(1e-3)), v.turn);
    out.normal = normalize((draw.enu_from_tile * vec4f(n, 0.0)).xyz + vec3f(0.0, 0.0, 1e-6));
    out.pos = (draw.enu_from_tile * vec4f(p, 1.0)).xyz;
    out.uv = v.uv;
    let role = i32(draw.params.x) + zero;
    if role == ROLE_PIPE {
        // Never thinner on the screen than one can see, and a casing around: widen the tube along its normal.
        let px_m = max(dot(out.pos, frame.forward.xyz), frame.misc.w) * frame.misc.z;
        // The normals of a duct's corners point between its sides.
        let corner = select(1.0, 1.4142, (f.bits & 64u) != 0u);
        out.pos += out.normal * (max(px_m * pipe_least(v.uv.z) - v.uv.z, 0.0) + px_m * CASING_PX) * corner;
    }
    if role == ROLE_LINE || role == ROLE_BORDER {
        // Lines of a plan likewise: 4 px with their casing, a parcel's outline 1 px.
        let px_m = max(dot(out.pos, frame.forward.xyz), frame.misc.w) * frame.misc.z;
        out.pos += out.normal * max(px_m * select(2.0, 0.5, role == ROLE_BORDER) - v.uv.z * 0.5, 0.0);
    }
    out.clip = frame.clip * vec4f(out.pos, 1.0);
    // With reversed infinite depth z is a constant: a factor moves the surface along the ray.
    out.clip.z *= 1.0 + draw.world.z + select(0.0, 0.0003 * v.uv.w, role == ROLE_LINE);
    if !there { out.clip = vec4f(2.0, 2.0, 2.0, 1.0); }
    return out;
}

@vertex fn vs_main(v: VertexIn) -> Vertex {
    return placed(v);
}
@vertex fn vs_shadow(v: VertexIn) -> @builtin(position) vec4f {
    let f = feature_of(v.row + v.instance_row);
    let p = v.at + rotated(v.position * v.scale, v.turn);
    let pos = (draw.enu_from_tile * vec4f(p, 1.0)).xyz;
    var clip = frame.clip * vec4f(pos, 1.0);
    if !stands(f, frame.time.x) || in_cut(pos) { clip = vec4f(2.0, 2.0, 2.0, 1.0); }
    return clip;
}
// A triangle over all of the viewport, as far from the light as can be.
@vertex fn vs_wipe(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
    return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 1.0, 1.0);
}
@fragment fn fs_pick(v: Vertex) -> @location(0) vec4u {
    if cut_off(v.pos) || (i32(draw.params.x) != ROLE_PIPE && in_cut(v.pos)) { discard; }
    return vec4u(draw.ids.x + 1u, v.row, bitcast<u32>(dot(v.pos, frame.forward.xyz)), 0u);
}
