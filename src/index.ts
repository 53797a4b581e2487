export { Api } from './api/api.js';
export { ApiArgumentError } from './api/errors/api-argument-error.js';
export { ApiConnectionError } from './api/errors/api-connection-error.js';
export { ApiError, type ApiErrorReply } from './api/errors/api-error.js';
export { ApiResponseError, type ApiResponseErrorCode } from './api/errors/api-response-error.js';
export type { AllClustersOptions, ApiCallOptions, ApiOptions, ApiRawCallOptions } from './api/options.js';
export type * from './api/types.js';
export { AttachDB } from './attach/attach-db.js';
export { AttachError, type AttachErrorCode } from './attach/attach-error.js';
export { type DeviceWaitOptions, waitForDevices } from './attach/devices.js';
export type { AttachmentState } from './attach/identity.js';
export type {
  AttachDBApi,
  AttachDBOptions,
  CallOptions,
  DetachOptions,
  Force,
  Logger,
  Named,
} from './attach/options.js';
export type { DetachPlan, SyncPlan, WantedVolume } from './attach/plan.js';
export type {
  Attached,
  AttachedVolume,
  Detached,
  KeptVolume,
  OwnRequest,
  SyncReport,
} from './attach/report.js';
export {
  type AttachRequest,
  type AttachRequestFields,
  checkRequest,
  type Rights,
} from './attach/request.js';
export { type HostStatus, VERDICTS, type Verdict, type VolumeStatus } from './attach/status.js';
export { SPConfig, type SPConfigOptions } from './config/sp-config.js';
export { SPConfigError, type SPConfigErrorOptions } from './config/sp-config-error.js';
export type { ApiEvent, AttachEvent, DetachEvent, DiagnosticsEvents, LockEvent } from './observe/tracing.js';
export { describeHolder } from './store/lock-holder.js';
export type { LockOptions } from './store/lock-options.js';
export { SPLockedFile, type WithLockOptions } from './store/sp-locked-file.js';
export { SPLockedFileError, type SPLockedFileErrorCode } from './store/sp-locked-file-error.js';
export { SPLockedJSONDB } from './store/sp-locked-json-db.js';
