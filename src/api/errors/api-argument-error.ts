/**
 * An argument that must not reach the StorPool API: an invalid name, a reassignment that contradicts itself,
 * or a port that is not a number. Nothing was sent.
 *
 * Reference: `storpool.spcatch.InvalidArgumentError`.
 */
export class ApiArgumentError extends TypeError {
  /** The name of the class. */
  override readonly name = 'ApiArgumentError';
  /** Always `EINVAL`. */
  readonly code = 'EINVAL';
}
