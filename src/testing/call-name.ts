import type { Api } from '../api/api.js';

/** The name of one of the 19 calls, as `volumesReassign`. */
export type ApiCallName = Exclude<keyof Api, 'call'>;
