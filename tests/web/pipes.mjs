// A supervisor's morning on the page, as a new user would: pipes.mjs URL TOKEN PLACE DELIVERY OUT → one JSON line.
// PLACE: lon,lat of a street with pipes. DELIVERY: a folder of survey tables with faults; `DELIVERY-sound` has the same without.
// OUT: where the corrected tables and the screenshots go.
// What the page shows is held against what the program answers when it is asked directly.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, place, delivery, folder] = process.argv.slice(2);
const ask = async (path, body) => {
  const answer = await fetch(url + path, { method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
const process_ = (id, inputs) => ask(`/ogc/processes/${id}/execution`, { inputs });
const LONG = Number(process.env.LONG ?? 240_000); // A software adapter beside other tests is slow, and that is no fault of the page.
const number = (text) => Number(text.replace(/[^\d.-]/g, ''));

const result = await withPage({ width: 1600, height: 900 }, async (page, errors) => {
  const out = {};
  const by = (id) => page.locator(`[data-testid=${id}]`);
  const shot = async (name) => { await page.screenshot({ path: join(folder, `${name}.png`), timeout: LONG }); };
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

  // A planned pipe: it is checked with every point that is set, and each row says by which clause.
  await by('tool-planned').click();
  await seen('in-dn_mm');
  const corners = [[-160, 60], [150, 40], [170, -70]];
  const asked = { class: await by('in-class').inputValue(), dn_mm: Number(await by('in-dn_mm').inputValue()), depth_m: Number(await by('in-depth_m').inputValue()) };
  const where = [];
  out.while_drawing = [];
  for (const [i, c] of corners.entries()) {
    // The dock takes its part of the map when it opens.
    const now = await by('map2d').boundingBox();
    const spot = [now.width / 2 + c[0], now.height / 2 + c[1]];
    where.push(await page.evaluate((p) => window.strataMap.unproject(p).toArray(), spot));
    await page.mouse.click(now.x + spot[0], now.y + spot[1]);
    if (i === 0) continue;
    const own = await process_('planned', { line: { type: 'LineString', coordinates: where }, ...asked });
    const answered = await until(page, `document.querySelector('[data-figure=length_m]')?.innerText.replace(/[^\\d.]/g, '').startsWith('${Math.floor(own.length_m)}')`, LONG);
    if (!answered) throw new Error(`the check of ${i + 1} points is not on the page`);
    const clause = (r) => `${r.rule.standard}-${r.rule.edition} ${r.rule.clause}`;
    const page_faults = number(await page.locator('[data-figure=faults]').innerText());
    out.while_drawing.push([[page_faults, own.faults], [own.pairs.length ? number(await by('list-pairs').innerText()) : await by('list-pairs').count(), own.pairs.length]]);
    const cited = async (list) => { await by(`list-${list}`).click(); return (await texts('[data-testid=rows] tbody tr:first-child td')).find((t) => t.includes('GB')); };
    const worst = ['pairs', 'surroundings', 'cover'].find((k) => own[k]?.length || own[k]?.verdict);
    out.clause = [await cited(worst), clause(own[worst][0] ?? own[worst])];
    out.cover = [await cited('cover'), clause(own.cover)];
  }
  await shot('planned');
  await by('apply-title').fill('试验给水管');
  await by('apply').click();
  await seen('steps');
  const opened = async () => ask(`/api/cases/${(await ask('/api/cases?limit=1')).cases[0].id}`);
  let one = await opened();
  out.applied = [await page.locator('[data-testid=rail] [aria-current=step]').getAttribute('data-state'), one.state];
  out.title = [await page.locator('aside h2').first().innerText(), one.title];
  const take = async (id) => {
    await by('step').selectOption(id);
    await by('take').click();
    if (!(await until(page, `document.querySelectorAll('[data-testid=events] > li').length === ${one.events_count + 1}`, LONG))) throw new Error(`${id} was not taken: ${await texts('[data-testid=permit-notice]')}`);
    one = await opened();
  };
  for (const id of ['submit', 'accept', 'check', 'review']) await take(id);
  out.parties = [await page.locator('[data-testid=parties] li').count(), Object.keys(one.view.parties).length];
  const party = Object.keys(one.view.parties)[0];
  await take('agree');
  out.agreed = [(await texts('[data-testid=parties] li')).filter((l) => l.includes('✓')).map((l) => l.split('\n')[0].replace('✓', '').trim().split(' ')[0]), Object.keys(one.view.parties).filter((p) => one.view.parties[p])];
  out.party = party;
  const role = (await ask('/api/case-definitions')).definitions.find((d) => d.id === one.definition).role.find((r) => r.id === 'owner').title_zh;
  out.role = (await page.locator('[data-testid=events] > li').first().innerText()).includes(`(${role})`) && one.events.at(-1).role === 'owner';
  await until(page, `document.querySelectorAll('[data-testid=events] [data-seq]').length === ${one.events_count}`, LONG);
  const { head } = await ask('/api/audit?limit=1');
  const row = (await ask(`/api/audit?after=${Math.max(0, head.seq - 50)}&limit=50`)).rows.findLast((r) => r.target === `case/${one.id}`);
  const written = page.locator('[data-testid=events] > li').first().locator('[data-seq]');
  out.audit = [[Number(await written.getAttribute('data-seq')), (await written.innerText()).split(' ').at(-1)], [row.seq, row.hash.slice(0, 16)]];
  out.audit_step = [row.detail.step, row.detail.role, row.actor, one.events.at(-1).actor];
  await shot('permit');

  // An alarm: from the word of the sensor to the list and to the map, measured in the page.
  await by('tab-live').click();
  await seen('sensors');
  await until(page, "document.querySelector('[data-testid=stream]')?.dataset.on === 'true' && document.querySelectorAll('[data-testid=sensors] tr').length > 1", LONG);
  const open = new Set((await ask('/api/alarms?state=open&limit=1000')).alarms.map((a) => a.datastream));
  const stream = (await ask("/sta/v1.1/Datastreams?$top=1000&$filter=startswith(name,'井盖')")).value.find((d) => !open.has(d['@iot.id']));
  out.alarm_ms = await page.evaluate(async (id) => {
    const ids = (s) => new Set([...document.querySelectorAll(s)].map((e) => e.dataset.id));
    const places = { list: '[data-testid=alarm]', map: '.flat .pin' };
    const had = Object.fromEntries(Object.entries(places).map(([k, s]) => [k, ids(s)]));
    const out = {};
    const arrived = new Promise((done) => {
      const look = () => {
        for (const [k, s] of Object.entries(places)) if (out[k] === undefined) for (const n of ids(s)) if (!had[k].has(n)) { out[k] = Math.round(performance.now() - began); out.id = n; }
        if (out.list !== undefined && out.map !== undefined) done(out); else setTimeout(look, 5);
      };
      setTimeout(look, 0);
      setTimeout(() => done(out), 60_000);
    });
    const began = performance.now();
    const answer = await fetch(`/sta/v1.1/Datastreams('${id}')/Observations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ result: 40 }) });
    out.acknowledged = Math.round(performance.now() - began);
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return arrived;
  }, stream['@iot.id']);
  const alarm = (await ask('/api/alarms?state=open&limit=1000')).alarms.find((a) => String(a.id) === out.alarm_ms.id);
  out.alarm_of = [alarm?.datastream, stream['@iot.id']];
  await page.locator(`[data-testid=alarm][data-id="${alarm.id}"]`).click();
  await seen('series');
  const evidence = await by('alarm-facts').innerText();
  const source = by('alarm-source');
  out.rule_shown = [evidence.includes(alarm.rule), evidence.includes(String(alarm.threshold)), (await source.getAttribute('title')) === alarm.source && /[\u4e00-\u9fff]/.test(await source.innerText()), evidence.includes(String(alarm.confidence))];
  out.evidence = [await page.locator('[data-testid=evidence] tr').count(), alarm.evidence.length];
  // What the record keeps as a code is a word on a Chinese page and another on an English one.
  await until(page, "document.querySelectorAll('[data-testid=card] dd').length > 3", LONG);
  const said = async () => (await texts('[data-testid=card] dd')).join(' | ');
  const chinese = await said();
  await by('language').click();
  const english = await said();
  await by('language').click();
  out.values = [/[a-z]{3}/.test(chinese), /Well|Valve|Manhole/i.test(english) && /in use/.test(english), /检查井|人孔|阀门/.test(chinese) && /在用/.test(chinese)];
  out.watched = [await page.locator('[data-testid=card] b').innerText(), stream.properties.target_id];
  await shot('alarm');
  // Its case: acknowledged with a reason on the page, and so it stands on the program's side, the alarm with it.
  await seen('case');
  const case_of = async () => { const c = await ask(`/api/cases/${alarm.case}`); return [c.state, c.events_count]; };
  out.case_before = [[await by('case').getAttribute('data-state'), await page.locator('[data-testid=case-events] > li').count()], await case_of()];
  await page.locator('[data-testid=case-step][data-step=acknowledge]').click();
  out.reason_asked = await until(page, "!!document.querySelector('[role=alert]')", LONG);
  await by('case-reason').fill('已通知巡查');
  await page.locator('[data-testid=case-step][data-step=acknowledge]').click();
  await until(page, "document.querySelector('[data-testid=case]')?.dataset.state === 'acknowledged'", LONG);
  out.case_after = [[await by('case').getAttribute('data-state'), await page.locator('[data-testid=case-events] > li').count()], await case_of()];
  out.case_acknowledged = [(await ask(`/api/alarms/${alarm.id}`)).acknowledged?.reason, '已通知巡查'];

  // A delivery with seeded faults: by rule, by row, on the map; corrected and delivered again.
  await by('tab-survey').click();
  await seen('files');
  const tables = (dir) => readdirSync(dir).filter((f) => f.endsWith('.csv')).sort().map((f) => join(dir, f));
  await by('files').setInputFiles(tables(delivery));
  await seen('errors');
  const report = async () => ({
    errors: number(await by('errors').innerText()), warnings: number(await by('warnings').innerText()),
    rules: Object.fromEntries(await page.locator('[data-rule]').evaluateAll((l) => l.map((e) => [e.dataset.rule, Number(e.querySelector('.n').innerText.replace(/\D/g, ''))]))),
    stages: await page.locator('[data-stage]').evaluateAll((l) => l.map((e) => [e.dataset.stage, e.dataset.state])),
    placed: (await page.evaluate("window.strataMap.getSource('pins').serialize().data.features.length")),
    difference: Object.fromEntries(await Promise.all(['new', 'changed', 'gone'].map(async (k) => [k, number(await by(`diff-${k}`).locator('b').innerText())]))),
  });
  out.delivered = await report();
  const reasons = async () => (await texts('.findings > li > button')).map((l) => l.split('\n').at(-1));
  const zh = await reasons();
  out.words_zh = zh.length > 0 && zh.every((r) => /[\u4e00-\u9fff]/.test(r));
  await by('language').click();
  out.words_en = (await reasons()).every((r, i) => r !== zh[i] && /[a-z]{2}/.test(r));
  await by('language').click();
  // A row of the report leads to its place, and a pin on the map back to its row.
  const placed = await page.evaluate("window.strataMap.getSource('pins').serialize().data.features.map((f) => [Number(f.properties.row.split('/')[1]), f.geometry.coordinates]).sort((a, b) => a[0] - b[0])[0]");
  await page.locator('.findings > li').nth(placed[0]).locator('button').click();
  out.row_to_map = await until(page, `window.strataMap.getZoom() > 18 && window.strataMap.getBounds().contains([${placed[1]}]) && document.querySelector('[data-testid=rows] tr.held')?.dataset.row === 'findings/${placed[0]}'`, LONG);
  await page.locator('.findings > li').nth(placed[0]).locator('button').click();
  await until(page, "!document.querySelector('tr.held') && window.strataMap.areTilesLoaded() && window.strataMap.queryRenderedFeatures({ layers: ['pins'] }).some((f) => !f.properties.point_count)", LONG);
  const pin = await page.evaluate("(() => { const f = window.strataMap.queryRenderedFeatures({ layers: ['pins'] }).find((f) => !f.properties.point_count); const p = window.strataMap.project(f.geometry.coordinates); return [p.x, p.y, f.properties.row]; })()");
  const flat = await by('map2d').boundingBox();
  await page.mouse.click(flat.x + pin[0], flat.y + pin[1]);
  out.map_to_row = await until(page, `document.querySelector('[data-testid=rows] tr.held')?.dataset.row.startsWith('findings/')`, LONG);
  await shot('survey');
  // The cells that are said to be wrong get what the sound tables have, and it is delivered again.
  const headers = new Map(readFileSync(new URL('../../data/codes/survey-headers.csv', import.meta.url), 'utf8').trim().split(/\r?\n/).slice(1).map((l) => l.split(',').toReversed()));
  const rows = (dir, table) => readFileSync(join(dir, `${table}.csv`), 'utf8').replace(/^\ufeff/, '').split(/\r?\n/).map((l) => l.split(','));
  out.fixed = 0;
  for (const li of await page.locator('.findings > li:has([data-testid=fix])').all()) {
    const [table, n, field] = (await li.getAttribute('data-at')).split('/');
    const [bad, sound] = [rows(delivery, table), rows(`${delivery}-sound`, table)];
    const at = bad[0].findIndex((h) => headers.get(h.replace(/[(（].*/, '')) === field);
    const [is, was] = [bad[n - 1], sound[n - 1]];
    if (at < 0 || !was || is.filter((c, i) => c !== was[i]).length !== 1 || is[at] === was[at]) continue;
    await li.locator('[data-testid=fix]').fill(was[at]);
    await li.locator('[data-testid=fix]').press('Tab');
    out.fixed += 1;
  }
  await by('again').click();
  await until(page, "document.querySelector('[data-testid=sent]')?.dataset.times === '2'", LONG);
  out.corrected = await report();
  const saved_tables = [];
  page.on('download', (d) => saved_tables.push(d.saveAs(join(folder, 'corrected', d.suggestedFilename()))));
  await by('save-corrected').click();
  await until(page, 'false', 3_000);
  await Promise.all(saved_tables);
  out.saved = [saved_tables.length, tables(delivery).length];
  for (const k of ['new', 'changed', 'gone']) if (out.corrected.difference[k]) { await by(`diff-${k}`).click(); await seen(`list-${k}`); out.listed = [number(await by(`list-${k}`).innerText()), Math.min(400, out.corrected.difference[k])]; break; }
  await shot('corrected');

  // The other language says other words for the same things, and breaks nothing.
  const was = await texts('[role=tab]');
  await by('language').click();
  out.language_switched = (await texts('[role=tab]')).every((w, i) => w !== was[i]);
  await page.keyboard.press('Escape');
  await until(page, 'window.strata.ready()', LONG);
  const twin = (theme) => page.locator('#twin').screenshot({ path: join(folder, `twin-${theme}.png`) });
  await twin('light');
  await by('theme').click();
  await until(page, 'window.strata.ready()', LONG);
  await twin('dark');
  out.dark = await page.evaluate("document.documentElement.dataset.theme === 'dark'");
  await until(page, 'window.strataMap.isStyleLoaded()', LONG);
  await shot('dark-en');

  // What is found by district: names in the language of the page, figures as the program gives them.
  await by('tab-supervision').click();
  const watch = await process_('supervision', { limit: 1000, years: 5 });
  const figure = watch.figures.find((f) => watch.by_district.some((r) => r.title_en && r[f.id] > 0));
  await seen(`figure-${figure.id}`);
  await by(`figure-${figure.id}`).click();
  await page.locator('.split button').nth(1).click();
  const split = async (name) => {
    const cells = await page.locator('.split tr').evaluateAll((rows) => rows.map((r) => [...r.cells].slice(0, 2).map((c) => c.innerText)));
    const shown = Object.fromEntries(cells.map(([n, c]) => [n, Number(c.replace(/[^\d]/g, ''))]));
    const listed = watch.by_district.filter((r) => r[figure.id] > 0).toSorted((a, b) => b[figure.id] - a[figure.id]).slice(0, 14);
    return listed.filter((r) => r.title_en).map((r) => [r[name], shown[r[name]], r[figure.id]]);
  };
  out.districts_en = await split('title_en');
  await by('language').click();
  out.districts_zh = await split('value');
  return { errors, ...out, token_left_address: !page.url().includes(token) };
});
console.log(JSON.stringify(result));
