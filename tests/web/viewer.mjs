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
  const opens = async (press) => {
    for (const at of [[640, 330], [700, 420], [560, 460], [820, 500], [760, 380]]) {
      await press(at);
      if (await until(page, "!!document.querySelector('[data-testid=card] dl dd')", 8_000)) return true;
    }
    return false;
  };
  const card = await opens(([x, y]) => page.mouse.click(x, y));
  step('card');
  await page.keyboard.press('Escape');
  // Fingers: a tap selects, one turns, two that part come nearer, two together move along.
  const cdp = await page.context().newCDPSession(page);
  const touch = (type, points) => cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  const drag = async (...ways) => {
    const at = (k) => ways.map(([a, b]) => a.map((v, i) => v + ((b[i] - v) * k) / 6));
    await touch('touchStart', at(0));
    for (let k = 1; k <= 6; k++) await touch('touchMove', at(k));
    await touch('touchEnd', []);
    await page.waitForTimeout(400);
  };
  const camera = () => page.evaluate('window.strata.twin.camera()');
  const near = (a, b, share) => Math.abs(a / b - 1) < share;
  const away = (a, b) => Math.hypot((a[0] - b[0]) * 80_000, (a[1] - b[1]) * 111_000);
  const cardGone = await until(page, "!document.querySelector('[data-testid=card] dl dd')", 8_000);
  const fingers = { tap: cardGone && (await opens(async (at) => { await touch('touchStart', [at]); await touch('touchEnd', []); })) };
  await page.keyboard.press('Escape');
  const start = await camera();
  await drag([[600, 400], [760, 400]]);
  const turned = await camera();
  fingers.turn = Math.abs(turned.heading_deg - start.heading_deg) > 3 && near(turned.distance_m, start.distance_m, 0.01) && away(turned.target, start.target) < 1;
  await drag([[600, 380], [520, 340]], [[680, 420], [760, 460]]);
  const nearer = await camera();
  fingers.pinch = nearer.distance_m < 0.75 * turned.distance_m && near(nearer.heading_deg + 360, turned.heading_deg + 360, 0.01);
  await drag([[600, 400], [660, 400]], [[680, 400], [740, 400]]);
  const along = await camera();
  fingers.pan = away(along.target, nearer.target) > 1 && near(along.distance_m, nearer.distance_m, 0.05);
  step('fingers');
  // The device is taken away: the page opens the twin anew where it stood and draws again.
  const stood = await page.evaluate('JSON.stringify(window.strata.twin.camera().target)');
  await page.evaluate('window.strata.twin.lose(), window.strata.twin.redraw(), window.strata = undefined');
  const back = await until(page, 'window.strata?.ready()', 120_000);
  const goesOn = back && (await page.evaluate('JSON.stringify(window.strata.twin.camera().target)')) === stood;
  step('device back');
  return { errors, goes_on_after_loss: goesOn, first_picture_ms: first, page_first_picture_ms: pageFirst, settled, drawn, labels, layers, language_switched: languageSwitched, time_moved: timeMoved, card, fingers, token_left_address: !address.includes(token) };
}, { hasTouch: true });
console.log(JSON.stringify(result));
