import { describe, expect, test } from 'vitest';
import { checkList, readReply } from '../../src/api/reply.js';
import { ApiError, ApiResponseError } from '../../src/index.js';
import { thrownBy } from './failure.js';

const read = (status: number, body: string | Buffer, secret = 'the-token') =>
  readReply({ status, body: Buffer.from(body) }, 'GET VolumesList', secret, 'host:81');
const HINT = '; are SP_API_HTTP_HOST and SP_API_HTTP_PORT the address of the StorPool API?';

describe('success', () => {
  test.each([[], {}, null, false, 0, '', 'text', [{ name: 'v' }]].map((data) => ({ data })))(
    'gives the data $data',
    ({ data }) => {
      expect(read(200, JSON.stringify({ generation: 3, data }))).toEqual(data);
    },
  );

  test('fields that a newer service adds are kept, whatever their names', () => {
    const data = read(200, '{"data":{"__proto__":{"a":1},"constructor":2},"more":[]}') as object;
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.entries(data)).toEqual([
      ['__proto__', { a: 1 }],
      ['constructor', 2],
    ]);
  });

  test('a byte order mark does no harm', () => {
    expect(read(200, '\uFEFF{"data":1}')).toBe(1);
  });
});

describe('refusals', () => {
  test('the error of the API with all that it says', () => {
    const reply = {
      generation: 7,
      error: { name: 'busy', descr: "Volume 'v' is open at client 1.", transient: true, more: [1] },
      autoName: null,
    };
    const error = thrownBy(() => read(409, JSON.stringify(reply)), ApiError);
    expect(error.name).toBe('ApiError');
    expect(error.status).toBe(409);
    expect(error.code).toBe('busy');
    expect(error.desc).toBe("Volume 'v' is open at client 1.");
    expect(error.transient).toBe(true);
    expect(error.json).toEqual(reply);
    expect(error.message).toBe("GET VolumesList: busy: Volume 'v' is open at client 1.");
  });

  test('an error counts with status 200 and beside data too', () => {
    const error = thrownBy(() => read(200, '{"data":[],"error":{"name":"x","descr":"y"}}'), ApiError);
    expect(error).toMatchObject({ status: 200, code: 'x', desc: 'y', transient: false });
  });

  test('an error that says nothing', () => {
    const error = thrownBy(() => read(500, '{"error":{}}'), ApiError);
    expect(error).toMatchObject({
      status: 500,
      code: '<Missing error name>',
      desc: '<Missing error description>',
      transient: false,
      message: 'GET VolumesList: <Missing error name>: <Missing error description>',
    });
  });

  test.each(['true', 1, 'yes', {}])('only true makes it transient, not %j', (transient) => {
    const error = thrownBy(() => read(500, JSON.stringify({ error: { name: 'n', transient } })), ApiError);
    expect(error.transient).toBe(false);
  });

  test('the members of an error are no text: the error is typed all the same', () => {
    const error = thrownBy(() => read(500, '{"error":{"name":5,"descr":["x"]}}'), ApiError);
    expect(typeof error.code).toBe('string');
    expect(typeof error.desc).toBe('string');
  });

  test('as a mock makes it', () => {
    const json = { error: { name: 'busy', descr: 'd' } };
    const error = new ApiError(409, json);
    expect(error.message).toBe('busy: d');
    expect(error.json).toBe(json);
    expect(error).toBeInstanceOf(Error);
  });
});

