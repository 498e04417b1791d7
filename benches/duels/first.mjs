// The page opened once in a fresh browser that has come to rest: first.mjs WEB URL TOKEN → { first_picture_ms, page_first_picture_ms, errors }.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [web, url, token] = process.argv.slice(2);
const { until, withPage } = await import(pathToFileURL(join(web, 'chromium.mjs')));
const result = await withPage({ width: 1280, height: 720 }, async (page, errors) => {
  // Its own windows load for a second or two after it answers; a planner's browser stands already.
  await new Promise((ok) => setTimeout(ok, 3000));
  const began = Date.now();
  await page.goto(`${url}/#token=${token}`);
  const drawn = await until(page, 'window.strataFirstPictureMs > 0', 90_000);
  const first = Date.now() - began;
  return { errors, drawn, first_picture_ms: first, page_first_picture_ms: await page.evaluate('window.strataFirstPictureMs ?? null') };
});
console.log(JSON.stringify(result));
