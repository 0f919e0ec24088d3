/** How a person restores a chain with the vendor's own programs, once its artifacts are decoded. */
import type { PointId } from "./manifest.ts";

export interface HandRecipe {
  /** What to decode first; `path` is relative to the target folder. */
  readonly decode: readonly { readonly point: PointId; readonly artifact: string; readonly path: string }[];
  /**
   * Shell commands in order, run by `sh -e` in the target folder. `$DIR` is that folder, absolute; `$PORT`
   * may be set to the port of the restored server, so `${PORT:-5432}` is how to use it.
   */
  readonly commands: readonly string[];
  /** What else a person must know: a fresh server, a password, the log. */
  readonly notes: readonly string[];
}
