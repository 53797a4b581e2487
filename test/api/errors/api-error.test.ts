import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readReply } from '../../../src/api/reply.js';
import { isTransient } from '../../../src/api/retry.js';
import { ApiError, type ApiErrorReply, ApiResponseError } from '../../../src/index.js';
import { thrownBy } from '../failure.js';

const refuse = (reply: unknown, secret: string) => {
  const body = Buffer.from(JSON.stringify(reply));
  return thrownBy(() => readReply({ status: 404, body }, 'GET Volume/v', secret, 'host:81'), ApiError);
};

describe('a token that is part of other words', () => {
  const reply = {
    error: { name: 'objectDoesNotExist', descr: "Volume 't' does not exist", transient: true },
    generation: 17,
  };

  test('changes nothing that programs read', () => {
    const error = refuse(reply, 't');
    expect(error.code).toBe('objectDoesNotExist');
    expect(error.desc).toBe("Volume 't' does not exist");
    expect(error.transient).toBe(true);
    expect(isTransient(error)).toBe(true);
    expect(error.json).toEqual(reply);
    expect(error.json.error?.name).toBe('objectDoesNotExist');
    expect(refuse({ error: { name: 'busy', descr: 'it is open at client 1' } }, 'open').isOpen).toBe(true);
  });

  test('is hidden from what people read', () => {
    const error = refuse(reply, 'Exist');
    expect(error.message).toBe("GET Volume/v: objectDoesNot[hidden]: Volume 't' does not exist");
    for (const text of [
      inspect(error),
      JSON.stringify(error),
      JSON.stringify(error.json),
      inspect(error.json),
    ]) {
      expect(text).not.toContain('Exist');
      expect(text).toContain('[hidden]');
    }
  });
});

test('a refusal as JSON has the whole reply', () => {
  const json = { error: { name: 'busy', descr: 'd' }, generation: 5 };
  expect(JSON.parse(JSON.stringify(new ApiError(409, json, 'POST X')))).toEqual({
    name: 'ApiError',
    status: 409,
    transient: false,
    json,
  });
});

describe('where the service says nothing', () => {
  test.each([{}, { error: {} }, { error: { name: 5, descr: ['x'] } }])(
    '%j has the name of the reference',
    (json) => {
      const error = new ApiError(500, json as ApiErrorReply);
      expect(error).toMatchObject({ code: '<Missing error name>', desc: '<Missing error description>' });
      expect(error.message).toBe('<Missing error name>: <Missing error description>');
    },
  );
});

describe('a reply of five thousand levels', () => {
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  const read = (body: string) => () =>
    readReply({ status: 200, body: Buffer.from(body) }, 'GET X', 'token', 'host:81');

  test.each([
    `{"error":{"name":"n","descr":"d","more":${deep}}}`,
    `{"error":{"name":"n","descr":"d"},"more":{"a":${deep}}}`,
  ])('as an error is not what the API sends', (body) => {
    const error = thrownBy(read(body), ApiResponseError);
    expect(error.code).toBe('EBADREPLY');
    expect(error.message).toContain('has an error that is nested deeper than 100 levels');
  });

  test('as a result is given as it is', () => {
    expect(read(`{"data":${deep}}`)()).toBeInstanceOf(Array);
  });
});
