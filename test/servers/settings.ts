/** Store settings as a policy repository would give them, for tests. */
import type { StoreSettings } from "../../src/policy/model.ts";

export function directorySettings(path: string, name = "folder"): StoreSettings {
  return {
    name,
    type: "directory",
    failureDomain: "here",
    endpoint: "",
    region: "",
    bucket: "",
    forcePathStyle: false,
    credentials: {},
    objectLock: { mode: "none", days: 0 },
    path,
  };
}

export function s3Settings(endpoint: string, bucket: string, name = "s3"): StoreSettings {
  return {
    ...directorySettings("", name),
    type: "s3",
    endpoint,
    region: "us-east-1",
    bucket,
    forcePathStyle: true,
  };
}
