// What lies and stands outside walls and roofs: ground, streets, water, land use, trees, plain bodies, sky.

fn bare(row: u32) -> Feature {
    return feature_of(row);
}

const SNOW = vec3f(0.74, 0.77, 0.82);
// Share of the ground that snow lies on; `more` of it where nobody walks.
fn snow_on(plan: vec3f, more: f32) -> f32 {
    if snowless { return 0.0; }
    return frame.terrain.w * smoothstep(0.30, 0.62, fbm(plan.xy / 30.0) + more);
}

@fragment fn fs_terrain(v: Vertex) -> @location(0) vec4f {
    let plan = plan_of(v);
    let wz = max(fwidth(plan.z), 1e-4);
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let n = normalize(v.normal);
    // Five muted tints over the heights of the data.
    let t = clamp((plan.z - frame.terrain.x) / max(frame.terrain.y - frame.terrain.x, 1.0), 0.0, 1.0) * 4.0;
    let tints = array<vec3f, 5>(srgb(150.0, 160.0, 132.0), srgb(168.0, 170.0, 142.0), srgb(184.0, 178.0, 150.0), srgb(176.0, 166.0, 138.0), srgb(158.0, 150.0, 128.0));
    let i = u32(min(t, 3.999));
    var c = mix(tints[i], tints[i + 1u], fract(min(t, 3.999)));
    // Yards and paving: a city's ground is no lawn.
    c = mix(c, srgb(190.0, 184.0, 172.0), 0.55 * smoothstep(0.35, 0.65, fbm(plan.xy / 90.0)));
    c *= 0.90 + 0.20 * fbm(plan.xy / 14.0);
    if !unmapped && shielded(frame.terrain.z) > 0.5 {
        // A picture of the relief: clear tints of the height, no yards.
        let clear = array<vec3f, 5>(srgb(122.0, 158.0, 118.0), srgb(172.0, 190.0, 134.0), srgb(222.0, 208.0, 152.0), srgb(200.0, 164.0, 116.0), srgb(168.0, 128.0, 100.0));
        c = mix(clear[i], clear[i + 1u], fract(min(t, 3.999)));
        // Contours: 5 m, every fifth bold; relief by light from three sides.
        let relief = 0.55 * max(dot(n, normalize(vec3f(-0.6, 0.6, 0.6))), 0.0) + 0.25 * max(dot(n, normalize(vec3f(0.7, 0.5, 0.5))), 0.0) + 0.2 * n.z;
        c *= 0.45 + 0.75 * relief;
        // Of the city's datum, not of the ellipsoid.
        let z = plan.z - frame.cut_lo.w;
        let line = band(abs(fract(z / 5.0 + 0.5) - 0.5) * 5.0, -1.0, wz * 0.6, wz);
        let bold = band(abs(fract(z / 25.0 + 0.5) - 0.5) * 25.0, -1.0, wz * 1.2, wz);
        c = mix(c, srgb(112.0, 92.0, 70.0), max(line * 0.55 * clamp(2.5 / wz - 0.5, 0.0, 1.0), bold * 0.85));
    }
    c = mix(c, SNOW, snow_on(plan, 0.12) * 0.75);
    return matter(lit(c, n, v.pos, 1.0) + c * street_light() * 0.018, n, v.pos, f, v.clip.xy);
}