describe('what is not the API', () => {
  const html = '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n';
  test.each([
    ['HTML of a proxy', 502, html, 'is not JSON: "<html> <head><title>502 Bad Gateway</title></head> "'],
    ['HTML with status 200', 200, '<!doctype html>', 'is not JSON: "<!doctype html>"'],
    ['nothing', 200, '', 'is not JSON: (empty)'],
    ['cut JSON', 200, '{"data":[', 'is not JSON: "{\\"data\\":["'],
    ['two JSON texts', 200, '{"data":1}{"data":2}', 'is not JSON: "{\\"data\\":1}{\\"data\\":2}"'],
    ['a list', 200, '[{"data":1}]', 'is not a JSON object: "[{\\"data\\":1}]"'],
    ['null', 200, 'null', 'is not a JSON object: "null"'],
    ['a text', 200, '"data"', 'is not a JSON object: "\\"data\\""'],
    ['a number', 404, '5', 'is not a JSON object: "5"'],
    ['no data', 200, '{"generation":5}', 'has no data: "{\\"generation\\":5}"'],
    [
      'data by inheritance only',
      200,
      '{"__proto__":{"data":1}}',
      'has no data: "{\\"__proto__\\":{\\"data\\":1}}"',
    ],
  ])('%s', (_label, status, body, problem) => {
    const error = thrownBy(() => read(status, body), ApiResponseError);
    expect(error).toMatchObject({ name: 'ApiResponseError', code: 'EBADREPLY', status });
    expect(error.message).toBe(`GET VolumesList at host:81: the reply (status ${status}) ${problem}${HINT}`);
  });

  test.each([
    ['an error that is a string', 400, '{"error":"bad"}'],
    ['an error that is null', 200, '{"error":null,"data":1}'],
    ['an error that is a list', 200, '{"error":[]}'],
    ['data with another status', 201, '{"data":1}'],
    ['a redirection', 302, '{"data":1}'],
    ['nothing at all', 500, '{}'],
  ])('%s is an API error without a name and a description', (_label, status, body) => {
    expect(thrownBy(() => read(status, body), ApiError)).toMatchObject({
      status,
      code: '<Missing error name>',
      desc: '<Missing error description>',
      transient: false,
      json: JSON.parse(body),
      message: 'GET VolumesList: <Missing error name>: <Missing error description>',
    });
  });

  test('text that is not UTF-8', () => {
    const latin1 = Buffer.from('{"data":"caf\u00e9"}', 'latin1');
    const error = thrownBy(() => read(200, latin1), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      message: `GET VolumesList at host:81: the reply (status 200) is not JSON: "{\\"data\\":\\"caf\ufffd\\"}"${HINT}`,
    });
  });

  test('a long reply shows its beginning only', () => {
    const error = thrownBy(() => read(500, 'x'.repeat(1_000_000)), ApiResponseError);
    expect(error.message).toBe(
      `GET VolumesList at host:81: the reply (status 500) is not JSON: "${'x'.repeat(120)}"…${HINT}`,
    );
  });

  test('control characters do not reach the terminal', () => {
    const error = thrownBy(() => read(500, 'a\u001b[31mred\u0007\u009b1m\u202eb\r\n\tc'), ApiResponseError);
    expect(error.message).toBe(
      `GET VolumesList at host:81: the reply (status 500) is not JSON: "a [31mred 1m b c"${HINT}`,
    );
  });

  test('a megabyte of brackets is not JSON either', () => {
    const error = thrownBy(() => read(200, '['.repeat(1_000_000)), ApiResponseError);
    expect(error.code).toBe('EBADREPLY');
  });
});

describe('lists', () => {
  const check = (data: unknown) => () => checkList(data, 'name', 'GET VolumesList');

  test.each([[[]], [[{ name: 'v' }]], [[{ name: '' }, { name: 'w', size: 1 }]]])('%j is one', (data) => {
    expect(check(data)).not.toThrow();
  });

  test.each([{}, null, 'text', 5, { 0: { name: 'v' }, length: 1 }])('%j is none', (data) => {
    const error = thrownBy(check(data), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      status: 200,
      message: "GET VolumesList: the reply's data is not a list",
    });
  });

  test.each([null, 'v', 5, {}, { name: 5 }, { name: null }, [], { volume: 'v' }])(
    '%j is not an entry of one',
    (entry) => {
      const error = thrownBy(check([{ name: 'ok' }, entry]), ApiResponseError);
      expect(error).toMatchObject({
        code: 'EBADREPLY',
        status: 200,
        message: 'GET VolumesList: the reply\'s data has an entry without a "name" (entry 1)',
      });
    },
  );
});
