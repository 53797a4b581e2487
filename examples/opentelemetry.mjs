// Each operation of the library as a span of OpenTelemetry: import this file once, before the first call.
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { context, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('storpool-spopenstack');
const current = new AsyncLocalStorage();
const spans = new WeakMap();

for (const name of ['storpool:api', 'storpool:lock', 'storpool:attach', 'storpool:detach']) {
  const { start, asyncEnd } = tracingChannel(name);
  start.bindStore(current, (operation) => {
    // The operation around it, or else the span that is active in the caller.
    const parent = current.getStore() ?? trace.getActiveSpan();
    const span = tracer.startSpan(name, {}, parent && trace.setSpan(context.active(), parent));
    spans.set(operation, span);
    return span;
  });
  asyncEnd.subscribe((message) => {
    const operation = Object(message);
    const { error, ...attributes } = operation;
    const span = spans.get(operation);
    span?.setAttributes(attributes);
    if (error) span?.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
    span?.end();
  });
}
