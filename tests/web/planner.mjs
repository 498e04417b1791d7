// The planner's page at work: planner.mjs URL TOKEN PLAN [PICTURE] → one JSON line. PLAN: two pipes that cross, with their axes.
// With PICTURE the page is dressed for the documentation and its picture is taken, and nothing else is done.
import { until, withPage } from './chromium.mjs';

const [url, token, planText, picture] = process.argv.slice(2);
const plan = JSON.parse(planText);
const cbd = '125.3186000,43.8866000,215.00';
const ready = (page, ms = 240_000) => until(page, 'window.strata?.ready()', ms);

async function dressed() {
  await withPage({ width: 1920, height: 1080 }, async (page) => {
    await page.goto(`${url}/#token=${token}`);
    await ready(page);
    const get = (path) => page.evaluate(async (p) => (await fetch(p, { headers: { accept: 'application/json' } })).json(), path);
    await page.evaluate("localStorage.setItem('strata.lang', 'zh'); localStorage.setItem('strata.theme', 'light')");
    // The parcel that is to be built on, with its indices.
    const at = (await get('/api/city')).anchors.find((a) => a.name === 'plan-parcel').position;
    const [lon, lat] = at;
    const parcel = (await get(`/ogc/collections/parcels/items?bbox=${lon - 1e-5},${lat - 1e-5},${lon + 1e-5},${lat + 1e-5}&limit=1`)).features[0]?.id;
    await page.goto(`${url}/?scene=planner&camera=${lon.toFixed(7)},${lat.toFixed(7)},${at[2].toFixed(2)},700,200,-30&t=2026-06-21&on=parcels${parcel ? `&sel=parcels:${parcel}` : ''}`);
    await ready(page);
    await page.waitForTimeout(1500);
    await ready(page);
    await page.waitForTimeout(800);
    await page.screenshot({ path: picture, timeout: 180_000 });
  });
  console.log(JSON.stringify({ picture }));
}

