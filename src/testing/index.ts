export type { ApiCallName } from './call-name.js';
export type { FakeAttachment, FakeClusterOptions, FakeObject, FakeState } from './cluster.js';
export {
  type FakeRequest,
  FakeStorPool,
  type FakeStorPoolOptions,
} from './fake-storpool.js';
export type { FakeError, FakeFailure } from './refusal.js';
