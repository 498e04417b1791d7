// Three strangers draw our tiles: MapLibre GL, CesiumJS and 3d-tiles-renderer. clients.mjs URL TOKEN → one JSON line.
// A page of our own on loopback serves their code and hands everything else on to Strata with the token.
import { build } from 'esbuild';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token] = process.argv.slice(2);
const here = import.meta.dirname;
const three = await build({
  stdin: { contents: "export * from 'three'; export { TilesRenderer } from '3d-tiles-renderer'; export { ImplicitTilingPlugin } from '3d-tiles-renderer/plugins';", resolveDir: here, loader: 'js' },
  bundle: true, format: 'esm', write: false, logLevel: 'silent',
});
const types = { js: 'text/javascript', mjs: 'text/javascript', css: 'text/css', html: 'text/html', wasm: 'application/wasm', json: 'application/json', png: 'image/png' };
const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://x').pathname;
  try {
    if (path.startsWith('/page/')) { response.setHeader('content-type', 'text/html'); response.end('<!doctype html><body style="margin:0"><div id="map" style="width:900px;height:600px"></div>'); return; }
    if (path === '/favicon.ico') { response.statusCode = 204; response.end(); return; }
    if (path === '/three.js') { response.setHeader('content-type', types.js); response.end(three.outputFiles[0].text); return; }
    if (path.startsWith('/modules/')) {
      const file = join(here, 'node_modules', normalize(path.slice(9)));
      response.setHeader('content-type', types[file.split('.').pop()] ?? 'application/octet-stream');
      response.end(await readFile(file));
      return;
    }
    const answer = await fetch(url + request.url, { headers: { authorization: `Bearer ${token}` } });
    response.statusCode = answer.status;
    response.setHeader('content-type', answer.headers.get('content-type') ?? '');
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch { response.statusCode = 404; response.end(); }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;
const city = await (await fetch(`${url}/api/city`, { headers: { authorization: `Bearer ${token}` } })).json();
const cbd = city.anchors?.find((a) => a.name === "cbd")?.position ?? [125.318, 43.886, 215];

const draw = (name, work) => withPage({ width: 900, height: 600 }, async (page, errors) => {
  await page.goto(`${origin}/page/${name}`);
  await page.evaluate(work, { origin, cbd });
  await until(page, 'window.done === true', 90_000);
  if (process.argv[4]) await page.screenshot({ path: `${process.argv[4]}-${name}.png` });
  return { features: await page.evaluate('window.count?.() ?? 0'), errors };
});

const result = {
  maplibre: await draw('maplibre', async ({ origin, cbd }) => {
    const script = document.createElement('script');
    document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/modules/maplibre-gl/dist/maplibre-gl.css' }));
    const module = await import('/modules/maplibre-gl/dist/maplibre-gl.mjs').catch(() => null);
    if (!module) {
      script.src = '/modules/maplibre-gl/dist/maplibre-gl.js';
      await new Promise((ok, no) => { script.onload = ok; script.onerror = no; document.head.append(script); });
    }
    const gl = module?.Map ? module : window.maplibregl;
    const source = (id) => ({ type: 'vector', tiles: [`${origin}/tiles/${id}/{z}/{x}/{y}.mvt`], minzoom: 0, maxzoom: 16 });
    const map = new gl.Map({ container: 'map', center: [cbd[0], cbd[1]], zoom: 15, style: { version: 8, sources: { buildings: source('buildings'), roads: source('roads') }, layers: [
      { id: 'b', type: 'fill', source: 'buildings', 'source-layer': 'buildings', paint: { 'fill-color': '#c98' } },
      { id: 'r', type: 'line', source: 'roads', 'source-layer': 'roads', paint: { 'line-color': '#06c' } }] } });
    map.once('idle', () => { window.done = true; });
    window.count = () => map.queryRenderedFeatures().length;
  }),
  cesium: await draw('cesium', async ({ origin, cbd }) => {
    window.CESIUM_BASE_URL = '/modules/cesium/Build/Cesium/';
    const script = document.createElement('script');
    script.src = '/modules/cesium/Build/Cesium/Cesium.js';
    await new Promise((ok, no) => { script.onload = ok; script.onerror = no; document.head.append(script); });
    const C = window.Cesium;
    const widget = new C.CesiumWidget('map', { baseLayer: false, globe: false, skyBox: false, skyAtmosphere: false });
    const tileset = await C.Cesium3DTileset.fromUrl(`${origin}/3dtiles/buildings/tileset.json`);
    widget.scene.primitives.add(tileset);
    widget.camera.lookAt(C.Cartesian3.fromDegrees(...cbd), new C.HeadingPitchRange(0, -0.6, 1200));
    tileset.initialTilesLoaded.addEventListener(() => { window.done = true; });
    tileset.tileFailed.addEventListener((e) => console.error(`${e.url}: ${e.message}`));
    window.count = () => tileset._statistics.selected;
  }),
  three: await draw('three', async ({ origin, cbd }) => {
    const T = await import('/three.js');
    const renderer = new T.WebGLRenderer();
    renderer.setSize(900, 600);
    document.body.append(renderer.domElement);
    const camera = new T.PerspectiveCamera(50, 1.5, 1, 1e8);
    const scene = new T.Scene();
    const tiles = new T.TilesRenderer(`${origin}/3dtiles/buildings/tileset.json`);
    tiles.registerPlugin(new T.ImplicitTilingPlugin());
    tiles.setCamera(camera);
    tiles.setResolutionFromRenderer(camera, renderer);
    tiles.addEventListener('load-error', (e) => console.error(`${e.url}: ${e.error}`));
    scene.add(tiles.group);
    let meshes = 0;
    const [lon, lat] = [cbd[0], cbd[1]].map((v) => (v * Math.PI) / 180);
    const at = (h) => { const n = 6378137 / Math.sqrt(1 - 0.00669438 * Math.sin(lat) ** 2); return new T.Vector3((n + h) * Math.cos(lat) * Math.cos(lon), (n + h) * Math.cos(lat) * Math.sin(lon), (n * 0.99330562 + h) * Math.sin(lat)); };
    camera.position.copy(at(1500));
    camera.lookAt(at(0));
    const began = performance.now();
    const step = () => {
      camera.updateMatrixWorld();
      tiles.update();
      renderer.render(scene, camera);
      meshes = 0;
      tiles.group.traverse((o) => { if (o.isMesh) meshes += 1; });
      if (meshes > 0 && performance.now() - began > 3000) window.done = true;
      setTimeout(step, 100);
    };
    step();
    window.count = () => meshes;
  }),
};
server.close();
console.log(JSON.stringify(result));
