// The city on a canvas: owns the wasm twin, its requests and its frames. No geometry here.
import init, { Twin } from './pkg/render.js';
import wasm from './pkg/render_bg.wasm?url';

const AT_ONCE = 12;

export async function openTwin(canvas, scene, { anchors, centre, terrain_m, quality }, events) {
  await init({ module_or_path: wasm });
  const ratio = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const twin = await Twin.create(canvas.id, JSON.stringify(scene), JSON.stringify({ anchors, centre, terrain_m, quality: quality ?? 'medium', still: matchMedia('(prefers-reduced-motion: reduce)').matches }));
  const flying = new Map();
  let dirty = true;
  let stopped = false;
  let frames = 0;
  let first = true;

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
      refill();
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
  const step = (now) => {
    if (stopped) return;
    // The browser holds the next step back until the adapter has taken the last picture.
    if (lastDraw === lastStep) pictureMs = now - lastStep;
    lastStep = now;
    if (dirty && !document.hidden) {
      refill();
      if (moved || flying.size === 0 || now - lastDraw > Math.max(WHILE_LOADING_MS, 5 * pictureMs)) {
        moved = false;
        lastDraw = now;
        dirty = !twin.frame(now);
        frames += 1;
        const stats = JSON.parse(twin.stats());
        if (stats.fault) console.warn(`strata: ${stats.fault}`);
        const lost = twin.lost();
        if (lost && !document.hidden) { stopped = true; events.lost?.(lost); return; }
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

  const observer = new ResizeObserver(() => {
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (w > 0 && h > 0 && (w !== canvas.width || h !== canvas.height)) {
      canvas.width = w;
      canvas.height = h;
      twin.resize(w, h);
      dirty = true;
      moved = true;
    }
  });
  observer.observe(canvas);

  const touch = (change) => (...args) => {
    const out = change(...args);
    dirty = true;
    moved = true;
    events.moved?.(JSON.parse(twin.camera()));
    return out;
  };
  return {
    ratio,
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
    setLayer: touch((id, visible, opacity) => twin.set_layer(id, visible, opacity)),
    select: touch((layer, id) => twin.select(layer ?? '', id ?? '')),
    lose: () => twin.lose(),
    camera: () => JSON.parse(twin.camera()),
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
    stop: () => { stopped = true; observer.disconnect(); for (const a of flying.values()) a.abort(); },
  };
}
