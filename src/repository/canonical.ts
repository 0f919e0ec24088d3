/** The hash by which everything in the store is known. */
import { createHash } from "node:crypto";

/** Lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
