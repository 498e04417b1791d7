// The program's doors, as the screens use them.

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail ?? problem.title ?? String(status));
    this.code = problem.code;
    this.status = status;
  }
}

async function answer(response) {
  const json = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(json, response.status);
  return json;
}

export const get = (url) => fetch(url, { headers: { accept: 'application/json' } }).then(answer);

/** Writes carry a key, so that a request that is sent twice is done once. */
export const post = (url, body) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }, body: JSON.stringify(body) }).then(answer);

/** An analysis, as an OGC API process. Geometries are CRS84. */
export const run = (id, inputs) =>
  fetch(`/ogc/processes/${id}/execution`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ inputs }) }).then(answer);

/** The token comes in the address's fragment, which no server and no log ever sees; it is traded for a cookie and wiped. */
export async function signIn() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return true;
  history.replaceState(null, '', location.pathname + location.search);
  const response = await fetch('/api/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) });
  return response.ok;
}
