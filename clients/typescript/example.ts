// example.ts URL TOKEN: a main, what feeds it, and what a burst of it would cost.
import { strata } from './index.ts';

const [url, token] = process.argv.slice(2);
const city = strata(url, token);
const list = await city.POST('/ogc/processes/segments/execution', { body: { inputs: { class: 'JS', limit: 1 } } });
if (!list.data) throw new Error(JSON.stringify(list.error));
const worst = list.data.worst?.[0] as { pipe: string } | undefined;
if (!worst) throw new Error('no segment');
const burst = await city.POST('/ogc/processes/isolate/execution', { body: { inputs: { place: worst.pipe } } });
const wrong = await city.POST('/ogc/processes/isolate/execution', { body: { inputs: { place: 'nobody' } } });
console.log(JSON.stringify({ segments: list.data.segments, close: burst.data?.close?.length, wrong: wrong.error?.code }));
