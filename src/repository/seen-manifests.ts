/**
 * Remembers on this machine which manifests a store has listed. A listing that has lost one without saying so
 * is then noticed by the next process too, and nothing is deleted on the strength of it.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJson } from "../json-file.ts";
import type { RepositoryContext } from "./context.ts";

/** Manifest key to the instant from which its removal is rightful; null while nobody has marked it. */
type Seen = Readonly<Record<string, number | null>>;

export interface SeenManifests {
  /** Keys that were there and are gone without a mark whose grace has passed. Remembers `listed`. */
  compare(listed: ReadonlySet<string>, marked: ReadonlyMap<string, number>): Promise<readonly string[]>;
  forget(key: string): void;
}

type Place = Pick<RepositoryContext, "cacheDirectory" | "clock" | "cluster" | "prefix"> & {
  readonly policy: { readonly name: string };
  readonly settings: { readonly name: string };
};

export function openSeenManifests(context: Place): SeenManifests {
  const { cacheDirectory, policy, settings, clock } = context;
  const name = encodeURIComponent(`${context.cluster} ${settings.name} ${context.prefix} ${policy.name}`);
  const path = cacheDirectory === undefined ? undefined : join(cacheDirectory, `${name}.seen.json`);
  let seen: Map<string, number | null> | undefined;
  let written = "";

  const load = async (): Promise<Map<string, number | null>> => {
    const stored = path === undefined ? undefined : await readJson<Seen>(path);
    return new Map(Object.entries(stored ?? {}));
  };

  return {
    forget: (key) => {
      // Marked as removed rather than dropped: the file may be written by another process meanwhile.
      seen?.set(key, 0);
    },
    compare: async (listed, marked) => {
      // Another process may have seen more, or have noted a mark that is gone by now.
      const stored = await load();
      const before = new Map([...(seen ?? []), ...stored]);
      for (const [key, notBeforeMs] of seen ?? []) if (notBeforeMs !== null) before.set(key, notBeforeMs);
      const nowMs = clock.nowMs();
      const next = new Map<string, number | null>();
      const lost: string[] = [];
      for (const [key, notBeforeMs] of before) {
        if (listed.has(key)) continue;
        if (notBeforeMs !== null && notBeforeMs <= nowMs) continue;
        lost.push(key);
        next.set(key, notBeforeMs);
      }
      for (const key of listed) next.set(key, marked.get(key) ?? null);
      seen = next;
      const text = JSON.stringify([...next]);
      if (path !== undefined && cacheDirectory !== undefined && text !== written) {
        await mkdir(cacheDirectory, { recursive: true });
        await writeJson(path, Object.fromEntries(next));
        written = text;
      }
      return lost.sort();
    },
  };
}
