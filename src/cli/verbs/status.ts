import { observe } from "../../operate/observe.ts";
import { openStateFolder } from "../../operate/state-folder.ts";
import { statusOf } from "../../operate/status.ts";
import { statusJson } from "../../report/json.ts";
import { renderStatus } from "../../report/tables.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import { inWorld, platformOption, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { openPlatform, readLoopStatus } from "../reconciler.ts";

export function statusCommand() {
  return withWorldOptions(verbCommand("status", "what holds now, and what needs somebody"))
    .addOption(platformOption())
    .action(async (options: SharedOptions) => {
      await inWorld(options, async (world) => {
        const seen = await observe(world, openPlatform(world, options));
        const looks = await openStateFolder(world.stateDirectory).readLooks();
        const { healths, notBuilt } = statusOf(world, seen, looks);
        const loop = await readLoopStatus(world.stateDirectory);
        const nowMs = world.clock.nowMs();
        const conditions = [...healths.flatMap((h) => h.conditions), ...(loop?.conditions ?? [])];
        const isBad = conditions.some((c) => c.severity === "critical");
        if (isBad || healths.length === 0) process.exitCode = 4;
        if (options.format === "json") {
          const value = statusJson(healths, nowMs);
          return printJson({
            ...value,
            ok: value.ok && !isBad,
            ...(loop === undefined ? {} : { reconciler: loop }),
          });
        }
        const paint = paintFor(process.stdout);
        print(renderStatus(healths, { nowMs, paint, columns: columns() }));
        for (const c of loop?.conditions ?? [])
          print(`${paint.bad(c.kind)} ${c.message}\n  ${paint.dim(c.hint)}`);
        if (notBuilt.length > 0) {
          print(paint.dim(`checked only, no engine yet: ${notBuilt.map((p) => p.name).join(", ")}`));
        }
      });
    });
}
