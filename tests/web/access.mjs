// Is the page for everyone? access.mjs URL TOKEN PLACE → one JSON line: what axe-core finds of serious or critical faults in
// both themes and languages, and a walk by Tab through `/pipes`: all that can be pressed is reached, and is seen to be.
import { createRequire } from 'node:module';
import { until, withPage } from './chromium.mjs';

const [url, token, place] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const LONG = Number(process.env.LONG ?? 240_000);

const result = await withPage({ width: 1600, height: 900 }, async (page, errors) => {
  const out = { errors, faults: [], checked: {} };
  const by = (id) => page.locator(`[data-testid=${id}]`);
  const press = (selector) => page.evaluate((s) => document.querySelector(s).click(), selector);
  const seen = async (id) => { if (!(await until(page, `!!document.querySelector('[data-testid=${id}]')`, LONG))) throw new Error(`no ${id}`); };
  /** One look of axe at what stands there now. */
  async function look(where) {
    await page.waitForTimeout(200);
    const found = await page.evaluate(async () => {
      const { violations, passes } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations', 'passes'] });
      const nodes = (v) => v.nodes.map((n) => ({ at: n.target.join(' '), why: n.failureSummary?.split('\n').at(1)?.trim().slice(0, 200) }));
      return {
        faults: violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => ({ id: v.id, impact: v.impact, nodes: nodes(v) })),
        contrast: passes.find((p) => p.id === 'color-contrast')?.nodes.length ?? 0,
      };
    });
    out.checked[where] = found.contrast;
    out.faults.push(...found.faults.map((f) => ({ where, ...f })));
  }
  /** In both languages and themes, by the page's own buttons. */
  async function everywhere(where) {
    for (const [theme, lang] of [['light', 'zh'], ['light', 'en'], ['dark', 'en'], ['dark', 'zh']]) {
      if ((await page.evaluate('document.documentElement.dataset.theme')) !== theme) await press('[data-testid=theme]');
      if (!(await page.evaluate('document.documentElement.lang')).startsWith(lang)) await press('[data-testid=language]');
      await look(`${where} ${theme} ${lang}`);
    }
  }
  // Colours are judged as they come to rest.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  // Not as a script of the page: its policy takes none but its own.
  await page.addInitScript({ path: axe });
  await page.addInitScript(() => { localStorage.setItem('strata.lang', 'zh'); localStorage.setItem('strata.theme', 'light'); });
  await page.goto(`${url}/pipes?tab=supervision&at=${place},18,0#token=${token}`);
  await seen('statistics');
  await until(page, "!!window.strataMap?.isStyleLoaded() && document.querySelectorAll('[data-testid^=tool-]').length > 10", LONG);
  await until(page, "document.querySelectorAll('[data-testid^=figure-]').length > 4", LONG);

  // The walk: Tab from the top until the focus leaves the page or comes back.
  const all = await page.evaluate(() => {
    const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('[aria-hidden=true], [inert]') && e.getClientRects().length > 0;
    const list = [...document.querySelectorAll('button, a[href], input, select, summary, [tabindex="0"], textarea')].filter((e) => !e.disabled && e.tabIndex >= 0 && shown(e));
    list.forEach((e, i) => { e.dataset.stop = i; });
    document.activeElement?.blur();
    return list.map((e) => e.dataset.testid ?? e.getAttribute('aria-label') ?? (e.innerText || e.tagName).slice(0, 30));
  });
  const reached = new Map();
  let last;
  for (let i = 0; i < all.length + 20; i += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const ring = (x) => { const s = getComputedStyle(x); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; };
      return { stop: e.dataset.stop, ring: ring(e) || (!!e.closest('label') && ring(e.closest('label'))) };
    });
    if (at?.stop === undefined || at.stop === last) continue;
    if (reached.has(at.stop)) break;
    reached.set(at.stop, at.ring);
    last = at.stop;
  }
  out.stops = all.length;
  out.missed = all.filter((_, i) => !reached.has(String(i)));
  out.unseen = all.filter((_, i) => reached.get(String(i)) === false);

  await everywhere('supervision');
  for (const tab of ['survey', 'live', 'permits']) {
    await press(`[data-testid=tab-${tab}]`);
    await seen({ survey: 'files', live: 'sensors', permits: 'new-permit' }[tab]);
    await everywhere(tab);
  }
  // A tool with its form, its drawing and its table.
  await press('[data-testid=tab-supervision]');
  await press('[data-testid=tool-statistics]');
  await seen('run');
  await press('[data-testid=run]');
  await seen('dock');
  await everywhere('tool');
  await press('[data-testid=tool-section]');
  await seen('centre-line');
  await press('[data-testid=centre-line]');
  await page.evaluate('window.strataMap.jumpTo({ center: [window.strataMap.getCenter().lng + 0.0004, window.strataMap.getCenter().lat + 0.0002] })');
  await press('[data-testid=centre-line]');
  await seen('drawing');
  await everywhere('drawing');
  await page.goto(`${url}/`);
  await until(page, '!!window.strata?.ready()', LONG);
  await page.evaluate('window.strata.twin.stop()');
  await everywhere('planner');
  // A date stands in one order whatever the browser's language is; what is none is said, and the calendar is for everyone too.
  await by('date').fill('2024-02-30');
  await by('date').press('Enter');
  out.date = [await by('date').getAttribute('aria-invalid'), await by('date-wrong').count()];
  await by('date').fill('2024/3/1');
  await by('date').press('Enter');
  out.date.push(await by('date').inputValue());
  await press('[data-testid=date-calendar]');
  await until(page, "!!document.activeElement.closest('[data-testid=calendar]')", LONG);
  await everywhere('calendar');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await until(page, "!document.querySelector('[data-testid=calendar]')", LONG);
  out.date.push(await by('date').inputValue(), await page.evaluate('document.activeElement.dataset.testid'));
  return out;
});
console.log(JSON.stringify(result));
