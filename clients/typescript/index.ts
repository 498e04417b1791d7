import createClient from 'openapi-fetch';
import type { paths } from './strata.d.ts';

/** Every door of a city, typed; the token goes into the header of each request and nowhere else. */
export const strata = (url: string, token: string) =>
  createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${token}` } });
