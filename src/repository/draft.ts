/** One attempt at a point. Nothing of it is listed before its manifest is there, and that is written last. */
import { randomUUID } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { keys } from "../catalogue/keys.ts";
import type { PointId } from "../catalogue/manifest.ts";
import { HoldfastError } from "../errors.ts";
import { sha256 } from "./canonical.ts";
import { deletable, type RepositoryContext, writable } from "./context.ts";
import type { PointDraft } from "./repository.ts";
import { parseManifest } from "./schema.ts";
import { type DraftOptions, openSink } from "./sink.ts";

export async function openDraft(
  context: RepositoryContext,
  id: PointId,
  revision: string,
  options: DraftOptions = {},
): Promise<PointDraft> {
  const runId = randomUUID();
  const store = writable(context.stores);
  const sink = await openSink(context, id, runId, options);
  let committed = false;
  return {
    id,
    runId,
    sink,
    artifacts: sink.artifacts,
    commit: async (manifest) => {
      if (canonicalJson(manifest.artifacts) !== canonicalJson(sink.artifacts) || manifest.runId !== runId)
        throw new HoldfastError("manifest-invalid", `the manifest of '${id}' does not name what was stored`);
      if (manifest.revision !== revision)
        throw new HoldfastError("manifest-invalid", `the manifest of '${id}' names another revision`);
      const bytes = Buffer.from(canonicalJson(manifest));
      const { name: policy } = context.policy;
      // What we could not read back we do not write.
      parseManifest(bytes, { policy, cluster: context.cluster, id, prefix: context.prefix });
      const key = keys.manifest(context.prefix, id);
      if (!(await store.abilities()).ifAbsent && (await context.stores.read.head(key)) !== undefined)
        throw new HoldfastError("object-exists", `'${id}' has been committed by another run`);
      try {
        await store.put(key, bytes, { ifAbsent: true });
      } catch (error) {
        // The answer to a put of ours may have been lost and the put repeated.
        const there = await context.stores.read.get(key).catch(() => undefined);
        if (there === undefined || !Buffer.from(there.bytes).equals(bytes)) throw error;
      }
      committed = true;
      const stored = await context.stores.read.get(key);
      if (!Buffer.from(stored.bytes).equals(bytes))
        throw new HoldfastError("object-exists", `'${id}' has been committed by another run`);
      return sha256(bytes);
    },
    discard: async () => {
      if (committed) return;
      const left = sink.artifacts.flatMap((a) => a.objects.map((o) => o.key));
      // A tool that failed has left what nobody lists; it writes under the attempt's own prefix only.
      for (const place of sink.places)
        for await (const { key } of context.stores.read.list(place)) left.push(key);
      if (left.length > 0)
        await deletable({ ...context.stores, delete: context.stores.delete ?? store }).remove(left);
    },
  };
}
