import { ApiError, type ApiErrorReply } from './errors/api-error.js';
import { ApiResponseError } from './errors/api-response-error.js';
import { hideIn } from './errors/hidden.js';
import type { HttpReply } from './transport.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });
const EXCERPT_LENGTH = 120;
/** Levels of lists and objects in an error reply. Real ones have three. */
const DEEPEST_ERROR = 100;

/**
 * The `data` of a reply.
 *
 * @param what - names the call in errors
 * @param secret - never shown in an error, even if the server sends it back
 * @param where - who answered
 * @throws {@link ApiError} when the API refuses, {@link ApiResponseError} when something other than the API replies.
 */
export function readReply({ status, body }: HttpReply, what: string, secret: string, where: string): unknown {
  const bad = (problem: string) =>
    new ApiResponseError(
      'EBADREPLY',
      `${what} at ${where}: the reply (status ${status}) ${problem}: ${excerpt(hideIn(body.toString('utf8'), secret))}; are SP_API_HTTP_HOST and SP_API_HTTP_PORT the address of the StorPool API?`,
      status,
    );

  let json: unknown;
  try {
    json = JSON.parse(UTF8.decode(body));
  } catch {
    // The parser's own message would quote the reply, and with it perhaps the token.
    throw bad('is not JSON');
  }
  if (!isObject(json)) throw bad('is not a JSON object');
  if (status !== 200 || Object.hasOwn(json, 'error')) {
    if (isDeeper(json, DEEPEST_ERROR))
      throw bad(`has an error that is nested deeper than ${DEEPEST_ERROR} levels`);
    throw new ApiError(status, json as ApiErrorReply, what, secret);
  }
  if (!Object.hasOwn(json, 'data')) throw bad('has no data');
  return json['data'];
}

/**
 * Checks that a result is a list of objects with the string member that callers rely on.
 *
 * @throws {@link ApiResponseError}
 */
export function checkList(data: unknown, member: string, what: string): void {
  const bad = (problem: string) =>
    new ApiResponseError('EBADREPLY', `${what}: the reply's data ${problem}`, 200);
  if (!Array.isArray(data)) throw bad('is not a list');
  const at = data.findIndex((item) => typeof item?.[member] !== 'string');
  if (at >= 0) throw bad(`has an entry without a "${member}" (entry ${at})`);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether lists and objects are nested deeper than that many levels. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

function excerpt(text: string): string {
  if (text === '') return '(empty)';
  const start = text.slice(0, EXCERPT_LENGTH).replaceAll(/[^\P{C} ]+/gu, ' ');
  return JSON.stringify(start) + (text.length > EXCERPT_LENGTH ? '…' : '');
}
