/** Looks at the source's change markers again and again; values are read only where there are no markers. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, WatchedPoint } from "../engine.ts";
import type { Api } from "./api.ts";
import { readKey } from "./documents.ts";
import { markersDigest, readAllMarkers } from "./export.ts";
import { newFingerprintKey } from "./fingerprint.ts";
import { openVault, settingsOf } from "./settings.ts";

/**
 * Tells how many things have changed, never which values. A machine that cannot read the newest point has
 * nothing to compare with and tells a change at its start.
 */
export async function watch(
  context: EngineContext,
  newest: WatchedPoint | undefined,
  onChange: (what: string) => void,
): Promise<void> {
  const { vault, pollMs } = settingsOf(context.policy);
  const api = vault === undefined ? undefined : await openVault(context);
  try {
    const known = newest === undefined ? undefined : await readKey(newest).catch(() => undefined);
    const key = known?.key ?? newFingerprintKey();
    let last = await look(context, api, key);
    if (newest !== undefined && known === undefined) onChange("the newest point cannot be compared with");
    else if (known !== undefined && last !== undefined && markersDigest(key, last) !== known.markers)
      onChange("the source has changed since the newest point");
    while (!context.signal.aborted) {
      await context.clock.wait(pollMs, context.signal).catch(() => undefined);
      if (context.signal.aborted) return;
      const now = await look(context, api, key);
      if (now === undefined) continue;
      const changed = last === undefined ? now.size : changes(last, now);
      if (changed > 0) onChange(`${changed} ${changed === 1 ? "thing has" : "things have"} changed`);
      last = now;
    }
  } finally {
    api?.close();
  }
}

/** Undefined while the source is away: the next look finds what has changed meanwhile. */
async function look(
  context: EngineContext,
  api: Api | undefined,
  key: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return await readAllMarkers(context, api, key);
  } catch (error) {
    if (context.signal.aborted) return undefined;
    if (!(error instanceof HoldfastError) || error.code !== "source-unreachable") throw error;
    context.log.warn("the source cannot be watched just now", {
      policy: context.policy.name,
      cause: error.message,
    });
    return undefined;
  }
}

function changes(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): number {
  return [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name))
    .length;
}