@fragment fn fs_road(v: Vertex) -> @location(0) vec4f {
    let wx = max(fwidth(v.uv.x), 1e-4);
    let wy = max(fwidth(v.uv.y), 1e-4);
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let n = normalize(v.normal);
    let plan = plan_of(v);
    // Width and set-back at the start; length, set-back at the end and lanes: see `crossings.rs`.
    let first = u32(v.uv.z + 0.5);
    let second = u32(v.uv.w + 0.5);
    let half = f32(first & 4095u) * 0.05;
    let lanes = max(f32(second & 15u), 2.0);
    let across = v.uv.x;
    // Distance from the nearer junction, with the sense in which traffic comes to it: 1 with the line, −1 against it.
    let length_m = f32(second >> 11u) * 0.25;
    let set_back = vec2f(f32(first >> 12u), f32((second >> 4u) & 127u)) * 0.5;
    let from_end = vec2f(v.uv.y, length_m - v.uv.y) - set_back;
    let at_start = set_back.x > 0.0 && (set_back.y == 0.0 || from_end.x < from_end.y);
    let junction = select(select(1e4, from_end.y, set_back.y > 0.0), from_end.x, at_start);
    let inbound = select(1.0, -1.0, at_start);
    var c = srgb(104.0, 104.0, 106.0) * (0.92 + 0.16 * noise(plan.xy * 0.8)) * (0.94 + 0.12 * fbm(plan.xy / 25.0));
    // Wheel tracks are a little darker than the middle of a lane.
    let lane = v.uv.z / lanes;
    let in_lane = abs(fract((across + half) / lane) - 0.5);
    c *= 0.97 + 0.05 * smoothstep(0.1, 0.3, in_lane);
    // Pavement and kerb at the rim.
    // No pavement runs through a crossing.
    let lining = 1.0 - band(junction, -1e4, 0.0, wy);
    let walk = band(half - abs(across), -1.0, min(2.2, half * 0.22), wx) * lining;
    let kerb = band(half - abs(across), min(2.2, half * 0.22) - 0.22, min(2.2, half * 0.22), wx) * lining;
    let tile = 0.95 + 0.07 * step(0.5, fract(v.uv.y / 1.2)) * clamp(1.0 - wy, 0.0, 1.0);
    c = mix(c, srgb(176.0, 170.0, 160.0) * tile, walk);
    c = mix(c, srgb(206.0, 202.0, 196.0), kerb * 0.8);
    let paint = srgb(222.0, 222.0, 216.0) * (0.8 + 0.2 * noise(plan.xy * 2.0));
    let drive = half - min(2.2, half * 0.22);
    // Nothing is painted in the middle of a crossing, nor where people cross.
    let zebra_from = 1.0;
    let zebra_to = zebra_from + clamp(drive * 0.5, 2.5, 5.0);
    let stop = zebra_to + 1.5;
    let open = 1.0 - band(junction, -1e4, stop + 0.4, wy);
    // Centre: double yellow on wide streets, one dashed white on narrow ones.
    if lanes > 3.5 {
        let yellow = band(abs(abs(across) - 0.18), -1.0, 0.08, wx);
        c = mix(c, srgb(214.0, 170.0, 58.0), yellow * (1.0 - walk) * open);
    } else {
        let dash = step(fract(v.uv.y / 6.0), 0.5);
        c = mix(c, paint, band(abs(across), -1.0, 0.08, wx) * open * mix(0.5, dash, clamp(3.0 / wy - 0.5, 0.0, 1.0)));
    }
    // Lanes.
    let lane_width = 2.0 * drive / lanes;
    let k = round((across + drive) / lane_width);
    let off = abs(across + drive - k * lane_width);
    let inner = step(0.5, k) * step(k, lanes - 0.5) * step(0.6, abs(across));
    let dashes = mix(0.4, step(fract(v.uv.y / 10.0), 0.4), clamp(4.0 / wy - 0.5, 0.0, 1.0));
    c = mix(c, paint, band(off, -1.0, 0.075, wx) * inner * dashes * (1.0 - walk) * open);
    c = mix(c, paint, band(abs(abs(across) - (drive - 0.35)), -1.0, 0.07, wx) * (1.0 - walk) * 0.8 * open);
    // Stripes for people on foot, and the stop line on the side that comes.
    let on_drive = band(abs(across), -1.0, drive - 0.4, wx);
    let stripes = mix(0.5, band(fract(across / 1.2), 0.25, 0.75, wx / 1.2), clamp(1.2 / wx * 0.5 - 0.5, 0.0, 1.0));
    c = mix(c, paint, band(junction, zebra_from, zebra_to, wy) * on_drive * stripes * 0.9);
    let coming = band(across * inbound, 0.3, drive - 0.4, wx);
    c = mix(c, paint, band(junction, stop, stop + 0.4, wy) * coming);
    // Lamps stand along the street: pools of light at night.
    var light = lit(c, n, v.pos, 0.95);
    if !daylit {
        let pool = exp(-pow(abs(fract(v.uv.y / 32.0) - 0.5) * 32.0 / 9.0, 2.0)) * exp(-pow((half - abs(across)) / 8.0, 2.0));
        let diffuse = light;
        light += c * street_light() * (0.06 + 0.62 * pool);
        brightened(diffuse, light);
    }
    return matter(light, n, v.pos, f, v.clip.xy);
}

