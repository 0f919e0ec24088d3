/**
 * The method `clickhouse-backup`: the tool runs beside the server, because it links the server's own files,
 * and uploads by itself. Each point gets a bucket path of its own, so keeping and expiring stay with the
 * policy's retention and the tool's own `backups_to_keep_remote` is switched off; its increments need one
 * common path, so with this method every point is a full one.
 * @see https://github.com/Altinity/clickhouse-backup, "Configurable parameters"
 */
import type { ToolPlace } from "../../catalogue/artifact.ts";
import type { PointId } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { rememberSecret } from "../../secret.ts";
import type { EngineContext } from "../engine.ts";
import { findTool } from "../vendor-tool.ts";
import type { Connection } from "./connection.ts";

export const toolName = "clickhouse-backup";

/** @throws tool-missing */
export async function toolOf(context: EngineContext): Promise<string> {
  const hint =
    "install it beside the server, name its folder in capture.options.toolDirectory, or use capture.method: native";
  return findTool(context, toolName, { hint });
}

/** @throws tool-failed */
export async function toolVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run({ argv: [path, "--version"] }, { deadlineMs: 10_000 });
  return /Version:\s*(\S+)/i.exec(stdout)?.[1] ?? stdout.trim().split("\n")[0] ?? "";
}

export function backupName(id: PointId): string {
  return `holdfast-${id}`;
}

/**
 * One command of the tool against `connection`'s server and `place`. Its settings go by environment, which wins
 * over its file: no secret is an argument.
 * @throws usage for a folder store; tool-failed with its last words
 */
export async function runTool(
  context: EngineContext,
  connection: Connection,
  place: ToolPlace,
  words: readonly string[],
  nativePort?: number,
): Promise<void> {
  if (place.kind !== "s3") {
    throw new HoldfastError("usage", "clickhouse-backup needs a store of type s3", {
      hint: "use capture.method: native for a folder store",
    });
  }
  rememberSecret(place.secretAccessKey);
  const { keepLocal, configFile } = context.policy.capture.options;
  const port = nativePort ?? context.policy.connection["nativePort"];
  const env = {
    REMOTE_STORAGE: "s3",
    S3_BUCKET: place.bucket,
    S3_PATH: place.keyPrefix.replace(/\/$/, ""),
    S3_REGION: place.region || "us-east-1",
    S3_FORCE_PATH_STYLE: String(place.forcePathStyle),
    S3_ACCESS_KEY: place.accessKeyId,
    S3_SECRET_KEY: place.secretAccessKey,
    ...(place.endpoint === "" ? {} : { S3_ENDPOINT: place.endpoint }),
    ...(place.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: place.sessionToken }),
    BACKUPS_TO_KEEP_REMOTE: "0",
    BACKUPS_TO_KEEP_LOCAL: String(typeof keepLocal === "number" && keepLocal > 0 ? keepLocal : -1),
    CLICKHOUSE_HOST: connection.host,
    CLICKHOUSE_USERNAME: connection.user,
    CLICKHOUSE_PASSWORD: connection.password,
    ...(connection.isTls ? { CLICKHOUSE_SECURE: "true" } : {}),
    ...(typeof port === "number" ? { CLICKHOUSE_PORT: String(port) } : {}),
  };
  const { deadlineMs } = context.policy;
  const config = typeof configFile === "string" ? ["--config", configFile] : [];
  await context.exec.run(
    { argv: [await toolOf(context), ...config, ...words], env },
    { signal: context.signal, ...(deadlineMs > 0 ? { deadlineMs } : {}) },
  );
}
