export {
  Api,
  type ApiCallOptions,
  type ApiOptions,
  type ApiRawCallOptions,
  type AttachmentsListOptions,
} from './api/api.js';
export { ApiArgumentError } from './api/api-argument-error.js';
export { ApiConnectionError } from './api/api-connection-error.js';
export { ApiError, type ApiErrorReply } from './api/api-error.js';
export { ApiResponseError, type ApiResponseErrorCode } from './api/api-response-error.js';
export type * from './api/types.js';
export { AttachDB } from './attach-db.js';
export type { AttachDBApi, Named } from './attach-db-api.js';
export type { AttachDBOptions, Logger, SyncOptions } from './attach-db-options.js';
export { AttachError, type AttachErrorCode } from './attach-error.js';
export type { AttachRequest, AttachRequestFields, Rights } from './attach-request.js';
export { SPConfig, type SPConfigOptions } from './config/sp-config.js';
export { SPConfigError, type SPConfigErrorOptions } from './config/sp-config-error.js';
export { type DeviceWaitOptions, waitForDevices } from './devices.js';
export type { ApiEvent, AttachEvent, DetachEvent, DiagnosticsEvents, LockEvent } from './diagnostics.js';
export type { LockOptions } from './store/lock-options.js';
export { SPLockedFile, type WithLockOptions } from './store/sp-locked-file.js';
export { SPLockedFileError, type SPLockedFileErrorCode } from './store/sp-locked-file-error.js';
export { SPLockedJSONDB } from './store/sp-locked-json-db.js';
export type { AttachmentState, DetachPlan, SyncPlan, WantedVolume } from './sync-plan.js';
export type { AttachedVolume, KeptVolume, SyncReport } from './sync-report.js';
