// The planner's page as a new user meets it: viewer.mjs URL TOKEN SCREENSHOT → one JSON line.
import { until, withPage } from './chromium.mjs';

const [url, token, shot] = process.argv.slice(2);
const step = (name) => console.error(`${new Date().toISOString()} ${name}`);
const result = await withPage({ width: 1280, height: 720 }, async (page, errors) => {
  const began = Date.now();
  await page.goto(`${url}/#token=${token}`);
  step('opened');
  await until(page, 'window.strataFirstPictureMs > 0', 90_000);
  const first = Date.now() - began;
  step('first picture');
  const settled = await until(page, 'window.strata?.ready()', 240_000);
  const address = page.url();
  await page.waitForTimeout(500);
  step('settled');
  await page.screenshot({ path: shot, timeout: 180_000 });
  const pageFirst = await page.evaluate('window.strataFirstPictureMs ?? null');
  step('screenshot');
  const drawn = await page.evaluate('window.strataStats?.().drawn ?? 0');
  const labels = await page.locator('.labels span').count();
  const layers = await page.locator('[data-layer]').count();
  const before = await page.locator('h2').first().innerText();
  await page.locator('[data-testid=language]').click();
  const languageSwitched = (await page.locator('h2').first().innerText()) !== before;
  step('language');
  const date = await page.locator('[data-testid=date]').inputValue();
  await page.locator('[data-testid=date]').fill('1990-06-01');
  await page.locator('[data-testid=date]').dispatchEvent('change');
  await page.waitForTimeout(1500);
  const timeMoved = (await page.locator('.place').innerText()).includes('1990-06-01') && date !== '1990-06-01';
  await page.locator('[data-testid=date]').fill(date);
  await page.locator('[data-testid=date]').dispatchEvent('change');
  await until(page, 'window.strata?.ready()', 30_000);
  step('time');
  // Something of the city lies under one of these places.
  let card = false;
  for (const [x, y] of [[640, 330], [700, 420], [560, 460], [820, 500], [760, 380]]) {
    await page.mouse.click(x, y);
    if (await until(page, "!!document.querySelector('[data-testid=card] dl dd')", 8_000)) { card = true; break; }
  }
  step('card');
  // The device is taken away: the page opens the twin anew where it stood and draws again.
  const stood = await page.evaluate('JSON.stringify(window.strata.twin.camera().target)');
  await page.evaluate('window.strata.twin.lose(), window.strata.twin.redraw(), window.strata = undefined');
  const back = await until(page, 'window.strata?.ready()', 120_000);
  const goesOn = back && (await page.evaluate('JSON.stringify(window.strata.twin.camera().target)')) === stood;
  step('device back');
  return { errors, goes_on_after_loss: goesOn, first_picture_ms: first, page_first_picture_ms: pageFirst, settled, drawn, labels, layers, language_switched: languageSwitched, time_moved: timeMoved, card, token_left_address: !address.includes(token) };
});
console.log(JSON.stringify(result));
