// What an answer holds that has a place: the same features for the flat map and for the twin, so that both show one thing.
// Each feature has `tone` (see classes.js), `row` (list/index of the table it stands in), and perhaps `label`, `width`, `dash`, `share` (0..1 on a ramp).
import { verdicts } from './classes.js';

const cividis = ['#00224E', '#2A3F6D', '#575C6D', '#7C7B78', '#A59C74', '#D2C060', '#FEE838'];
export const ramp = (share) => cividis[Math.max(0, Math.min(cividis.length - 1, Math.floor(share * cividis.length)))];

const tone = (verdict) => verdicts[verdict]?.tone ?? 'plain';
const one = (geometry, properties) => (geometry?.coordinates ? [{ type: 'Feature', geometry, properties }] : []);
const many = (list, name, make) => (Array.isArray(list) ? list.flatMap((v, i) => make(v, `${name}/${i}`) ?? []) : []);
const most = (list, key) => Math.max(1e-9, ...(list ?? []).slice(0, 5000).map((v) => Math.abs(v[key]) || 0));

/** A gap with what is asked, as a dimension between outer faces. */
const gap = (f, row) => one(f.connection, { tone: tone(f.verdict), row, dimension: true, label: `${verdicts[f.verdict]?.mark ?? ''} ${f.gap_m.toFixed(2)}${f.required_m === undefined ? '' : ` / ${f.required_m.toFixed(2)}`}` });
const gaps = (a) => [...many(a.pairs, 'pairs', gap), ...many(a.surroundings, 'surroundings', gap), ...many(a.slanting, 'slanting', (s, row) => one(s.at, { tone: 'ask', row, label: `${s.angle_deg}°` }))];
const covers = (list, name) => many(list, name, (c, row) => [...(c.short ?? []).flatMap((g) => one(g, { tone: tone(c.verdict), row, width: 7 })), ...one(c.at, { tone: c.verdict === 'sound' && c.warning ? 'ask' : tone(c.verdict), row })]);

