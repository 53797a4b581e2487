import { ApiError, type ApiErrorReply } from './errors/api-error.js';
import { ApiResponseError } from './errors/api-response-error.js';
import type { HttpReply } from './transport.js';

const EXCERPT_LENGTH = 120;
const HIDDEN = '[hidden]';

/**
 * The `data` of a reply.
 *
 * @param what - names the call in errors
 * @param secret - must not show in any error, should the server send it back
 * @param where - who answered
 * @throws {@link ApiError} when the API refuses, {@link ApiResponseError} when it is not the API that speaks.
 */
export function readReply({ status, body }: HttpReply, what: string, secret: string, where: string): unknown {
  const hide = (text: string) => hideSecret(text, secret);
  const bad = (problem: string, cause?: unknown) =>
    new ApiResponseError(
      'EBADREPLY',
      `${what} at ${where}: the reply (status ${status}) ${problem}: ${excerpt(hide(body.toString('utf8')))}; do SP_API_HTTP_HOST and SP_API_HTTP_PORT lead to the StorPool API?`,
      status,
      { cause },
    );

  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    json = JSON.parse(text);
  } catch {
    // The parser's own message would quote the reply, and with it perhaps the token.
    throw bad('is not JSON');
  }
  if (!isObject(json)) throw bad('is not a JSON object');
  if (Object.hasOwn(json, 'error')) {
    if (!isObject(json['error'])) throw bad('has an error that is not an object');
    throw new ApiError(status, hideIn(json, secret) as ApiErrorReply, what);
  }
  if (status !== 200) throw bad('has neither status 200 nor an error');
  if (!Object.hasOwn(json, 'data')) throw bad('has no data');
  return json['data'];
}

/**
 * Checks that a result is a list of objects with the string member that callers go by.
 *
 * @throws {@link ApiResponseError}
 */
export function checkList(data: unknown, member: string, what: string): void {
  const bad = (problem: string) =>
    new ApiResponseError('EBADREPLY', `${what}: the reply's data ${problem}`, 200);
  if (!Array.isArray(data)) throw bad('is not a list');
  for (const [at, item] of data.entries()) {
    if (!isObject(item) || typeof item[member] !== 'string') {
      throw bad(`has an entry without a "${member}" (entry ${at})`);
    }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As it is, and as JSON spells it. */
function hideSecret(text: string, secret: string): string {
  return text.replaceAll(JSON.stringify(secret).slice(1, -1), HIDDEN).replaceAll(secret, HIDDEN);
}

/** The same JSON, without the secret in any text, name or number. */
function hideIn(value: unknown, secret: string): unknown {
  if (typeof value === 'string') return hideSecret(value, secret);
  if (typeof value === 'number') return String(value).includes(secret) ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => hideIn(item, secret));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [hideSecret(name, secret), hideIn(member, secret)]),
  );
}

function excerpt(text: string): string {
  if (text === '') return '(empty)';
  const start = text.slice(0, EXCERPT_LENGTH).replaceAll(/[^\P{C} ]+/gu, ' ');
  return JSON.stringify(start) + (text.length > EXCERPT_LENGTH ? '…' : '');
}
