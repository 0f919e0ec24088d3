import { instant } from "../../catalogue/instant.ts";
import { findPolicy } from "../../operate/find-policy.ts";
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
        const catalogues = await Promise.all(
          policies.map(async (policy) => (await world.repository(policy)).catalogue()),
        );
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
