/** How far the stored oplog reaches in time: the last entry of its newest slice. */
import type { LogArchive } from "../../catalogue/catalogue.ts";
import { type Instant, instant } from "../../catalogue/instant.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext } from "../engine.ts";
import { entryMs, slicesOf } from "./oplog.ts";
import { fetchSlice } from "./slice-cover.ts";

/** Undefined when nothing is stored. */
export async function logReach(
  context: EngineContext,
  log: LogStore,
  archive: LogArchive,
): Promise<Instant | undefined> {
  const newest = slicesOf(archive).at(-1);
  if (newest === undefined) return undefined;
  const last = (await fetchSlice(context, log, newest))?.at(-1);
  return last === undefined ? undefined : instant(entryMs(last.entry));
}
