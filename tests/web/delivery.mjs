// A delivery on the page to the very end: delivery.mjs URL TOKEN DELIVERY → one JSON line. DELIVERY: a folder of sound survey tables of
// stock. First one pipe of another material goes from the sample to the archive, each step by its own button with its role and
// reason; then a delivery that changes far more than one page shows, all of whose points lie 0.3 m farther east.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { until, withPage } from './chromium.mjs';

const [url, token, folder] = process.argv.slice(2);
const LONG = Number(process.env.LONG ?? 240_000);
const ask = async (path) => {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
const number = (text) => Number(text.replace(/[^\d.-]/g, ''));
const tables = readdirSync(folder).filter((f) => f.endsWith('.csv')).sort().map((f) => ({ name: f, text: readFileSync(join(folder, f), 'utf8') }));
const asFiles = (list) => list.map((t) => ({ name: t.name, mimeType: 'text/csv', buffer: Buffer.from(t.text) }));

/** The points of a table 0.3 m farther east. */
function shifted(t) {
  const rows = t.text.split(/\r?\n/).map((l) => l.split(','));
  const east = rows[0].findIndex((h) => /^\ufeff?(Y|东坐标|横坐标)/i.test(h));
  if (!/POINT/.test(t.name) || east < 0) return t;
  return { ...t, text: rows.map((r, i) => (i && r.length > 1 ? r.map((c, k) => (k === east ? (Number(c) + 0.3).toFixed(3) : c)) : r).join(',')).join('\n') };
}

const result = await withPage({ width: 1600, height: 900 }, async (page, errors) => {
  const out = {};
  const by = (id) => page.locator(`[data-testid=${id}]`);
  const press = (selector) => page.evaluate((s) => document.querySelector(s).click(), selector);
  const state = async () => by('delivery-case').getAttribute('data-state');
  await page.addInitScript(() => { localStorage.setItem('strata.lang', 'zh'); localStorage.setItem('strata.theme', 'light'); });
  await page.goto(`${url}/pipes?tab=survey#token=${token}`);
  await until(page, "!!document.querySelector('[data-testid=files]')", LONG);
  // The adapter has other work.
  await until(page, '!!window.strata', LONG);
  await page.evaluate('window.strata.twin.stop()');

  async function deliver(list, title) {
    await by('files').setInputFiles(asFiles(list));
    await until(page, "document.querySelector('[data-testid=hand-in]') && !document.querySelector('[data-testid=hand-in]').disabled", LONG);
    out[`${title} faults`] = number(await by('errors').innerText());
    out[`${title} changed`] = number(await by('diff-changed').locator('b').innerText());
  }
  /** From the sample to the archive, by the page's own buttons. */
  async function walk() {
    const steps = [];
    for (const [step, reason, after] of [['sample', '抽检合格', 'sampled'], ['store', '同意入库', 'stored'], ['publish', '', 'published'], ['archive', '资料齐全', 'archived']]) {
      const button = `[data-testid=delivery-step][data-step=${step}]`;
      await until(page, `document.querySelector('${button}') && !document.querySelector('${button}').disabled`, LONG);
      const words = await page.locator(button).innerText();
      if (step === 'sample') {
        // Nobody passes a sample without saying why.
        await press(button);
        out.reason_asked = await until(page, "!!document.querySelector('[role=alert]')", LONG) && (await state()) === 'checked';
      }
      await by('delivery-reason').fill(reason);
      await press(button);
      if (!(await until(page, `document.querySelector('[data-testid=delivery-case]')?.dataset.state === '${after}'`, LONG))) throw new Error(`${step}: ${await state()} ${await page.locator('[role=alert]').allInnerTexts()}`);
      steps.push([step, words.split(' ').at(-1), reason]);
    }
    out.rail = await page.locator('[data-stage]').evaluateAll((l) => l.map((e) => [e.dataset.stage, e.dataset.state]));
    out.left = await by('delivery-step').count();
    return steps;
  }
  const newest = async () => { const [{ id }] = (await ask('/api/cases?definition=survey-delivery&limit=1')).cases; return ask(`/api/cases/${id}`); };

  // One pipe of another material.
  const small = tables.map((t) => ({ ...t }));
  const lines = small.find((t) => t.name === 'JSLINE.csv');
  const rows = lines.text.split(/\r?\n/).map((l) => l.split(','));
  const at = (name) => rows[0].findIndex((h) => h.replace(/[(（].*/, '').replace('\ufeff', '') === name);
  const row = rows[4];
  const [ends, was] = [[row[at('起点点号')], row[at('终点点号')]], row[at('材质')]];
  row[at('材质')] = was === '铸铁' ? '钢' : '铸铁';
  lines.text = rows.map((r) => r.join(',')).join('\n');
  const versions = (await ask('/api/versions')).head;
  await deliver(small, 'small');
  await by('delivery-title').fill('人民大街普查');
  await by('hand-in').click();
  await until(page, "!!document.querySelector('[data-testid=delivery-case]')", LONG);
  out.handed = [await state(), (await newest()).state];
  const steps = await walk();
  const one = await newest();
  out.archived = [await state(), one.state];
  out.steps = [steps, one.events.filter((e) => e.step !== 'check').map((e) => [e.step, null, e.reason ?? ''])].map((l) => l.map((s) => [s[0], s[2]]));
  out.roles = [steps.map((s) => s[1]), await Promise.all(one.events.filter((e) => e.step !== 'check').map(async (e) => (await ask('/api/case-definitions')).definitions.find((d) => d.id === one.definition).role.find((r) => r.id === e.role).title_zh))];
  const head = (await ask('/api/versions')).head;
  out.version = [head, versions + 1];
  out.version_listed = await until(page, `[...document.querySelectorAll('ul.versions b')].some((b) => b.innerText === 'v${head}')`, LONG);
  const of = async (v) => (await ask(`/ogc/collections/pipes/items?v=${v}&filter=${encodeURIComponent(`start_point='${ends[0]}' AND end_point='${ends[1]}'`)}`)).features.map((f) => f.properties.material);
  out.material = [await of(versions), await of(head), [was], [row[at('材质')]]];

  // All was measured anew, 0.3 m farther east: more changes than one page shows, and more than a proposal by hand may have.
  const big = tables.map(shifted);
  await press('[data-testid=delivery-case] button');
  await deliver(big, 'big');
  await by('diff-changed').click();
  await until(page, "!!document.querySelector('[data-testid=list-changed]') && !!document.querySelector('[data-testid=page]')", LONG);
  const pages = [await by('page').innerText()];
  const first = await page.locator('[data-testid=rows] tbody tr').first().innerText();
  await by('page-after').click();
  await until(page, `document.querySelector('[data-testid=page]').innerText !== '${pages[0]}'`, LONG);
  pages.push(await by('page').innerText());
  out.pages = pages.map((p) => p.split(/[–/]/).map(number));
  out.turned = (await page.locator('[data-testid=rows] tbody tr').first().innerText()) !== first;
  out.listed = number(await by('list-changed').innerText());
  await by('delivery-title').fill('全幅重测');
  await by('hand-in').click();
  await until(page, "!!document.querySelector('[data-testid=delivery-case]') || !!document.querySelector('[role=alert]')", LONG);
  out.refusals = await page.locator('[role=alert]').allInnerTexts();
  if (!out.refusals.length) {
    await walk();
    out.big_archived = [await state(), (await newest()).state];
    const last = (await ask('/api/versions')).head;
    const diff = await ask(`/api/versions/${head}/diff/${last}`);
    out.big_version = [last, head + 1];
    out.big_changes = diff.layers.reduce((n, l) => n + l.counts.added + l.counts.changed + l.counts.removed, 0);
  }
  return { errors, ...out };
});
console.log(JSON.stringify(result));
