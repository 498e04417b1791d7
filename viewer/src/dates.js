// Dates as people here write them, whatever the browser's language is: 2026-01-20, and with a time 2026-01-20 14:00 (UTC+8).
// A day is a number of days since 1970-01-01.
const DAY = 86_400_000;

export const dayText = (day) => new Date(day * DAY).toISOString().slice(0, 10);

/** The day that a text says, or null. `2026-01-20` is what is asked for; `2026/1/20`, `2026年1月20日` and `20260120` are understood. */
export function parseDay(text) {
  const m = text.trim().match(/^(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))$/);
  if (!m) return null;
  const [y, month, d] = [m[1], m[2] ?? m[4], m[3] ?? m[5]].map(Number);
  const at = new Date(Date.UTC(y, month - 1, d));
  at.setUTCFullYear(y, month - 1, d);
  return at.getUTCFullYear() === y && at.getUTCMonth() === month - 1 && at.getUTCDate() === d ? Math.round(at / DAY) : null;
}

/** A moment on the city's clock, to the minute or the second. */
export function momentText(when, seconds = false) {
  const ms = typeof when === 'number' ? when : Date.parse(when);
  return Number.isFinite(ms) ? new Date(ms + 8 * 3_600_000).toISOString().slice(0, seconds ? 19 : 16).replace('T', ' ') : '–';
}
