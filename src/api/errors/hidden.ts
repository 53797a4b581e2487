import { inspect } from 'node:util';

const HIDDEN = '[hidden]';

/** The string without the secret, whether plain or escaped as in JSON. */
export function hideIn(text: string, secret: string): string {
  return text.replaceAll(JSON.stringify(secret).slice(1, -1), HIDDEN).replaceAll(secret, HIDDEN);
}

/** The same JSON without the secret in any string, name or number. */
function hideInJson(value: unknown, secret: string): unknown {
  if (typeof value === 'string') return hideIn(value, secret);
  if (typeof value === 'number') return String(value).includes(secret) ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => hideInJson(item, secret));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value);
  return Object.fromEntries(
    members.map(([name, member]) => [hideIn(name, secret), hideInJson(member, secret)]),
  );
}

/** Hides the secret from `JSON.stringify` and `util.inspect`; programs still read the value itself. */
export function hideFromReaders(value: object, secret: string): void {
  const shown = { value: () => hideInJson({ ...value }, secret) };
  Object.defineProperties(value, { toJSON: shown, [inspect.custom]: shown });
}
