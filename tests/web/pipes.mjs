// The supervision screen as a supervisor meets it: pipes.mjs URL TOKEN PLACE [SCREENSHOT-FOLDER] → one JSON line.
// PLACE: lon,lat of a street with pipes.
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, place, folder] = process.argv.slice(2);
const result = await withPage({ width: 1600, height: 900 }, async (page, errors) => {
  const shot = async (name) => { if (folder) await page.screenshot({ path: join(folder, `${name}.png`) }); };
  const [lon, lat] = place.split(',');
  await page.goto(`${url}/pipes?tab=supervision&at=${lon},${lat},18.5,0#token=${token}`);
  const twin = await until(page, 'window.strata?.ready()', 240_000);
  // The statistics are those of the process.
  await until(page, "document.querySelectorAll('aside tbody tr').length > 3", 30_000);
  const kilometres = await page.locator('.total b').innerText();
  const maps = await until(page, "!!document.querySelector('[data-testid=map2d] canvas')", 30_000);
  const box = await page.locator('[data-testid=map2d]').boundingBox();
  // Flat map and twin look at the same ground: a pan of one moves the other.
  const before = await page.evaluate('window.strata.twin.camera().target');
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.down();
  await page.mouse.move(box.x + 420, box.y + 330, { steps: 4 });
  await page.mouse.up();
  const inStep = await until(page, `Math.abs(window.strata.twin.camera().target[0] - ${before[0]}) > 1e-5`, 10_000);
  await page.waitForTimeout(800);
  await shot('supervision');
  // A section across the street, by two clicks on the flat map.
  let section = null;
  if (await page.locator('[data-testid=tool-section]').count()) {
    await page.locator('[data-testid=tool-section]').click();
    await page.mouse.click(box.x + box.width / 2 - 160, box.y + box.height / 2 - 160);
    await page.mouse.click(box.x + box.width / 2 + 160, box.y + box.height / 2 + 160);
    section = await until(page, "!!document.querySelector('[data-testid=dock] img')?.naturalWidth", 60_000);
    await page.waitForTimeout(500);
    await shot('section');
    await page.keyboard.press('Escape');
  }
  await page.locator('[data-testid=tab-permits]').click();
  const permit = await until(page, "document.querySelectorAll('[data-testid=case]').length > 0", 10_000);
  if (permit) {
    await page.locator('[data-testid=case]').first().click();
    await until(page, "!!document.querySelector('.rail .here')", 10_000);
    await page.waitForTimeout(500);
    await shot('permit');
  }
  const state = permit ? await page.locator('.rail .here').innerText() : null;
  const was = await page.locator('h2').first().innerText();
  await page.locator('[data-testid=language]').click();
  await page.locator('[data-testid=tab-supervision]').click();
  const english = (await page.locator('header strong').innerText()) !== '' && (await page.locator('aside h2').first().innerText()) !== was;
  return { errors, twin, maps, kilometres, in_step: inStep, section, permit, state, language_switched: english, token_left_address: !page.url().includes(token) };
});
console.log(JSON.stringify(result));
