/** How a bucket locks new objects by default. @see S3 API, GetObjectLockConfiguration */
import { HoldfastError } from "../errors.ts";
import type { S3Connection } from "./s3-connection.ts";
import { S3Failure } from "./s3-failure.ts";
import type { DefaultLock } from "./store.ts";

const none: DefaultLock = { mode: "none", days: 0 };
const daysOfYear = 365;

/** Undefined where this identity may not ask; a server that knows no locks has none. @throws store-unreachable */
export async function readDefaultLock(connection: S3Connection): Promise<DefaultLock | undefined> {
  try {
    const { ObjectLockConfiguration: found } = await connection.control(
      "asking for object lock",
      (sdk, client) =>
        client.send(
          new sdk.GetObjectLockConfigurationCommand({ Bucket: connection.bucket }),
          connection.sending,
        ),
    );
    const rule = found?.ObjectLockEnabled === "Enabled" ? found.Rule?.DefaultRetention : undefined;
    if (rule === undefined) return none;
    const days = rule.Days ?? (rule.Years ?? 0) * daysOfYear;
    return days > 0 ? { mode: rule.Mode === "COMPLIANCE" ? "compliance" : "governance", days } : none;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === "store-unreachable") throw error;
    const cause = error.cause instanceof S3Failure ? error.cause : undefined;
    return cause?.status === 403 ? undefined : none;
  }
}
