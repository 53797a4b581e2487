/** What the code blocks of the pages take from the text around them, and from vitest: declared for all of them. */
export const CONTEXT = `
import type * as lib from 'storpool-spopenstack';
import type * as testing from 'storpool-spopenstack/testing';
import type * as vitest from 'vitest';
declare global {
  const AttachDB: typeof lib.AttachDB;
  const ApiError: typeof lib.ApiError;
  const FakeStorPool: typeof testing.FakeStorPool;
  const fakeDevice: typeof testing.fakeDevice;
  const advanceUntilSettled: typeof testing.advanceUntilSettled;
  const test: typeof vitest.test;
  const expect: typeof vitest.expect;
  const vi: typeof vitest.vi;
  const db: lib.AttachDB;
  const destination: lib.AttachDB;
  const source: lib.AttachDB;
  const records: Map<string, lib.AttachRequest>;
  const report: (error: unknown) => void;
  const keyFile: string;
  const deviceDir: string;
  const fname: string;
  const reqId: string;
  const volume: string;
  const volumeId: string;
}
`;

/** The part of the package @opentelemetry/api that an example needs. */
export const OPENTELEMETRY = `
declare module '@opentelemetry/api' {
  interface Context { readonly brand: 'context' }
  export interface Span {
    setAttributes(attributes: Record<string, unknown>): Span;
    setStatus(status: { code: SpanStatusCode; message?: string }): Span;
    end(): void;
  }
  export enum SpanStatusCode { UNSET, OK, ERROR }
  export const context: { active(): Context };
  export const trace: {
    getTracer(name: string): { startSpan(name: string, options?: object, context?: Context): Span };
    getActiveSpan(): Span | undefined;
    setSpan(context: Context, span: Span): Context;
  };
}
`;
