// The city on a canvas: owns the wasm twin, its requests and its frames. No geometry here.
import init, { Twin } from './pkg/render.js';
import wasm from './pkg/render_bg.wasm?url';

const AT_ONCE = 12;

let program;
/** Loads the program, while the page still asks for its city. */
export function warm() {
  program ??= init({ module_or_path: wasm });
  program.catch(() => { program = undefined; });
  return program;
}

export async function openTwin(canvas, scene, { anchors, centre, terrain_m, crs, geoid_offset_m, quality, pictures_a_second }, events) {
  await warm();
  performance.mark('program-ready');
  let ratio = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const twin = await Twin.create(canvas.id, JSON.stringify(scene), JSON.stringify({ anchors, centre, terrain_m, crs, geoid_offset_m, quality: quality ?? 'medium', pictures_a_second, still: matchMedia('(prefers-reduced-motion: reduce)').matches }));
  performance.mark('twin-ready');
  twin.set_pixel_ratio(ratio);
  const flying = new Map();
  let dirty = true;
  let stopped = false;
  let frames = 0;
  let first = true;
  let due = false;

  const fetchOne = async (url) => {
    const abort = new AbortController();
    flying.set(url, abort);
    try {
      const answer = await fetch(url, { signal: abort.signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      twin.provide(url, new Uint8Array(await answer.arrayBuffer()));
    } catch (error) {
      if (!stopped) twin.refuse(url, String(error));
    } finally {
      flying.delete(url);
      dirty = true;
      // Answers that come together are looked at together.
      if (!due) { due = true; setTimeout(() => { due = false; refill(); }); }
    }
  };
  // The line of requests is refilled as answers come, not with the pictures: a slow adapter has few of those.
  const refill = () => {
    if (stopped || document.hidden) return;
    twin.tick(performance.now());
    for (const url of twin.wanted(AT_ONCE - flying.size)) fetchOne(url);
  };

  // While tiles come in, the picture is renewed a few times a second, not for every tile: a slow adapter would do
  // nothing else, so a picture takes a fifth of the time at most. A hand that moves the camera is answered at once.
  const WHILE_LOADING_MS = 400;
  let moved = true;
  let lastDraw = -Infinity;
  let lastStep = 0;
  let pictureMs = 0;
  // The first picture waits for a tile, and a moment for those of other layers: one of the sky alone would cost a slow
  // adapter time, and the city would have to wait for its turn.
  const OTHERS_MS = 200;
  const SKY_MS = 4000;
  const began = performance.now();
  let came = 0;
  const nothingYet = (now) => {
    if (frames > 0 || flying.size === 0 || now - began > SKY_MS) return false;
    came ||= JSON.parse(twin.stats()).drawn > 0 ? now : 0;
    return !came || now - came < OTHERS_MS;
  };
  const step = (now) => {
    if (stopped) return;
    // Asked at every step: a loss is told some time after the picture that met it.
    const lost = document.hidden ? null : twin.lost();
    if (lost) { stopped = true; events.lost?.(lost); return; }
    // The browser holds the next step back until the adapter has taken the last picture.
    if (lastDraw === lastStep) pictureMs = now - lastStep;
    lastStep = now;
    if (dirty && !document.hidden) {
      refill();
      if (!nothingYet(now) && (moved || flying.size === 0 || now - lastDraw > Math.max(WHILE_LOADING_MS, 5 * pictureMs))) {
        moved = false;
        lastDraw = now;
        dirty = !twin.frame(now);
        frames += 1;
        const stats = JSON.parse(twin.stats());
        if (stats.fault) console.warn(`strata: ${stats.fault}`);
        events.frame?.({ ...stats, flying: flying.size });
        if (first && stats.drawn > 0) {
          first = false;
          performance.mark('first-picture');
          events.first?.(performance.now());
        }
      }
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);

  const fit = () => {
    // A window that goes to another screen takes that screen's pixels.
    ratio = Math.min(devicePixelRatio || 1, 2);
    twin.set_pixel_ratio(ratio);
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (w > 0 && h > 0 && (w !== canvas.width || h !== canvas.height)) {
      canvas.width = w;
      canvas.height = h;
      twin.resize(w, h);
      dirty = true;
      moved = true;
    }
  };
  const observer = new ResizeObserver(fit);
  observer.observe(canvas);
  addEventListener('resize', fit);
  // A page that comes back from behind another draws what changed meanwhile.
  const back = () => { if (!document.hidden) { dirty = true; moved = true; refill(); } };
  document.addEventListener('visibilitychange', back);
  // WebGL tells of its loss by an event; WebGPU by the device's own word.
  canvas.addEventListener('webglcontextlost', (e) => { e.preventDefault(); if (!stopped) { stopped = true; events.lost?.('webglcontextlost'); } });

  const touch = (change) => (...args) => {
    const out = change(...args);
    dirty = true;
    moved = true;
    events.moved?.(JSON.parse(twin.camera()));
    return out;
  };
  return {
    get ratio() { return ratio; },
    turn: touch((dx, dy) => twin.turn(dx, dy)),
    pan: touch((dx, dy) => twin.pan(dx * ratio, dy * ratio)),
    zoom: touch((factor, x, y) => twin.zoom(factor, x * ratio, y * ratio)),
    nearer: touch((factor) => twin.zoom(factor, canvas.width / 2, canvas.height / 2)),
    press: touch((key, shift) => twin.press(key, shift)),
    release: touch((key) => twin.release(key)),
    setCamera: touch((c) => twin.set_camera(c.target[0], c.target[1], c.target[2], c.distance_m, c.heading_deg, c.pitch_deg)),
    setDay: touch((day) => twin.set_time(day)),
    setClock: touch((ms) => twin.set_clock(ms)),
    setMode: touch((mode) => twin.set_mode(mode)),
    /** A box that cuts what is drawn, as `section.js` has it; none: nothing is cut. */
    setSection: touch((box) => twin.set_section(box ? JSON.stringify(box) : '')),
    section: () => { const s = twin.section(); return s ? JSON.parse(s) : null; },
    /** X-ray on a dark page. */
    setDim: (dim) => { twin.set_dim(dim); dirty = true; moved = true; },
    setLayer: touch((id, visible, opacity) => twin.set_layer(id, visible, opacity)),
    select: touch((layer, id) => twin.select(layer ?? '', id ?? '')),
    selectAll: touch((ids) => twin.select_all(JSON.stringify(ids))),
    hover: (id) => { if (twin.hover(id ?? '')) { dirty = true; moved = true; } },
    flyTo: touch(([lon, lat, h], distance, seconds = 0.9) => twin.fly_to(lon, lat, h, distance, seconds)),
    setCompare: touch((day) => twin.set_compare(day ?? -2147483648)),
    setSwipe: touch((day, share) => twin.set_swipe(day ?? -2147483648, share ?? 0.5)),
    setOverlay: touch((overlay, collection) => twin.set_overlay(JSON.stringify(overlay), JSON.stringify(collection))),
    removeOverlay: touch((id) => twin.remove_overlay(id)),
    showOverlay: touch((id, visible) => twin.show_overlay(id, visible)),
    /** What is known of a feature now: no tile is loaded for it. */
    setState: (id, value, colour) => { twin.set_state(id, value ?? NaN, colour ?? ''); dirty = true; },
    // Places are [lon, lat, ellipsoidal height]; px are CSS px of the canvas.
    probe: (x, y) => { const a = twin.probe(x * ratio, y * ratio, 10 * ratio); return a ? JSON.parse(a) : null; },
    extent: (id) => { const a = twin.extent(id); return a ? JSON.parse(a) : null; },
    within: (lasso) => JSON.parse(twin.within(JSON.stringify(lasso.map((p) => p.map((v) => v * ratio))))),
    measure: (places) => JSON.parse(twin.measure(JSON.stringify(places))),
    indices: (parcel, buildings) => JSON.parse(twin.indices(JSON.stringify(parcel), JSON.stringify(buildings))),
    pickOverlay: (x, y) => { const a = twin.pick_overlay(x * ratio, y * ratio); return a ? JSON.parse(a) : null; },
    gathered: (id) => JSON.parse(twin.gathered(id)).map((g) => ({ ...g, at: g.at.map((v) => v / ratio) })),
    legend: () => JSON.parse(twin.legend()),
    onScreen: (place) => { const p = twin.project(...place); return p ? [p[0] / ratio, p[1] / ratio] : null; },
    /** Height of the eye over the drawn ground, m. */
    eyeOverGround: () => twin.eye_over_ground(),
    stats: () => JSON.parse(twin.stats()),
    lose: () => twin.lose(),
    camera: () => JSON.parse(twin.camera()),
    geographic: (east_m, north_m) => twin.geographic(east_m, north_m),
    // Placed words in CSS px, and a number that changes with every picture.
    labels: (places, size, most) =>
      JSON.parse(twin.labels(JSON.stringify(places), size * ratio, most)).map((l) => ({ ...l, at: l.at.map((v) => v / ratio), size_px: l.size_px / ratio })),
    frames: () => frames,
    project: (lon, lat, h) => twin.project(lon, lat, h),
    pick: async (x, y) => {
      const answer = await twin.pick(Math.round(x * ratio), Math.round(y * ratio));
      return answer ? JSON.parse(answer) : null;
    },
    redraw: () => { dirty = true; },
    settled: () => flying.size === 0 && !dirty && JSON.parse(twin.stats()).settled,
    stop: () => { stopped = true; observer.disconnect(); removeEventListener('resize', fit); document.removeEventListener('visibilitychange', back); for (const a of flying.values()) a.abort(); },
  };
}
