// A survey delivery read in the browser: rows of text as they lie in the tables, for process `qc`. Nothing is judged here.
import headers from '../../../data/codes/survey-headers.csv?raw';

const TITLES = 10; // Rows above the heading that a title may take.
/** A heading without unit, blanks and case, as the program reads it. */
function plain(text) {
  const cut = [...'(（[/'].map((c) => text.indexOf(c)).filter((i) => i > 0);
  return text.slice(0, cut.length ? Math.min(...cut) : undefined).replace(/[\s\ufeff_]/g, '').toUpperCase();
}
const rows = headers.trim().split(/\r?\n/).slice(1).map((l) => l.split(','));
const known = new Map(rows.map(([f, h]) => [plain(h), f]));
/** The heading that a field has first of all. */
export const headingOf = (field) => rows.find(([f]) => f === field)?.[1] ?? field;
export const fieldOf = (heading) => known.get(plain(heading)) ?? null;

function sheet(name, rows) {
  for (let h = 0; h < Math.min(TITLES, rows.length); h += 1) {
    const has = new Set(rows[h].map((c) => fieldOf(c ?? '')).filter(Boolean));
    const ends = has.has('start') && has.has('end');
    const point = has.has('id') && has.has('north') && has.has('east');
    const role = ends ? 'lines' : point && has.has('end') ? 'both' : point ? 'points' : has.has('id') && has.has('end') ? 'lines' : null;
    if (!role) continue;
    const body = rows.slice(h + 1).map((cells, i) => ({ number: h + 2 + i, cells })).filter((r) => r.cells.some((c) => c !== ''));
    return { name, role, heading_row: h + 1, headings: rows[h], rows: body };
  }
  return null;
}

/** UTF-8 when it is, else GBK; neither is a fault of the file. */
function decoded(bytes) {
  try { return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }; } catch { /* GBK then */ }
  try { return { text: new TextDecoder('gbk', { fatal: true }).decode(bytes) }; } catch { return { text: new TextDecoder('gbk').decode(bytes), fault: 'encoding' }; }
}

export async function readDelivery(files) {
  const tables = [];
  const faults = [];
  const unread = [];
  const text = (v) => (v === null || v === undefined ? '' : v instanceof Date ? v.toISOString().slice(0, 10) : String(v));
  for (const file of files) {
    const stem = file.name.replace(/\.[^.]+$/, '');
    let sheets = [];
    if (/\.csv$/i.test(file.name)) {
      const { default: Papa } = await import('papaparse');
      const { text: all, fault } = decoded(await file.arrayBuffer());
      if (fault) faults.push({ table: stem, rule: fault, reason: 'neither UTF-8 nor GBK' });
      sheets = [[stem, Papa.parse(all.replace(/^\ufeff/, ''), { skipEmptyLines: false }).data.map((r) => r.map(text))]];
    } else if (/\.xlsx$/i.test(file.name)) {
      const { default: readXlsx } = await import('read-excel-file/browser');
      sheets = (await readXlsx(file)).map((s) => [s.sheet ?? s.name, (s.data ?? s.rows).map((r) => r.map(text))]);
    } else continue;
    for (const [name, rows] of sheets) {
      const found = sheet(name, rows);
      if (!found) unread.push(name);
      else if (found.role === 'both') unread.push(`${name} *`);
      else tables.push(found);
    }
  }
  unread.forEach((name) => faults.push({ table: name, rule: 'heading', reason: 'no heading of points or lines in the first rows' }));
  return { name: [...files].map((f) => f.name).join(', ').slice(0, 120), tables, faults, unread };
}

/** The column of a field in a table, as a finding names it. */
export const column = (table, field) => table.headings.findIndex((h) => fieldOf(h) === field);
