export { advanceUntilSettled } from './advance.js';
export type { ApiCallName } from './call-name.js';
export type { FakeAttachment, FakeClusterOptions, FakeObject, FakeState } from './cluster/cluster.js';
export type { FakeFailure } from './failures.js';
export { fakeDevice } from './fake-device.js';
export { FakeStorPool, type FakeStorPoolOptions } from './fake-storpool.js';
export type { FakeCall, FakeHandler } from './handlers/custom.js';
export type { FakeError } from './refusal.js';
export type { FakeReply, FakeRequest } from './server.js';
