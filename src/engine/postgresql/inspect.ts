/** Level 3: decode every artifact of the chain and let pg_verifybackup judge. No server is started. */
import { rm } from "node:fs/promises";
import type { Check } from "../../catalogue/manifest.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { fetchWal } from "./fetch-wal.ts";
import { unpack } from "./unpack.ts";

export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  try {
    const { checks } = await unpack(context, request);
    const wal = await fetchWal(
      context,
      { ...request, target: { kind: "point" } },
      `${request.directory}/wal`,
    );
    return wal.segmentsCount === 0
      ? checks
      : [...checks, { name: "WAL of the point", ok: true, detail: `${wal.segmentsCount} segments decoded` }];
  } finally {
    await rm(request.directory, { recursive: true, force: true });
  }
}
