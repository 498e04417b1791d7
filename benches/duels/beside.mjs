// Our twin and CesiumJS in one Chromium, one after the other, on the same tiles along the same cameras:
// beside.mjs WEB VIEWER URL TOKEN FLIGHT ROUNDS PICTURES → one JSON line.
// A page of our own on loopback serves both programs and hands all else on to Strata, packed as it comes, counting bytes.
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import { join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';

const [web, viewer, url, token, flightFile, rounds, pictures] = process.argv.slice(2);
const { withPage } = await import(pathToFileURL(join(web, 'chromium.mjs')));
const { build } = createRequire(join(web, 'package.json'))('esbuild');
const size = { width: 1280, height: 720 };
const LAYERS = ['terrain', 'water', 'roads', 'rail', 'buildings', 'trees'];
// What a moving picture is timed over, at each stop: so many pictures after the first, or so long.
const PICTURES = 8;
const MOVING_MS = 20_000;
// What has not settled by then counts as this.
const SETTLED_MS = 60_000;

const wasmByAddress = { name: 'wasm', setup: (b) => { b.onResolve({ filter: /\.wasm\?url$/ }, () => ({ path: 'wasm', namespace: 'url' })); b.onLoad({ filter: /.*/, namespace: 'url' }, () => ({ contents: "export default '/render_bg.wasm'" })); } };
const ours = await build({
  stdin: { contents: "export { openTwin } from './twin.js'; export { default as init } from './pkg/render.js';", resolveDir: join(viewer, 'src'), loader: 'js' },
  bundle: true, format: 'esm', write: false, minify: true, logLevel: 'silent', plugins: [wasmByAddress],
});
const types = { js: 'text/javascript', css: 'text/css', wasm: 'application/wasm', json: 'application/json', png: 'image/png' };
let [bytes, requests] = [0, 0];
const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://x').pathname;
  const send = (type, body) => { bytes += body.length; requests += 1; response.setHeader('content-type', type); response.end(body); };
  try {
    if (path === '/page') return send('text/html', `<!doctype html><body style="margin:0"><canvas id="ours" style="width:${size.width}px;height:${size.height}px;display:none"></canvas><div id="cesium" style="width:${size.width}px;height:${size.height}px;display:none"></div>`);
    if (path === '/favicon.ico') { response.statusCode = 204; return response.end(); }
    if (path === '/ours.js') return send(types.js, ours.outputFiles[0].contents);
    if (path === '/render_bg.wasm') return send(types.wasm, await readFile(join(viewer, 'src/pkg/render_bg.wasm')));
    if (path.startsWith('/modules/')) {
      const file = join(web, 'node_modules', normalize(path.slice(9)));
      return send(types[file.split('.').pop()] ?? 'application/octet-stream', await readFile(file));
    }
    const passed = ask(url + request.url, { headers: { authorization: `Bearer ${token}`, 'accept-encoding': 'gzip' } }, (answer) => {
      response.writeHead(answer.statusCode, { ...answer.headers, 'cache-control': 'no-store' });
      requests += 1;
      answer.on('data', (d) => { bytes += d.length; });
      answer.pipe(response);
    });
    passed.on('error', () => { response.statusCode = 502; response.end(); });
    request.on('close', () => passed.destroy());
    passed.end();
  } catch { response.statusCode = 404; response.end(); }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;
const city = await (await fetch(`${url}/api/city`, { headers: { authorization: `Bearer ${token}` } })).json();
// Every other one: a software adapter is slow.
const stops = JSON.parse(await readFile(flightFile)).filter((_, n) => n % 2 === 0).map((s) => ({ ...s, target: city.anchors.find((a) => a.name === s.anchor).position }));

// In the page: one of the two is opened, and answers to `look`, `settled` and `still`.
async function open(side, { origin, city, LAYERS }) {
  const place = document.getElementById(side.program);
  place.style.display = 'block';
  if (side.program === 'ours') {
    const { openTwin, init } = await import('/ours.js');
    const style = await (await fetch('/styles/01-city-day.json')).json();
    const scene = { ...style, layers: style.layers.filter((l) => LAYERS.includes(l.id) || l.id === 'land') };
    const terrain_m = city.layers.find((l) => l.theme === 'terrain')?.heights_m;
    const twin = await openTwin(place, scene, { anchors: city.anchors, crs: city.crs, geoid_offset_m: city.geoid_offset_m, terrain_m, quality: side.quality, pictures_a_second: side.whole ? 0 : undefined }, {});
    window.look = (s, turned) => twin.setCamera({ target: s.target, distance_m: s.distance_m, heading_deg: s.heading_deg + turned, pitch_deg: s.pitch_deg });
    window.settled = () => twin.settled();
    window.pictures = () => twin.frames();
    const memory = (await init()).memory;
    window.heap = () => performance.memory.usedJSHeapSize + memory.buffer.byteLength;
    return;
  }
  window.CESIUM_BASE_URL = '/modules/cesium/Build/Cesium/';
  // Without its style sheet the canvas has 300 × 150 px.
  document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/modules/cesium/Build/Cesium/Widgets/widgets.css' }));
  const script = document.createElement('script');
  script.src = '/modules/cesium/Build/Cesium/Cesium.js';
  await new Promise((ok, no) => { script.onload = ok; script.onerror = no; document.head.append(script); });
  const C = window.Cesium;
  const widget = new C.CesiumWidget('cesium', { baseLayer: false, globe: false, skyBox: false, skyAtmosphere: false, shadows: side.shadows, clock: new C.Clock({ currentTime: C.JulianDate.fromIso8601('2026-06-21T01:30:00Z'), shouldAnimate: false }) });
  widget.scene.msaaSamples = 1;
  // Forty degrees from top to bottom, as ours; Cesium asks for the wider side.
  widget.camera.frustum.fov = 2 * Math.atan(Math.tan((20 * Math.PI) / 180) * (1280 / 720));
  if (side.shadows) Object.assign(widget.scene.shadowMap, { size: 1024, softShadows: true, maximumDistance: 3000 });
  const sets = await Promise.all(LAYERS.map((id) => C.Cesium3DTileset.fromUrl(`${origin}/3dtiles/${id}/tileset.json`)));
  for (const set of sets) {
    set.tileFailed.addEventListener((e) => console.error(`${e.url}: ${e.message}`));
    widget.scene.primitives.add(set);
  }
  let pictures = 0;
  widget.scene.postRender.addEventListener(() => { pictures += 1; });
  window.look = (s, turned) => widget.camera.lookAt(C.Cartesian3.fromDegrees(...s.target), new C.HeadingPitchRange(C.Math.toRadians(s.heading_deg + turned), C.Math.toRadians(s.pitch_deg), s.distance_m));
  window.settled = () => sets.every((s) => s.tilesLoaded);
  window.pictures = () => pictures;
  window.heap = () => performance.memory.usedJSHeapSize;
}

const SIDES = [
  { name: 'Strata, medium', program: 'ours', quality: 'medium', whole: true },
  { name: 'CesiumJS, shadows', program: 'cesium', shadows: true },
  { name: 'Strata, low', program: 'ours', quality: 'low', whole: true },
  { name: 'CesiumJS, no shadows', program: 'cesium', shadows: false },
];
const seen = [];
await withPage(size, async (first, errors) => {
  const context = first.context();
  await first.close();
  for (let round = 0; round < Number(rounds); round += 1) {
    for (const side of SIDES) {
      const page = await context.newPage();
      page.setDefaultTimeout(240_000);
      page.on('pageerror', (e) => errors.push(`${side.name}: ${e}`));
      [bytes, requests] = [0, 0];
      await page.goto(`${origin}/page`);
      const began = Date.now();
      await page.evaluate(`(${open})(${JSON.stringify(side)}, ${JSON.stringify({ origin, city, LAYERS })})`);
      const places = [];
      for (const [n, stop] of stops.entries()) {
        const told = await page.evaluate(async ({ stop, PICTURES, MOVING_MS, SETTLED_MS }) => {
          const next = () => new Promise(requestAnimationFrame);
          const from = performance.now();
          window.look(stop, 0);
          // Settled means so over three pictures: a selection that has not begun asks for nothing either.
          for (let calm = 0; calm < 3 && performance.now() - from < SETTLED_MS; await next()) calm = window.settled() ? calm + 1 : 0;
          const settled_ms = performance.now() - from;
          let n = 0;
          const turn = async (pictures, ms) => {
            const [t, p] = [performance.now(), window.pictures()];
            const drawn = () => window.pictures() - p;
            for (; drawn() < pictures && performance.now() - t < ms; n += 1) { window.look(stop, 0.02 * n); await next(); }
            return (performance.now() - t) / Math.max(1, drawn());
          };
          await turn(1, MOVING_MS);
          const picture_ms = await turn(PICTURES, MOVING_MS);
          return { canvas: [...document.querySelectorAll('canvas')].map((c) => [c.width, c.height]).find(([w]) => w > 0 && w !== 300), settled_ms, picture_ms, first_ms: performance.now() - from };
        }, { stop, PICTURES, MOVING_MS, SETTLED_MS });
        if (n === 0) told.first_settled_ms = Date.now() - began - (told.first_ms - told.settled_ms);
        if (round === 0) await page.screenshot({ path: join(pictures, `${side.name.replace(/[^a-z]+/gi, '-')}-${n}.png`) });
        places.push(told);
      }
      seen.push({ side: side.name, round, places, bytes, requests, heap: await page.evaluate('window.heap()') });
      console.error(`    round ${round + 1}: ${side.name}: ${places.map((p) => `${p.picture_ms.toFixed(0)} ms`).join(', ')}`);
      await page.close();
    }
  }
  for (const e of errors) console.error(e);
  seen.errors = errors.length;
}, {}, ['--enable-precise-memory-info']);
server.close();
console.log(JSON.stringify({ seen, errors: seen.errors, stops: stops.map((s) => s.anchor) }));
