// Headless Chromium with a software GPU: WebGPU and WebGL 2 both, a canvas that is really presented.
import { chromium } from 'playwright-core';

const args = ['--headless=new', '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan', '--use-vulkan=swiftshader'];

export async function withPage(size, work, context = {}, more = []) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, ignoreDefaultArgs: ['--headless', '--disable-gpu'], args: [...args, ...more] });
  try {
    const page = await (await browser.newContext({ viewport: size, ...context })).newPage();
    // A software adapter beside other tests is slow, and that is no fault of the page.
    page.setDefaultTimeout(180_000);
    const errors = [];
    // Chromium's own remarks on the driver are no fault of the page.
    const harmless = /READ-usage buffer|GPU stall|Automatic fallback to software WebGL|GL Driver Message/;
    page.on('console', (m) => { if (m.type() === 'error' && !harmless.test(m.text())) errors.push(m.text()); });
    page.on('pageerror', (e) => errors.push(String(e)));
    // What hangs says so, instead of holding up every other test.
    let alarm;
    const late = new Promise((_, no) => { alarm = setTimeout(() => no(new Error(`nothing came of the page in 10 minutes; it said ${JSON.stringify(errors)}`)), 600_000); });
    return await Promise.race([work(page, errors), late]).finally(() => clearTimeout(alarm));
  } finally {
    await browser.close();
  }
}

/** Standard deviation of the brightness of a screenshot: near 0 when nothing is drawn. */
export async function spread(page, clip, path) {
  const shot = await page.screenshot({ clip, path });
  return page.evaluate(async (data) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob()).catch(() => null);
    if (!image) return -1;
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data: p } = context.getImageData(0, 0, image.width, image.height);
    let [sum, squares, n] = [0, 0, 0];
    for (let i = 0; i < p.length; i += 4) { const v = (p[i] + p[i + 1] + p[i + 2]) / 3; sum += v; squares += v * v; n += 1; }
    return Math.sqrt(squares / n - (sum / n) ** 2);
  }, shot.toString('base64'));
}

export async function until(page, what, ms) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await page.evaluate(what).catch(() => false)) return true;
    await page.waitForTimeout(250);
  }
  return false;
}