@fragment fn fs_water(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let p = plan_of(v).xy;
    let near = clamp(60.0 / max(length(v.pos), 1.0), 0.02, 1.0);
    let slope = vec2f(noise(p * 0.35 + vec2f(frame.misc.x * 0.3, 0.0)) - 0.5, noise(p * 0.35 + vec2f(31.0, frame.misc.x * 0.2)) - 0.5) * (0.03 + 0.10 * near)
              + vec2f(noise(p / 9.0) - 0.5, noise(p / 9.0 + 77.0) - 0.5) * 0.03;
    let n = normalize(vec3f(slope, 1.0));
    let view = normalize(v.pos);
    let deep = clamp(v.uv.z / 4.0, 0.0, 1.0);
    let body = mix(srgb(79.0, 143.0, 168.0), srgb(44.0, 94.0, 120.0), max(deep, 0.35));
    let fresnel = 0.03 + 0.97 * pow(1.0 - max(dot(-view, n), 0.0), 5.0);
    let mirrored = reflect(view, n);
    var c = body * (frame.sun_colour.rgb * max(frame.sun.z, 0.0) * 0.45 * shadow_at(v.pos, vec3f(0.0, 0.0, 1.0)) + frame.ambient.rgb * 0.75) * (1.0 - fresnel);
    c += sky_towards(vec3f(mirrored.xy, abs(mirrored.z))) * fresnel;
    c += frame.sun_colour.rgb * pow(max(dot(mirrored, frame.sun.xyz), 0.0), 260.0) * 1.2;
    // A mirror more than a wall.
    from_sky = 0.4 * (1.0 - fresnel);
    return matter(c, n, v.pos, f, v.clip.xy);
}

// Data, not matter: the legend's swatch, 70 % over the paper of the map, whatever the light.
@fragment fn fs_parcel(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    if unmapped || shielded(draw.world.w) < 0.5 {
        // As ground: the same parcels as one would see them, by what they are used for.
        let n = normalize(v.normal);
        let plan = plan_of(v);
        let g = fbm(plan.xy / 11.0);
        let swatch = f.colour.rgb;
        let green = swatch.g > 0.75 && swatch.r < 0.75 && swatch.b < 0.75;
        let wood = swatch.g > swatch.r && swatch.g > swatch.b && swatch.r < 0.5;
        var c = srgb(186.0, 180.0, 168.0);
        if green || wood {
            c = mix(srgb(96.0, 124.0, 70.0), srgb(138.0, 152.0, 92.0), fbm(plan.xy / 23.0));
            c = mix(c, srgb(170.0, 160.0, 138.0), (1.0 - frame.misc.y) * 0.7);
        } else if swatch.r > 0.95 && swatch.g > 0.95 && swatch.b < 0.4 {
            // Yards of homes: lawns and paths.
            c = mix(srgb(142.0, 150.0, 108.0), srgb(188.0, 180.0, 164.0), smoothstep(0.42, 0.56, fbm(plan.xy / 17.0)));
            c = mix(c, srgb(176.0, 168.0, 150.0), (1.0 - frame.misc.y) * 0.6);
        } else if swatch.r < 0.78 && swatch.r > 0.5 && swatch.g < 0.7 {
            c = srgb(164.0, 160.0, 154.0);
        }
        c *= 0.88 + 0.24 * g;
        c = mix(c, SNOW, snow_on(plan, 0.16) * 0.8);
        return matter(lit(c, n, v.pos, 1.0) + c * street_light() * 0.02, n, v.pos, f, v.clip.xy);
    }
    let paper = vec3f(242.0, 239.0, 232.0) / 255.0;
    let swatch = mix(paper, f.colour.rgb, 0.7);
    if is_chosen(f) {
        // Hatched: its own colour stays to be read between the lines.
        let line = band(fract((v.clip.x + v.clip.y) / 14.0), 0.0, 0.36, 0.1);
        return vec4f(linear(mix(swatch, vec3f(0.09, 0.13, 0.16), line * 0.85)), 0.0);
    }
    return vec4f(linear(swatch), 0.0);
}

