/**
 * An argument that must not reach the StorPool API: a name that cannot be one, a reassignment that contradicts
 * itself, a port that is not a number. Nothing was sent.
 *
 * Reference: `storpool.spcatch.InvalidArgumentError`.
 */
export class ApiArgumentError extends TypeError {
  /** The name of the class. */
  override readonly name = 'ApiArgumentError';
  /** Always `EINVAL`. */
  readonly code = 'EINVAL';
}
