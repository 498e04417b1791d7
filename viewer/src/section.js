// A section box as the page has it: metres along its own axes from its centre, the second axis turned `heading_deg` from north.
// No geometry of the city here: a box is eight corners.
const A = 6_378_137.0;
const E2 = 0.006_694_379_990_14;

/** Metres of a degree of longitude and of latitude. */
function perDegree(lat_deg) {
  const lat = (lat_deg * Math.PI) / 180;
  const w = 1 - E2 * Math.sin(lat) ** 2;
  const degree = Math.PI / 180;
  return [(A / Math.sqrt(w)) * Math.cos(lat) * degree, ((A * (1 - E2)) / w ** 1.5) * degree];
}
/** A place of the box, metres along its axes, as longitude, latitude and height. */
export function placeIn(box, [x, y, z]) {
  const t = (box.heading_deg * Math.PI) / 180;
  const [east, north] = [x * Math.cos(t) + y * Math.sin(t), y * Math.cos(t) - x * Math.sin(t)];
  const [lon, lat] = perDegree(box.centre[1]);
  return [box.centre[0] + east / lon, box.centre[1] + north / lat, box.centre[2] + z];
}
export const faces = [0, 1, 2].flatMap((axis) => ['low_m', 'high_m'].map((side) => ({ axis, side, name: `${['west', 'south', 'bottom'][axis]}/${['east', 'north', 'top'][axis]}`.split('/')[side === 'low_m' ? 0 : 1] })));
/** The middle of a face, and a metre further along its axis. */
export function middleOf(box, { axis, side }, further = 0) {
  const p = [0, 1, 2].map((k) => (box.low_m[k] + box.high_m[k]) / 2);
  p[axis] = box[side][axis] + further;
  return placeIn(box, p);
}
/** Longitude and latitude as metres along the box's own axes. */
export function placeOut(box, [lon, lat]) {
  const [mx, my] = perDegree(box.centre[1]);
  const [east, north] = [(lon - box.centre[0]) * mx, (lat - box.centre[1]) * my];
  const t = (box.heading_deg * Math.PI) / 180;
  return [east * Math.cos(t) - north * Math.sin(t), north * Math.cos(t) + east * Math.sin(t)];
}
export const LEAST_M = 0.5;
export const MOST_CORNERS = 24;
/** Whether a ring of corners encloses a plan without crossing itself. */
export function encloses(ring) {
  const n = ring.length;
  if (n < 3 || n > MOST_CORNERS) return false;
  const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  const side = (i) => [ring[i], ring[(i + 1) % n]];
  let area = 0;
  for (let i = 1; i < n - 1; i++) area += turn(ring[0], ring[i], ring[i + 1]);
  for (let i = 0; i < n; i++) for (let j = i + 2; j < n; j++) {
    if ((j + 1) % n === i) continue;
    const [[a, b], [c, d]] = [side(i), side(j)];
    if (!(turn(a, b, c) * turn(a, b, d) > 0 || turn(c, d, a) * turn(c, d, b) > 0)) return false;
  }
  return Math.abs(area) >= 0.01;
}
/** The box over these corners, m along its axes; its bounds are theirs. None where they enclose nothing. */
export function outlined(box, corners) {
  const outline = corners.map((c) => c.map((v) => Math.round(v * 100) / 100));
  if (!encloses(outline)) return null;
  const bound = (f) => [0, 1].map((k) => f(...outline.map((c) => c[k])));
  return { ...box, low_m: [...bound(Math.min), box.low_m[2]], high_m: [...bound(Math.max), box.high_m[2]], outline };
}
/** Over places that were pointed at, `[lon, lat, height]`. */
export function over(places, box) {
  const mean = [0, 1, 2].map((k) => places.reduce((sum, p) => sum + p[k], 0) / places.length);
  const foot = Math.min(...places.map((p) => p[2]));
  const centre = place([mean[0], mean[1], foot]);
  const top = Math.max(round(box ? box.centre[2] + box.high_m[2] - foot : 60), 6);
  const blank = { centre, heading_deg: 0, low_m: [0, 0, -6], high_m: [0, 0, top], outside: box?.outside ?? false };
  return outlined(blank, places.map((p) => placeOut(blank, p)));
}
/** The box with one face moved, never past the one opposite. */
export function moved(box, { axis, side }, to) {
  const next = { ...box, low_m: [...box.low_m], high_m: [...box.high_m] };
  const at = Math.round(to * 100) / 100;
  next[side][axis] = side === 'low_m' ? Math.min(at, box.high_m[axis] - LEAST_M) : Math.max(at, box.low_m[axis] + LEAST_M);
  return next;
}
const round = (v) => Math.round(v * 100) / 100;
/** A place as an address writes it. */
const place = (p) => p.map((v, i) => Number(v.toFixed(i < 2 ? 7 : 2)));
/** Around a body, or around a place that is looked at from a distance. */
export const around = (extent) => {
  const [h, half] = [extent.middle[2], round(extent.radius_m * 0.8 + 2)];
  return { centre: place(extent.middle), heading_deg: 0, low_m: [-half, -half, round(extent.low_m - h - 6)], high_m: [half, half, round(extent.high_m - h + 3)], outside: false };
};
export const ahead = (camera) => {
  const half = round(Math.min(400, Math.max(6, camera.distance_m * 0.16)));
  return { centre: place(camera.target), heading_deg: 0, low_m: [-half, -half, -6], high_m: [half, half, round(Math.min(120, Math.max(6, half)))], outside: false };
};
export const text = (box) => [...box.centre.map((v, i) => v.toFixed(i < 2 ? 7 : 2)), box.heading_deg, ...box.low_m, ...box.high_m, box.outside ? 'out' : 'in', ...(box.outline ?? []).flat()].join(',');
export function parse(words) {
  const parts = words?.split(',') ?? [];
  const n = parts.slice(0, 10).map(Number);
  const ends = parts.slice(11).map(Number);
  if (parts.length < 11 || ends.length % 2 || ![...n, ...ends].every(Number.isFinite)) return null;
  const box = { centre: n.slice(0, 3), heading_deg: n[3], low_m: n.slice(4, 7), high_m: n.slice(7, 10), outside: parts[10] === 'out' };
  if (ends.length) box.outline = Array.from({ length: ends.length / 2 }, (_, i) => ends.slice(2 * i, 2 * i + 2));
  return [0, 1, 2].every((k) => box.high_m[k] > box.low_m[k]) && (!box.outline || encloses(box.outline)) ? box : null;
}
/** The direction of the nearest stretch of these lines, degrees from north, −45 to 45. */
export function along(features, [lon, lat]) {
  const [mx, my] = perDegree(lat);
  let best = null;
  for (const f of features) for (const line of f.geometry.type === 'MultiLineString' ? f.geometry.coordinates : [f.geometry.coordinates]) {
    for (let i = 1; i < line.length; i++) {
      const [a, b] = [line[i - 1], line[i]].map((p) => [(p[0] - lon) * mx, (p[1] - lat) * my]);
      const d = [b[0] - a[0], b[1] - a[1]];
      const length2 = d[0] ** 2 + d[1] ** 2;
      if (!length2) continue;
      const s = Math.min(1, Math.max(0, -(a[0] * d[0] + a[1] * d[1]) / length2));
      const far = Math.hypot(a[0] + d[0] * s, a[1] + d[1] * s);
      if (!best || far < best.far) best = { far, angle: (Math.atan2(d[0], d[1]) * 180) / Math.PI };
    }
  }
  if (!best) return null;
  const quarter = ((best.angle % 90) + 90) % 90;
  return round(quarter > 45 ? quarter - 90 : quarter);
}
