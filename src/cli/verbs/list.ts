import type { Catalogue } from "../../catalogue/catalogue.ts";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import type { World } from "../../operate/world.ts";
import type { Policy } from "../../policy/model.ts";
import { listJson, listPoints } from "../../report/json.ts";
import { renderList } from "../../report/tables.ts";
import { stockOf } from "../../retention/future.ts";
import { columns, complain, paintFor, print, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

export function listCommand() {
  return withWorldOptions(
    verbCommand("list", "recovery points and their proof", ["text", "json", "snapshot"]),
  )
    .argument("[policy]", "all policies when not given")
    .action(async (name: string | undefined, options: SharedOptions) => {
      await inWorld(options, async (world) => {
        const policies =
          name === undefined
            ? world.set.policies.filter((p) => world.hasEngine(p))
            : [findPolicy(world, name)];
        const isWhole = name !== undefined || options.format === "snapshot";
        const catalogues = await cataloguesOf(world, policies, isWhole);
        const nowMs = world.clock.nowMs();
        const points = listPoints(catalogues, nowMs);
        for (const catalogue of catalogues) {
          for (const remark of catalogue.remarks) complain(`note: ${catalogue.policy}: ${remark}`);
          for (const { id, reason } of catalogue.unreadable) {
            complain(`unreadable: ${catalogue.policy} ${id}: ${reason}; it is neither counted nor deleted`);
          }
        }
        if (options.format === "snapshot") {
          const policies = catalogues.map((c) => ({ policy: c.policy, ...stockOf(c) }));
          const takenAt = instant(nowMs);
          return printJson({ apiVersion: "holdfast.dev/v1", kind: "CatalogueSnapshot", takenAt, policies });
        }
        if (options.format === "json") return printJson(listJson(points));
        print(renderList(points, { nowMs, paint: paintFor(process.stdout), columns: columns() }));
      });
    });
}

/**
 * A store that cannot be asked hides only its own points: it is named, and the exit status is that of the gravest.
 * @throws what the store throws, when all are wanted or none is left
 */
async function cataloguesOf(
  world: World,
  policies: readonly Policy[],
  isWhole: boolean,
): Promise<readonly Catalogue[]> {
  const read = await Promise.allSettled(
    policies.map(async (policy) => (await world.repository(policy)).catalogue()),
  );
  const found = read.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
  for (const [index, outcome] of read.entries()) {
    if (outcome.status === "fulfilled") continue;
    const error: unknown = outcome.reason;
    if (isWhole || found.length === 0 || !(error instanceof HoldfastError) || error.code === "interrupted")
      throw error;
    complain(`not listed: ${policies[index]?.name}: ${error.message}\n  next: ${error.hint}`);
    process.exitCode = Math.max(Number(process.exitCode ?? 0), error.exitStatus);
  }
  return found;
}
