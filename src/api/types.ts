export type * from './types/attachments.js';
export type * from './types/cluster.js';
export type * from './types/iscsi.js';
export type * from './types/snapshots.js';
export type * from './types/volumes.js';