const makers = {
  section: (a) => many(a.cuts, 'cuts', (c, row) => one(c.at, { tone: 'plain', row, label: c.pipe.class })),
  profile: (a) => [...one(a.axis, { tone: 'plain', width: 8, row: null }), ...many(a.crossings, 'crossings', (c, row) => one(c.at, { tone: c.clear_m < 0 ? 'bad' : 'quiet', row }))],
  trace: (a) => {
    const far = most(a.path, 'distance_m');
    return [
      ...many(a.path, 'path', (p, row) => one(p.geometry, { tone: 'plain', share: p.distance_m / far, width: 7, row })),
      ...many(a.met, 'met', (m, row) => one(m.geometry, { tone: 'quiet', row, mark: m.kind })),
      ...many(a.stopped_at, 'stopped_at', (m, row) => one(m.geometry, { tone: 'bad', row, mark: 'stop' })),
      ...one(a.from?.geometry ?? a.from, { tone: 'valve', label: '●', row: null }),
    ];
  },
  isolate: (a) => [
    ...many(a.pipes, 'pipes', (p, row) => one(p.geometry, { tone: p.why === 'shut' ? 'shut' : 'cut', width: 12, dash: p.why !== 'shut', row })),
    ...many(a.buildings, 'buildings', (b, row) => one(b.geometry, { tone: 'user', row, small: true })),
    ...many(a.hydrants, 'hydrants', (h, row) => one(h.geometry, { tone: 'bad', row, mark: 'hydrant' })),
    ...many(a.other_supply, 'other_supply', (v, row) => one(v.geometry, { tone: 'good', row, label: '＋', badge: true })),
    ...many(a.close, 'close', (v, row) => one(v.geometry, { tone: 'valve', row, label: String(v.order), badge: true })),
    ...one(a.at, { tone: 'bad', label: '✹', row: null, ring: true }),
  ],
  clearance: gaps,
  permit: (a) => [...gaps(a), ...covers(a.pipes, 'pipes')],
  planned: (a) => [
    ...one(a.axis, { tone: 'plan', width: 6, row: null }),
    ...one(a.lawful?.axis, { tone: 'good', width: 4, dash: true, row: null }),
    ...gaps(a),
    ...(a.cover ? covers([a.cover], 'cover') : []),
  ],
  cover: (a) => covers(a.pipes, 'pipes'),
  excavate: (a) => [...one(a.edge, { tone: 'ask', row: null }), ...many(a.pipes, 'pipes', (p, row) => p.parts.flatMap((g) => one(g, { tone: p.touch === 'exposed' ? 'bad' : 'ask', width: 8, row })))],
  encroach: (a) => many(a.findings, 'findings', (f, row) => f.under.flatMap((g) => one(g, { tone: f.kind === 'control' ? 'ask' : 'bad', width: 9, row }))),
  hydraulics: (a) => {
    const high = most(a.points, 'pressure_m');
    return [...many(a.points, 'points', (p, row) => one(p.geometry, { tone: p.pressure_m < 0 ? 'bad' : 'plain', share: p.pressure_m / high, row })), ...many(a.unfed, 'unfed', (p, row) => one(p.geometry, { tone: 'bad', row }))];
  },
  drainage: (a) => [
    ...many(a.pipes, 'pipes', (p, row) => one(p.geometry, { tone: p.load > 1 ? 'bad' : 'plain', share: p.load > 1 ? undefined : p.load, width: 6, row })),
    ...many(a.surcharged, 'surcharged', (p, row) => one(p.geometry, { tone: 'ask', row })),
    ...many(a.flooded, 'flooded', (p, row) => one(p.geometry, { tone: 'bad', row, ring: true })),
  ],
  qc: (a) => many(a.findings, 'findings', (f, row) => one(f.place, { tone: f.level === 'error' ? 'bad' : 'ask', row, pin: true })),
  topology: (a) => many(a.findings, 'findings', (f, row) => one(f.geometry, { tone: f.level === 'error' ? 'bad' : 'ask', row, pin: true })),
  segments: (a) => many((a.worst ?? []).slice(0, 200), 'worst', (w, row) => one(w.geometry, { tone: 'shut', width: 8, share: 1 - Number(row.split('/')[1]) / 200, row })),
  difference: (a) => [...many(a.new, 'new', (n, row) => one(n.place, { tone: 'plain', width: 8, row })), ...many(a.changed, 'changed', (n, row) => one(n.place, { tone: 'ask', width: 8, row })), ...many(a.gone, 'gone', (n, row) => one(n.place, { tone: 'bad', width: 6, dash: true, row }))],
};

/** Every geometry that an answer of another kind holds. */
function any(v, out = [], row = null) {
  if (Array.isArray(v)) v.forEach((x) => any(x, out, row));
  else if (v && typeof v === 'object') {
    if (Array.isArray(v.coordinates) && typeof v.type === 'string') out.push({ type: 'Feature', geometry: v, properties: { tone: 'plain', row } });
    else Object.values(v).forEach((x) => any(x, out, row));
  }
  return out;
}

export const placed = (name, answer) => (answer ? (makers[name] ?? any)(answer) : []);

/** The place of a row: the first geometry in it, deepest last. */
export function placeOf(v) {
  if (!v || typeof v !== 'object') return null;
  if (Array.isArray(v.coordinates) && typeof v.type === 'string') return v;
  for (const x of Object.values(v)) {
    const found = placeOf(x);
    if (found) return found;
  }
  return null;
}

/** West, south, east, north of geometries in degrees. */
export function around(features) {
  const b = [Infinity, Infinity, -Infinity, -Infinity];
  const each = (c) => {
    if (typeof c[0] === 'number') {
      b[0] = Math.min(b[0], c[0]);
      b[1] = Math.min(b[1], c[1]);
      b[2] = Math.max(b[2], c[0]);
      b[3] = Math.max(b[3], c[1]);
    } else c.forEach(each);
  };
  features.forEach((f) => each(f.geometry.coordinates));
  return b[0] <= b[2] ? b : null;
}

/** A table as CSV, as a spreadsheet reads it. */
export const csv = (columns, rows) => '\ufeff' + [columns, ...rows].map((r) => r.map((c) => { const t = c === null || c === undefined ? '' : String(c); return /[",\n]/.test(t) ? `"${t.replaceAll('"', '""')}"` : t; }).join(',')).join('\r\n');

export function save(text, name, type) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
}