@fragment fn fs_tree(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let n = normalize(v.normal);
    let plan = plan_of(v);
    let r = hash3(f.seed, 5u, 1u);
    var leaf = mix(srgb(78.0, 108.0, 58.0), srgb(112.0, 138.0, 74.0), r);
    if f.kind == 2u { leaf = mix(srgb(52.0, 84.0, 58.0), srgb(66.0, 98.0, 66.0), r); }
    let winter = select(1.0 - frame.misc.y, 0.0, f.kind == 2u);
    if !whole && winter > 0.5 {
        // Bare crowns: boughs and twigs as the ridges of noise, a thin veil where they are under a pixel.
        let w = length(v.pos) * frame.misc.z;
        let q = vec2f(plan.x + plan.y * 0.7, plan.z * 0.55 + plan.y * 0.3) * 1.1 + f32(f.seed & 63u);
        let bough = abs(noise(q) * 2.0 - 1.0);
        let twig = abs(noise(q * 2.7 + 19.0) * 2.0 - 1.0);
        let near = clamp(0.5 - w * 4.0, 0.0, 0.5) * 2.0;
        let drawn = bough < 0.20 || twig < 0.26;
        let veil = door(v.clip.xy) < 0.30 + 0.16 * abs(dot(n, normalize(v.pos)));
        if !select(veil, drawn, door(v.clip.yx) < near) { discard; }
    }
    leaf = mix(leaf, srgb(142.0, 128.0, 114.0), winter);
    leaf *= 0.82 + 0.30 * noise(plan.xy * 1.4 + plan.z);
    // A crown that a section opens is leaf all through.
    let shown = select(n, -n, !whole && shielded(frame.section_on.x) > 0.5 && dot(n, v.pos) > 0.0);
    return matter(lit(leaf, shown, v.pos, 0.75 + 0.25 * shown.z) + leaf * street_light() * 0.05, shown, v.pos, f, v.clip.xy);
}

@fragment fn fs_plain(v: Vertex) -> @location(0) vec4f {
    let f = bare(v.row);
    if unseen(v.pos, f, v.clip.xy) { discard; }
    let n = normalize(v.normal);
    return matter(lit(draw.colour.rgb, n, v.pos, 0.9), n, v.pos, f, v.clip.xy);
}

struct SkyVertex {
    @builtin(position) clip: vec4f,
    @location(0) ndc: vec2f,
}
@vertex fn vs_sky(@builtin(vertex_index) i: u32) -> SkyVertex {
    let p = vec2f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0);
    return SkyVertex(vec4f(p, 0.0, 1.0), p);
}
// Beyond the data the land goes on as a bare sheet, ruled by the kilometres of the city's plan: nothing is invented there.
fn beyond(d: vec3f) -> vec3f {
    let far = max(frame.eye.z, 20.0) / max(-d.z, 1e-4);
    let p = d.xy * far;
    var land = mix(srgb(186.0, 184.0, 166.0), SNOW, frame.terrain.w * 0.8);
    if frame.forward.w < 8.0 {
        let turn = vec2f(cos(frame.forward.w), sin(frame.forward.w));
        let plan = vec2f(frame.right.w + p.x * turn.x + p.y * turn.y, frame.up.w - p.x * turn.y + p.y * turn.x);
        // A pixel covers an ellipse of ground, longer away from the eye than across.
        let across = far * frame.misc.z;
        let away = across / max(-d.z, 1e-3);
        let u = normalize(vec2f(p.x * turn.x + p.y * turn.y, p.y * turn.x - p.x * turn.y) + vec2f(1e-3));
        let w = vec2f(length(vec2f(away * u.x, across * u.y)), length(vec2f(away * u.y, across * u.x)));
        let off = abs(fract(plan / 1000.0 + 0.5) - 0.5) * 1000.0;
        let line = vec2f(band(off.x, -1.0, 0.6 * w.x, w.x), band(off.y, -1.0, 0.6 * w.y, w.y)) * clamp(150.0 / w - 0.2, vec2f(0.0), vec2f(1.0));
        land *= 1.0 - 0.28 * max(line.x, line.y);
    }
    return land * (frame.sun_colour.rgb * max(frame.sun.z, 0.0) + frame.ambient.rgb);
}