async function worked() {
  const result = await withPage({ width: 1000, height: 640 }, async (page, errors) => {
    const out = {};
    const evaluate = (f, x) => page.evaluate(f, x);
    const click = async ([x, y]) => {
      const box = await page.locator('#twin').boundingBox();
      await page.mouse.click(box.x + x, box.y + y);
    };
    await page.goto(`${url}/?scene=planner&camera=${cbd},420,20,-40&t=2026-06-21#token=${token}`);
    await ready(page);
    // A building near the middle, and its body.
    const spot = await evaluate(async () => {
      const { twin } = window.strata;
      const c = document.getElementById('twin');
      for (let k = 0; k < 400; k++) {
        const [x, y] = [c.clientWidth * (0.05 + 0.5 * ((k * 7) % 20) / 20), c.clientHeight * (0.1 + 0.8 * Math.floor(k / 20) / 20)];
        const hit = await twin.pick(x, y);
        if (hit?.layer === 'buildings') return { x, y, id: hit.id };
      }
      return null;
    });
    const body = await evaluate(({ id }) => window.strata.twin.extent(id), spot);
    await page.keyboard.press('m');
    await page.locator('[data-kind=height]').click();
    await click([spot.x, spot.y]);
    await until(page, "document.querySelectorAll('[data-testid=measure] dd').length === 2", 20_000);
    const figures = (await page.locator('[data-testid=measure] dd').allInnerTexts()).map((t) => parseFloat(t.replace(/,/g, '')));
    out.height = { id: spot.id, measured_m: figures[0], recorded_m: figures[1] };
    // A corner: pointed at from a few pixels off, along a spiral around what was hit.
    out.corner = await evaluate(async ({ x, y }) => {
      const { twin } = window.strata;
      for (let r = 4; r < 260; r += 6) for (let a = 0; a < 24; a++) {
        const p = twin.probe(x + r * Math.cos((a * Math.PI) / 12), y + r * Math.sin((a * Math.PI) / 12));
        if (p?.layer === 'buildings' && p.snap === 'vertex') return p;
      }
      return null;
    }, spot);
    await page.keyboard.press('Escape');
    // A box around it holds it, and what lies elsewhere is not in it.
    out.box = await evaluate(async ({ x, y, id }) => {
      const { twin } = window.strata;
      const small = twin.within([[x - 3, y - 3], [x + 3, y - 3], [x + 3, y + 3], [x - 3, y + 3]]);
      const c = document.getElementById('twin');
      const all = twin.within([[0, 0], [c.clientWidth, 0], [c.clientWidth, c.clientHeight], [0, c.clientHeight]]);
      let missed = 0;
      for (let k = 0; k < 60; k++) {
        const hit = await twin.pick((c.clientWidth * ((k * 13) % 60)) / 60, (c.clientHeight * k) / 60);
        if (hit && !all.some((g) => g.id === hit.id)) missed += 1;
      }
      return { small: small.length, all: all.length, has: small.some((g) => g.id === id), missed };
    }, spot);
    out.box_holds_it = out.box.has && out.box.missed === 0 && out.box.all > out.box.small;
    // A live state colours a body; no tile is asked for it.
    out.state_without_tiles = await evaluate(async ({ id }) => {
      const { twin } = window.strata;
      const requests = () => performance.getEntriesByType('resource').length;
      const [before, frames] = [requests(), twin.frames()];
      twin.setState(id, null, '#d7263d');
      await new Promise((r) => setTimeout(r, 4000));
      const drawn = twin.frames() > frames;
      twin.setState(id);
      return drawn && requests() === before;
    }, spot);
    // The parcel under foot has its indices.
    const parcel = await evaluate(async () => {
      const { twin } = window.strata;
      const c = document.getElementById('twin');
      for (let k = 0; k < 200; k++) {
        const hit = await twin.pick(c.clientWidth * (0.1 + 0.6 * ((k * 7) % 20) / 20), c.clientHeight * (0.3 + 0.6 * Math.floor(k / 20) / 10));
        if (hit?.layer === 'parcels') return [c.clientWidth * (0.1 + 0.6 * ((k * 7) % 20) / 20), c.clientHeight * (0.3 + 0.6 * Math.floor(k / 20) / 10)];
      }
      return null;
    });
    if (parcel) await click(parcel);
    out.indices = await until(page, "document.querySelectorAll('[data-testid=indices] tbody tr').length === 3", 20_000);
    // The address brings everything back.
    await page.waitForTimeout(700);
    const link = page.url();
    const state = () => evaluate(() => ({ camera: window.strata.twin.camera(), card: document.querySelector('[data-testid=card] h2')?.innerText, date: document.querySelector('[data-testid=date]').value }));
    const before = await state();
    await page.goto('about:blank');
    await page.goto(link);
    await ready(page);
    await until(page, "!!document.querySelector('[data-testid=card] h2')", 20_000);
    const after = await state();
    const same = (a, b) => Math.abs(a - b) < 1e-6 + 0.006;
    out.deep_link = before.card === after.card && before.date === after.date && same(before.camera.distance_m, after.camera.distance_m) && before.camera.target.every((v, i) => Math.abs(v - after.camera.target[i]) < (i < 2 ? 1e-7 : 0.006)) && new URL(link).searchParams.has('v');
    // Swipe of two dates.
    await page.locator('#twin').focus();
    await page.keyboard.press('c');
    const edge = await until(page, "!!document.querySelector('[data-testid=swipe]')", 5_000);
    await page.locator('[data-testid=swipe]').focus();
    const was = await page.locator('[data-testid=swipe]').getAttribute('aria-valuenow');
    await page.keyboard.press('ArrowLeft');
    out.swipe = edge && (await page.locator('[data-testid=swipe]').getAttribute('aria-valuenow')) !== was && (await page.locator('.date').count()) === 2;
    await page.locator('#twin').focus();
    await page.keyboard.press('c');
    await page.keyboard.press('c');
    // Play: the year runs.
    const year = await page.locator('[data-testid=year]').innerText();
    await page.keyboard.press(' ');
    out.year_plays = await until(page, `document.querySelector('[data-testid=year]').innerText !== '${year}'`, 20_000);
    await page.keyboard.press(' ');
    // On foot, over the ground that is drawn.
    await page.keyboard.press('q');
    await until(page, "window.strata.twin.camera().gait === 'walk' && Math.abs(window.strata.twin.eyeOverGround() - 1.6) < 0.2", 20_000);
    out.walk = await evaluate(() => window.strata.twin.camera().gait === 'walk');
    out.eye_m = await evaluate(() => window.strata.twin.eyeOverGround());
    await page.keyboard.press('Escape');
    // Another size, and a page that was behind another.
    await page.setViewportSize({ width: 820, height: 560 });
    out.resize = await until(page, "document.getElementById('twin').width === document.getElementById('twin').clientWidth && document.getElementById('twin').height === document.getElementById('twin').clientHeight", 10_000);
    const front = await page.context().newPage();
    await front.goto('about:blank');
    await front.bringToFront();
    // Counted before the change: where the browser does not hide the page the picture is drawn at once.
    const frames = await evaluate(() => {
      const before = window.strata.twin.frames();
      window.strata.twin.setDay(3650);
      return before;
    });
    await page.bringToFront();
    await front.close();
    out.hidden_tab = await until(page, `window.strata.twin.frames() > ${frames}`, 30_000);
    // A section box around that building, its faces moved by keys, by a drag and by a number; it stays in the address.
    await page.setViewportSize({ width: 1400, height: 800 });
    await page.goto(`${url}/?scene=planner&camera=${body.middle[0].toFixed(7)},${body.middle[1].toFixed(7)},${body.middle[2].toFixed(2)},${(body.radius_m * 7).toFixed(0)},20,-45&t=2026-06-21&sel=buildings:${encodeURIComponent(spot.id)}`);
    await ready(page);
    await until(page, "!!document.querySelector('[data-testid=card] dl dd')", 20_000);
    // A building's own pixel, and one of another building beside it.
    const pixels = (id, other) => evaluate(async ([id, other]) => {
      const { twin } = window.strata;
      const c = document.getElementById('twin');
      const found = { id };
      for (let k = 0; k < 900 && !(found.own && found.other); k++) {
        const [x, y] = [c.clientWidth * (0.02 + 0.66 * ((k * 7) % 30) / 30), c.clientHeight * (0.04 + 0.92 * Math.floor(k / 30) / 30)];
        const hit = await twin.pick(x, y);
        if (hit?.id === id) found.own ??= [x, y];
        else if (hit?.layer === 'buildings' && (other ?? hit.id) === hit.id) found.other ??= [x, y, hit.id];
      }
      return found;
    }, [id, other]);
    out.section = await pixels(spot.id);
    const cut = () => evaluate(() => window.strata.twin.section());
    const over = ([x, y]) => evaluate(([x, y]) => window.strata.twin.pick(x, y).then((h) => h?.id ?? null), [x, y]);
    const drawn = async () => { await ready(page); await page.waitForTimeout(600); await ready(page); return page.screenshot({ timeout: 180_000 }); };
    await page.locator('#twin').focus();
    await page.keyboard.press('x');
    await until(page, "!!document.querySelector('[data-testid=section]')", 10_000);
    const first = await cut();
    out.section.box = first;
    out.section.stays = await over(out.section.own);
    out.section.gone = await over(out.section.other);
    await page.locator('[data-testid=section-outside]').click();
    await drawn();
    out.section.other_side = [await over(out.section.own), await over(out.section.other)];
    await page.locator('[data-testid=section-inside]').click();
    const whole = await drawn();
    await page.locator('[data-testid=handle-top]').focus();
    for (let k = 0; k < 2; k++) await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('ArrowUp');
    out.section.top_m = [(await cut()).high_m[2], first.high_m[2] - 9.5];
    const lower = await drawn();
    out.section.changed = await evaluate(async ([a, b]) => {
      const pixels = async (data) => {
        const image = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: 'image/png' }));
        const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
        context.drawImage(image, 0, 0);
        // Of the map alone, without its panels.
        return context.getImageData(360, 60, image.width - 760, image.height - 160).data;
      };
      const [p, q] = [await pixels(a), await pixels(b)];
      let n = 0;
      for (let i = 0; i < p.length; i += 4) if (Math.abs(p[i] - q[i]) + Math.abs(p[i + 1] - q[i + 1]) + Math.abs(p[i + 2] - q[i + 2]) > 60) n += 1;
      return n;
    }, [whole.toString('base64'), lower.toString('base64')]);
    await page.locator('[data-testid=face-bottom]').fill('-3.5');
    await page.locator('[data-testid=face-bottom]').press('Enter');
    out.section.bottom_m = (await cut()).low_m[2];
    // A handle that nothing covers is dragged along its axis, away from the middle.
    const grip = await evaluate(() => {
      for (const name of ['west', 'south', 'north', 'east']) {
        const r = document.querySelector(`[data-testid=handle-${name}]`)?.getBoundingClientRect();
        if (r && document.elementFromPoint(r.left + 14, r.top + 14)?.dataset.testid === `handle-${name}`) return { name, at: [r.left + 14, r.top + 14] };
      }
      return null;
    });
    const stood = await cut();
    const centre = await evaluate((b) => { const p = window.strata.twin.onScreen(b.centre); const r = document.getElementById('twin').getBoundingClientRect(); return [r.left + p[0], r.top + p[1]]; }, stood);
    const way = [grip.at[0] - centre[0], grip.at[1] - centre[1]].map((v, _, w) => (v / Math.hypot(...w)) * 40);
    await page.mouse.move(...grip.at);
    await page.mouse.down();
    await page.mouse.move(grip.at[0] + way[0], grip.at[1] + way[1], { steps: 4 });
    await page.mouse.up();
    const pulled = await cut();
    const axis = ['west', 'east'].includes(grip.name) ? 0 : 1;
    out.section.pulled_m = ['west', 'south'].includes(grip.name) ? stood.low_m[axis] - pulled.low_m[axis] : pulled.high_m[axis] - stood.high_m[axis];
    await page.locator('[data-testid=section-street]').click();
    await until(page, 'window.strata.twin.section().heading_deg !== 0', 20_000);
    out.section.street_deg = (await cut()).heading_deg;
    // Over a plan of five corners, clicked from above: the building stays, the other goes; a corner moved by keys, one by a drag,
    // one by a number, one taken away.
    await evaluate((b) => { const { twin } = window.strata; twin.setCamera({ ...twin.camera(), target: b.middle, distance_m: b.radius_m * 8, heading_deg: 0, pitch_deg: -86 }); }, body);
    // With its roof on again, so that one does not look through it.
    await page.locator('[data-testid=face-top]').fill('60');
    await page.locator('[data-testid=face-top]').press('Enter');
    await page.locator('[data-testid=section-polygon]').click();
    await drawn();
    // While it is drawn nothing is cut.
    const above = await pixels(spot.id);
    out.section.above = above.other;
    const corners = await evaluate(([b]) => {
      const r = b.radius_m;
      const [mx, my] = [111_320 * Math.cos((b.middle[1] * Math.PI) / 180), 111_100];
      const box = document.getElementById('twin').getBoundingClientRect();
      return [[-1, -1], [1, -1], [1.15, 0], [1, 1], [-1, 1]].map(([x, y]) => window.strata.twin.onScreen([b.middle[0] + (x * r) / mx, b.middle[1] + (y * r) / my, b.low_m])).map((p) => [box.left + p[0], box.top + p[1]]);
    }, [body]);
    for (const [x, y] of corners) await page.mouse.click(x, y);
    out.section.drawing = await page.locator('[data-testid=section] [role=status]').innerText();
    await page.locator('#twin').focus();
    await page.keyboard.press('Enter');
    await drawn();
    const outlined = await cut();
    out.section.corners = outlined.outline.length;
    out.section.over = [await over(above.own), await over(above.other)];
    await page.locator('[data-testid=handle-corner-2]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowUp');
    const stepped = await cut();
    out.section.stepped_m = [0, 1].map((k) => stepped.outline[2][k] - outlined.outline[2][k]);
    const held = await evaluate(() => { const r = document.querySelector('[data-testid=handle-corner-0]').getBoundingClientRect(); return [r.left + 14, r.top + 14]; });
    await page.mouse.move(...held);
    await page.mouse.down();
    await page.mouse.move(held[0] - 24, held[1], { steps: 4 });
    await page.mouse.up();
    out.section.dragged_m = (await cut()).outline[0].map((v, k) => v - outlined.outline[0][k]);
    await page.locator('[data-testid=corner-1-1]').fill(String(outlined.outline[1][1] - 2));
    await page.locator('[data-testid=corner-1-1]').press('Enter');
    out.section.typed_m = (await cut()).outline[1][1] - outlined.outline[1][1];
    await page.locator('[data-testid=handle-corner-2]').focus();
    await page.keyboard.press('Delete');
    out.section.left = (await cut()).outline.length;
    await page.keyboard.press('Escape');
    await page.waitForTimeout(700);
    const kept = [page.url(), await cut()];
    await page.goto('about:blank');
    await page.goto(kept[0]);
    await ready(page);
    out.section.link = JSON.stringify(await cut()) === JSON.stringify(kept[1]) && (await page.locator('[data-testid=section-on]').count()) === 1;
    await page.locator('[data-testid=section-on] button').last().click();
    out.section.removed = (await cut()) === null;
    // Two pipes that cross, clicked beside their crossing, from above through the ground.
    const middle = plan.a[0].map((v, i) => (v + plan.a[1][i]) / 2);
    await page.setViewportSize({ width: 1000, height: 640 });
    await page.goto(`${url}/?scene=pipes&mode=xray&camera=${middle[0].toFixed(7)},${middle[1].toFixed(7)},${middle[2].toFixed(2)},60,0,-85&t=2026-06-21`);
    await ready(page);
    await page.locator('#twin').focus();
    await page.keyboard.press('m');
    await page.locator('[data-kind=pipe_clearance]').click();
    for (const [k, axis] of [plan.a, plan.b].entries()) {
      // A place of this pipe that is this pipe on the screen.
      const place = await evaluate(async ([axis, id]) => {
        const { twin } = window.strata;
        for (let i = 1; i < 60; i++) {
          const p = twin.onScreen(axis[0].map((v, n) => v + ((axis[1][n] - v) * i) / 60));
          const box = document.getElementById('twin').getBoundingClientRect();
          const bare = p && document.elementFromPoint(box.left + p[0], box.top + p[1])?.id === 'twin';
          if (bare && twin.probe(...p)?.id === id) return p;
        }
        return null;
      }, [axis, plan.pair[k]]);
      if (place) await click(place);
      await page.waitForTimeout(300);
    }
    await until(page, "document.querySelectorAll('[data-testid=measure] dd').length >= 1", 60_000);
    out.clearance = { gap_m: parseFloat(await page.locator('[data-testid=measure] dd').first().innerText().catch(() => 'NaN')) };
    // A street is found by its name and flown to, by keyboard alone.
    await page.goto(`${url}/?scene=planner&camera=${cbd},900,0,-50&t=2026-06-21`);
    await ready(page);
    await page.locator('#twin').focus();
    await page.keyboard.press('/');
    await page.keyboard.type(plan.street);
    await until(page, "document.querySelectorAll('#found li').length > 0", 20_000);
    await page.keyboard.press('Enter');
    // Flown to, and come to rest.
    for (let last = '', k = 0; k < 40; k++) {
      await page.waitForTimeout(1000);
      const now = await evaluate(() => window.strata.twin.camera().target.join());
      if (now === last && !now.startsWith('125.3186,43.8866,')) break;
      last = now;
    }
    await until(page, "!!document.querySelector('[data-testid=card] h2')", 20_000);
    out.search = await evaluate(() => ({ target: window.strata.twin.camera().target, plan: window.strata.twin.camera().plan, card: document.querySelector('[data-testid=card] h2')?.innerText }));
    // Sensors, gathered.
    await page.goto(`${url}/?scene=overlay-icons`);
    await ready(page);
    // From where the whole district is in view.
    await evaluate(() => { const c = window.strata.twin.camera(); window.strata.twin.setCamera({ ...c, distance_m: 12000, pitch_deg: -80 }); });
    await page.waitForTimeout(500);
    await ready(page);
    out.icons = await evaluate(() => {
      const g = window.strata.twin.gathered('sensors');
      return { symbols: g.length, sum: g.reduce((n, s) => n + s.count, 0), ids: new Set(g.flatMap((s) => s.ids)).size };
    });
    return { errors, ...out };
  });
  result.dpr_2 = await withPage({ width: 700, height: 460 }, async (page) => {
    await page.goto(`${url}/#token=${token}`);
    await until(page, 'window.strataFirstPictureMs > 0', 120_000);
    return page.evaluate("document.getElementById('twin').width === 2 * document.getElementById('twin').clientWidth");
  }, { deviceScaleFactor: 2 });
  // A browser with neither WebGPU nor WebGL says so in words.
  result.no_adapter_said = await withPage({ width: 700, height: 460 }, async (page) => {
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
    await page.goto(`${url}/#token=${token}`);
    return until(page, "/WebGPU/.test(document.querySelector('.notice')?.innerText ?? '')", 60_000);
  }, {}, ['--disable-3d-apis']);
  console.log(JSON.stringify(result));
}

await (picture ? dressed() : worked());
