// A supervisor's morning on the page, as a new user would: pipes.mjs URL TOKEN PLACE [SCREENSHOT-FOLDER] → one JSON line.
// PLACE: lon,lat of a street with pipes.
// What the page shows is held against what the program answers when it is asked directly.
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, place, folder] = process.argv.slice(2);
const ask = async (path, body) => {
  const answer = await fetch(url + path, { method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
const process_ = (id, inputs) => ask(`/ogc/processes/${id}/execution`, { inputs });
const LONG = 240_000; // A software adapter beside other tests is slow, and that is no fault of the page.
const number = (text) => Number(text.replace(/[^\d.-]/g, ''));

const result = await withPage({ width: 1600, height: 900 }, async (page, errors) => {
  const out = {};
  const by = (id) => page.locator(`[data-testid=${id}]`);
  const shot = async (name) => { if (folder) await page.screenshot({ path: join(folder, `${name}.png`) }); };
  const seen = (id) => until(page, `!!document.querySelector('[data-testid=${id}]')`, LONG);
  const texts = (selector) => page.locator(selector).allInnerTexts();
  const [lon, lat] = place.split(',').map(Number);
  await page.addInitScript(() => { localStorage.setItem('strata.lang', 'zh'); localStorage.setItem('strata.theme', 'light'); });
  await page.goto(`${url}/pipes?tab=supervision&at=${lon},${lat},18.5,0#token=${token}`);
  await seen('statistics');
  out.kilometres = [number(await page.locator('.total b').innerText()), Math.round((await process_('statistics', { by: 'class' })).length_m / 1000)];
  out.maps = await until(page, "!!window.strataMap?.isStyleLoaded() && document.querySelectorAll('[data-testid^=tool-]').length > 10", LONG);
  out.tools = [(await page.locator('footer [data-testid^=tool-]').count()) + 3, (await ask('/ogc/processes')).processes.length];

  // The flat map and the twin look at the same ground: a pan of one moves the other.
  out.twin = await until(page, '!!window.strata?.twin', LONG);
  const box = await by('map2d').boundingBox();
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  const before = await page.evaluate('window.strata.twin.camera().target');
  await page.mouse.move(middle[0], middle[1]);
  await page.mouse.down();
  await page.mouse.move(middle[0] + 60, middle[1] + 20, { steps: 4 });
  await page.mouse.up();
  out.in_step = await until(page, `Math.abs(window.strata.twin.camera().target[0] - ${before[0]}) > 1e-6 && Math.abs(window.strata.twin.camera().target[0] - window.strataMap.getCenter().lng) < 1e-6`, LONG);

  // A section across the street by two clicks; its drawing is the program's.
  await by('tool-section').click();
  await seen('form');
  await page.mouse.click(middle[0] - 150, middle[1] - 90);
  await page.mouse.click(middle[0] + 150, middle[1] - 90);
  await until(page, "!!document.querySelector('[data-testid=drawing] svg')", LONG);
  out.section = await page.locator('[data-testid=drawing] circle, [data-testid=drawing] polygon').count();
  const [saved] = await Promise.all([page.waitForEvent('download'), by('save-dxf').click()]);
  out.dxf = saved.suggestedFilename();
  await shot('section');
  await by('report').click();
  await until(page, "document.querySelector('[data-testid=sheet]')?.dataset.ready === 'yes'", LONG);
  out.sheet = await page.evaluate("document.querySelectorAll('[data-testid=sheet] svg').length");
  out.sealed = await page.evaluate("/[0-9a-f]{64}/.test(document.querySelector('[data-testid=sheet] .mono').innerText)");
  await shot('report');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');

  // A trace by the keyboard alone: the tool's button, an id typed, Enter; the table holds what the process says.
  const start = (await process_('section', { line: { type: 'LineString', coordinates: [[lon - 4e-4, lat], [lon + 4e-4, lat]] } })).cuts.find((c) => c.pipe.class === 'JS').pipe.id;
  await by('tool-trace').focus();
  await page.keyboard.press('Enter');
  await seen('in-from');
  await by('in-from').focus();
  await page.keyboard.type(start);
  await page.keyboard.press('Enter');
  await by('run').focus();
  await page.keyboard.press('Enter');
  await seen('list-path');
  const trace = await process_('trace', { from: start, mode: 'connected' });
  out.trace = [number(await by('list-path').innerText()), trace.path.length];
  await page.locator('[data-testid=rows] tbody tr').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  out.row_held = await until(page, "!!document.querySelector('[data-testid=rows] tr.held') && !!document.querySelector('[data-testid=card]')", LONG);
  await shot('trace');

  // A burst there: who is without water, and the next ring when the first valve is stuck.
  await by('tool-isolate').click();
  await seen('in-place');
  await by('in-place').fill(start);
  await by('in-place').press('Tab');
  await by('run').click();
  await seen('lost-people');
  const burst = await process_('isolate', { place: start });
  out.burst = [number(await by('lost-people').innerText()), burst.lost.people];
  out.valves = [await page.locator('[data-testid=rows] tbody tr').count(), burst.close.length];
  out.numbered = [await page.locator('.flat .badge').count(), burst.close.length + burst.other_supply.length];
  if (burst.close.length) {
    await page.locator('[data-testid=rows] input[type=checkbox]').first().click();
    const next = await process_('isolate', { place: start, stuck: [burst.close[0].id] });
    out.next_ring = await until(page, `document.querySelectorAll('[data-testid=rows] tbody tr').length === ${next.close.length} && Number(document.querySelector('[data-testid=lost-people]').innerText.replace(/\\D/g, '')) === ${next.lost.people}`, LONG);
  }
  await shot('burst');
  await page.keyboard.press('Escape');

  // The other language says other words for the same things, and breaks nothing.
  const was = await texts('[role=tab]');
  await by('language').click();
  out.language_switched = (await texts('[role=tab]')).every((w, i) => w !== was[i]);
  await by('theme').click();
  out.dark = await page.evaluate("document.documentElement.dataset.theme === 'dark'");
  await until(page, 'window.strataMap.isStyleLoaded()', LONG);
  await shot('dark-en');
  return { errors, ...out, token_left_address: !page.url().includes(token) };
});
console.log(JSON.stringify(result));
