/** A store in an S3 bucket. */
import { HoldfastError } from "../errors.ts";
import type { StoreSettings } from "../policy/model.ts";
import type { Store, StoreRole } from "./store.ts";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** @throws not-built-yet */
export function openS3Store(_settings: StoreSettings, _role: StoreRole, _credentials: S3Credentials): Store {
  throw new HoldfastError("not-built-yet", "stores of type s3 are not built yet");
}
