import type { Api } from '../api/api.js';

/** The name of one of the declared calls, for example `volumesReassign`. */
export type ApiCallName = Exclude<keyof Api, 'call'>;
