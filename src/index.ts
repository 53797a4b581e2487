export { Api, type ApiCallOptions, type ApiOptions, type ApiRawCallOptions } from './api/api.js';
export { ApiArgumentError } from './api/api-argument-error.js';
export { ApiConnectionError } from './api/api-connection-error.js';
export { ApiError, type ApiErrorReply } from './api/api-error.js';
export { ApiResponseError, type ApiResponseErrorCode } from './api/api-response-error.js';
export type * from './api/types.js';
export {
  AttachDB,
  type AttachDBOptions,
  type AttachedVolume,
  type KeptVolume,
  type Logger,
  type SyncOptions,
  type SyncReport,
} from './attach-db.js';
export type { AttachDBApi } from './attach-db-api.js';
export { AttachError, type AttachErrorCode } from './attach-error.js';
export type { AttachRequest, Rights } from './attach-request.js';
export { SPConfig, type SPConfigOptions } from './config/sp-config.js';
export { SPConfigError, type SPConfigErrorOptions } from './config/sp-config-error.js';
export type { LockOptions } from './store/lock-options.js';
export { SPLockedFile, type WithLockOptions } from './store/sp-locked-file.js';
export { SPLockedFileError, type SPLockedFileErrorCode } from './store/sp-locked-file-error.js';
export { SPLockedJSONDB } from './store/sp-locked-json-db.js';
export type { AttachmentState, DetachPlan, SyncPlan, WantedVolume } from './sync-plan.js';