// A gradient over half a picture would stand in bands, each a step of 255 wide: half a step up or down parts them.
fn unbanded(c: vec3f, px: vec2f) -> vec3f {
    return c + (door(px) - 0.5) * (2.1 / 255.0) * sqrt(c);
}

@fragment fn fs_sky(v: SkyVertex) -> @location(0) vec4f {
    let d = normalize(frame.forward.xyz + frame.right.xyz * v.ndc.x + frame.up.xyz * v.ndc.y);
    if frame.time.w == MODE_BELOW {
        return vec4f(UNDER_EARTH, 0.0);
    }
    if frame.time.w == MODE_XRAY && frame.cut_hi.w > 0.5 {
        return vec4f(underground(), 0.0);
    }
    if d.z < 0.0 {
        return vec4f(unbanded(toned(fogged(beyond(d), d * (max(frame.eye.z, 20.0) / max(-d.z, 1e-4)))), v.clip.xy), 0.0);
    }
    var c = sky_towards(d);
    let toward = dot(d, frame.sun.xyz);
    c += frame.sun_colour.rgb * 6.0 * smoothstep(0.99995, 0.99999, toward);
    // Thin cirrus, painted from noise on a high plane.
    let high = d.xy / max(d.z + 0.08, 0.02);
    let cirrus = smoothstep(0.52, 0.85, fbm(high * vec2f(0.9, 2.2) + 3.0)) * frame.zenith.w * smoothstep(0.0, 0.25, d.z);
    c = mix(c, frame.horizon.rgb * 1.15 + frame.sun_colour.rgb * 0.05, cirrus * 0.5);
    // Stars are for nights without lamps; a few are left.
    let star = step(0.9985, hash_cell(d.xy / max(d.z + 0.2, 0.05) * 260.0, 99u)) * frame.sun_colour.w * smoothstep(0.15, 0.5, d.z);
    return vec4f(unbanded(toned(c + vec3f(star * 0.35)), v.clip.xy), 0.0);
}

// The finished picture onto the window's own, which may have more pixels than a moving picture.
@group(0) @binding(2) var picture: texture_2d<f32>;
fn pixel_of_picture(ndc: vec2f) -> vec3f {
    let size = vec2f(textureDimensions(picture));
    let p = (ndc * vec2f(0.5, -0.5) + 0.5) * size - 0.5;
    // Of equal size a pixel is itself: no rounding may mix it with its neighbour.
    let i = floor(p + 1.0 / 512.0);
    let f = clamp(p - i, vec2f(0.0), vec2f(1.0));
    let last = vec2i(size) - 1;
    let a = vec2i(i);
    let lo = clamp(a, vec2i(0), last);
    let hi = clamp(a + 1, vec2i(0), last);
    let share = select(f, vec2f(0.0), f < vec2f(1.0 / 256.0));
    let top = mix(textureLoad(picture, lo, 0).rgb, textureLoad(picture, vec2i(hi.x, lo.y), 0).rgb, share.x);
    let bottom = mix(textureLoad(picture, vec2i(lo.x, hi.y), 0).rgb, textureLoad(picture, hi, 0).rgb, share.x);
    return mix(top, bottom, share.y);
}
@fragment fn fs_blit(v: SkyVertex) -> @location(0) vec4f {
    return vec4f(pixel_of_picture(v.ndc), 1.0);
}
@fragment fn fs_blit_encoded(v: SkyVertex) -> @location(0) vec4f {
    return vec4f(encoded(pixel_of_picture(v.ndc)), 1.0);
}
