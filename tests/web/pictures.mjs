// Pictures 15 to 18 of the documentation from the real page over a synthetic city: pictures.mjs URL TOKEN DELIVERY OUT [NAME…]
// What they show is made here through the program's own doors: a permit taken some steps, a pressure that falls, a delivery with seeded faults.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, delivery, out, ...names] = process.argv.slice(2);
const LONG = 400_000;
const ask = async (path, body) => {
  const answer = await fetch(url + path, { method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
const city = await ask('/api/city');
const anchor = (name) => city.anchors.find((a) => a.name === name).position;
const east = (metres, lat) => metres / (111_320 * Math.cos((lat * Math.PI) / 180));
const north = (metres) => metres / 110_574;

/** A permit for a water pipe beside one that stands, checked and sent to the owners, one of whom has agreed. */
async function permit() {
  const [lon, lat] = anchor('permit-17');
  const line = (dy) => ({ type: 'LineString', coordinates: [[lon - east(45, lat), lat + north(dy)], [lon + east(45, lat), lat + north(dy)]] });
  const asked = { line: line(6), class: 'JS', subclass: 'PS', dn_mm: 300, depth_m: 2.2, material: '球墨铸铁', owner: '供水企业(合成)' };
  const { axis } = await ask('/ogc/processes/planned/execution', { inputs: asked });
  const put = { type: 'Feature', id: 'P-2026-017', geometry: axis, properties: { class: 'JS', subclass: 'PS', shape: 'round', dn_mm: 300, od_mm: 326, material: '球墨铸铁', embed: '直埋', owner: '供水企业(合成)', status: 0 } };
  const proposal = await ask('/api/proposals', { title: '给水管新建(合成)', changes: [{ layer: 'pipes', put }] });
  let one = await ask('/api/cases', { definition: 'pipe-permit', title: '给水管 DN300 新建(合成)', proposal: proposal.id });
  const step = async (step, role, detail) => { one = await ask(`/api/cases/${one.id}/steps`, { step, role, after: one.events_count, reason: null, detail: detail ?? null }); };
  await step('submit', 'applicant');
  await step('accept', 'clerk');
  await step('check', 'reviewer');
  await step('review', 'reviewer');
  const party = Object.keys(one.view.parties)[0];
  if (party) await step('agree', 'owner', { party });
  return one.id;
}

/** A day of pressure at the sensor nearest to a place, and then a fall. */
async function burst() {
  const [lon, lat] = anchor('burst-3');
  const all = (await ask('/sta/v1.1/Datastreams?$top=1000&$select=id,name,observedArea')).value.filter((s) => s.name.startsWith('压力 JS'));
  const far = (s) => Math.hypot((s.observedArea.coordinates[0] - lon) * Math.cos((lat * Math.PI) / 180), s.observedArea.coordinates[1] - lat);
  const sensor = all.toSorted((a, b) => far(a) - far(b))[0];
  const now = Date.now();
  const peak = (h, at) => Math.exp(-(((h - at) / 1.5) ** 2));
  const rows = [];
  for (let minutes = 720; minutes > 1; minutes -= minutes > 60 ? 5 : 1) {
    const at = new Date(now - minutes * 60_000);
    const hour = (at.getUTCHours() + 8 + at.getUTCMinutes() / 60) % 24;
    const demand = peak(hour, 7.5) + 0.7 * peak(hour, 12) + 1.1 * peak(hour, 19);
    const value = 0.34 - 0.035 * demand + 0.003 * Math.sin(minutes * 1.7) - (minutes < 7 ? 0.13 : 0);
    rows.push([at.toISOString(), Math.round(value * 1e4) / 1e4]);
  }
  await ask('/sta/v1.1/CreateObservations', [{ Datastream: { '@iot.id': sensor['@iot.id'] }, components: ['phenomenonTime', 'result'], 'dataArray@iot.count': rows.length, dataArray: rows }]);
  for (let i = 0; i < 60; i += 1) {
    const alarm = (await ask('/api/alarms?state=open')).alarms.find((a) => a.datastream === sensor['@iot.id'] && a.rule === 'pressure-drop');
    if (alarm) return { alarm, at: sensor.observedArea.coordinates };
    await new Promise((done) => setTimeout(done, 1000));
  }
  throw new Error('the fall raised no alarm');
}

// A click that does not wait for the next picture: a software adapter has few of those.
const press = (page, selector) => page.evaluate((s) => document.querySelector(s).click(), selector);
const view = (lon, lat, zoom) => `at=${lon.toFixed(6)},${lat.toFixed(6)},${zoom},0`;
const pictures = {
  '15-pipes-survey': { theme: 'light', open: async () => `tab=survey&${view(...anchor('survey-sheet').slice(0, 2), 16.6)}`, work: async (page, by, seen) => {
    await seen('files');
    await by('files').setInputFiles(readdirSync(delivery).filter((f) => f.endsWith('.csv')).map((f) => join(delivery, f)));
    await seen('errors');
  } },
  '16-pipes-permit': { theme: 'light', open: async () => `tab=permits&case=${await permit()}&${view(...anchor('permit-17').slice(0, 2), 18)}`, work: async (page, by, seen) => {
    await seen('list-pairs');
    await press(page, '[data-testid=rows] tbody tr');
    await seen('card');
  } },
  '17-pipes-burst': { theme: 'dark', open: async () => { const b = await burst(); return `tab=live&alarm=${b.alarm.id}&${view(b.at[0], b.at[1], 17)}`; }, work: async (page, by, seen) => {
    await seen('series');
    await press(page, '[data-testid=burst-here]');
    await seen('lost-people');
    await press(page, '[data-testid=form] header button');
    // Every valve to be closed stands on the map.
    const framed = "(() => { document.querySelector('[data-testid=frame]').click(); const m = document.querySelector('[data-testid=map2d]').getBoundingClientRect(); const b = [...document.querySelectorAll('.flat .badge')].map((e) => e.getBoundingClientRect()); return b.length > 0 && b.every((r) => r.left > m.left && r.right < m.right && r.top > m.top && r.bottom < m.bottom); })()";
    if (!(await until(page, framed, LONG))) throw new Error('the valves are not framed');
  } },
  '18-section': { theme: 'light', open: async () => `tab=supervision&scope=view&${view(...anchor('main-crossing').slice(0, 2), 18)}`, work: async (page, by, seen) => {
    const box = await by('map2d').boundingBox();
    const [lon, lat] = anchor('main-crossing');
    // The sheet has no twin in it.
    await until(page, '!!window.strata', LONG);
    await page.evaluate('window.strata.twin.stop()');
    await press(page, '[data-testid=tool-section]');
    await seen('form');
    const place = (dx) => page.evaluate(([x, y]) => { const p = window.strataMap.project([x, y]); return [p.x, p.y]; }, [lon + east(dx, lat), lat + north(28)]);
    for (const dx of [-24, 24]) { const [x, y] = await place(dx); await page.mouse.click(box.x + x, box.y + y); }
    await until(page, "!!document.querySelector('[data-testid=drawing] svg')", LONG);
    await press(page, '[data-testid=report]');
    await until(page, "document.querySelector('[data-testid=sheet]')?.dataset.ready === 'yes' && document.querySelectorAll('[data-testid=sheet] svg').length === 2", LONG);
    // As large as the paper, so that nothing of it is cut.
    await page.setViewportSize({ width: 1720, height: 1240 });
    return by('sheet');
  } },
};

for (const name of names.length ? names : Object.keys(pictures)) {
  const { theme, open, work } = pictures[name];
  const address = await open();
  await withPage({ width: 1920, height: 1080 }, async (page, errors) => {
    page.setDefaultTimeout(LONG);
    const by = (id) => page.locator(`[data-testid=${id}]`);
    const seen = async (id) => { if (!(await until(page, `!!document.querySelector('[data-testid=${id}]')`, LONG))) throw new Error(`${name}: no ${id}`); };
    await page.addInitScript((theme) => { localStorage.setItem('strata.lang', 'zh'); localStorage.setItem('strata.theme', theme); }, theme);
    await page.goto(`${url}/pipes?${address}#token=${token}`);
    await until(page, "!!window.strataMap?.isStyleLoaded() && document.querySelectorAll('[data-testid^=tool-]').length > 10", LONG);
    const part = await work(page, by, seen);
    if (!part) await until(page, 'window.strata?.ready() && window.strataMap.areTilesLoaded()', LONG);
    await page.waitForTimeout(1500);
    await (part ?? page).screenshot({ path: join(out, `${name}.png`), timeout: LONG });
    console.log(name, errors.length ? errors : 'drawn');
    if (errors.length) process.exitCode = 1;
  }, { locale: 'zh-CN' });
}
