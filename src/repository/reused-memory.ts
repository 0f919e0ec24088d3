/** Memory of some megabytes for one piece of work after the other. */
import { releaseMemory } from "../crypto/seal.ts";

export interface ReusedMemory {
  /** `sizeBytes` of it, with whatever lies there. Valid until it is asked for again. */
  take(sizeBytes: number): Buffer;
  /** Gives it back at once, and not when the collector comes round. */
  release(): void;
}

/**
 * Fresh memory is filled with zeros and handed out by the kernel page by page, which for a segment of WAL costs as
 * much as to encrypt it; and much dead memory outside the heap makes the collector look through all of the heap.
 */
export function reusedMemory(): ReusedMemory {
  let whole = Buffer.alloc(0);
  const release = () => {
    releaseMemory(whole);
    whole = Buffer.alloc(0);
  };
  return {
    take: (sizeBytes) => {
      if (sizeBytes > whole.length) {
        release();
        whole = Buffer.allocUnsafeSlow(sizeBytes);
      }
      return whole.subarray(0, sizeBytes);
    },
    release,
  };
}
