// What the page draws of a scene, as a picture: agree.mjs URL TOKEN WIDTHxHEIGHT FOLDER SCENE… → one JSON line {scene: {adapter, errors}}.
// In preset high, with nothing moving, and nothing over the canvas.
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, size, folder, ...scenes] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
const result = {};
for (const scene of scenes) {
  result[scene] = await withPage({ width: 1000, height: 700 }, async (page, errors) => {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.goto(`${url}/?scene=${scene}&quality=high#token=${token}`);
    await page.waitForSelector('#twin');
    // Elements are styled one by one: the page's policy lets no foreign style sheet in.
    await page.evaluate(([w, h]) => {
      const canvas = document.getElementById('twin');
      for (let e = canvas; e && e !== document.documentElement; e = e.parentElement) Object.assign(e.style, { transform: 'none', contain: 'none', overflow: 'visible' });
      Object.assign(canvas.style, { position: 'fixed', left: '0', top: '0', width: `${w}px`, height: `${h}px`, zIndex: '2147483647' });
    }, [width, height]);
    const sized = await until(page, `document.getElementById('twin').width === ${width} && document.getElementById('twin').height === ${height}`, 60_000);
    await page.waitForTimeout(500);
    const settled = await until(page, 'window.strata?.ready()', 300_000);
    // Words stand over the canvas.
    await page.evaluate(() => document.querySelectorAll('.labels').forEach((e) => { e.style.display = 'none'; }));
    const png = await page.screenshot({ path: join(folder, `${scene}.png`), clip: { x: 0, y: 0, width, height }, timeout: 180_000 });
    const adapter = await page.evaluate('window.strataStats?.().adapter ?? null');
    return { errors, sized, settled, adapter, bytes: png.length };
  });
}
console.log(JSON.stringify(result));
