// The page's canvas alone, one picture a scene: agree.mjs URL TOKEN FOLDER SCENE… → one JSON line with the canvas' size and the errors.
import { until, withPage } from './chromium.mjs';

const [url, token, folder, ...scenes] = process.argv.slice(2);
const result = await withPage({ width: 1100, height: 640 }, async (page, errors) => {
  const seen = { errors, sizes: {}, ready: {} };
  for (const scene of scenes) {
    // A page of its own each time: an address that differs behind the # alone is not loaded anew.
    await page.goto('about:blank');
    await page.goto(`${url}/?scene=${scene}&quality=high#token=${token}`);
    seen.ready[scene] = await until(page, 'window.strata?.ready()', 240_000);
    await page.addStyleTag({ content: '* { visibility: hidden !important } #twin { visibility: visible !important; outline: none !important }' });
    await page.waitForTimeout(500);
    await page.locator('#twin').screenshot({ path: `${folder}/${scene}.png`, timeout: 180_000 });
    seen.sizes[scene] = await page.evaluate('[window.strata.canvas?.width ?? document.querySelector("#twin").width, document.querySelector("#twin").height]');
  }
  return seen;
});
console.log(JSON.stringify(result));
