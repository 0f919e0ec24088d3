import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { logReachMs, segmentNames } from "../../operate/log-position.ts";
import { planRestore } from "../../recovery/chain.ts";
import { paintFor, print, printJson } from "../console.ts";
import { inWorld, parseInstant, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface AtRow {
  readonly policy: string;
  readonly ok: boolean;
  readonly point: string | null;
  readonly detail: string;
}

export function atCommand() {
  return withWorldOptions(verbCommand("at", "what can be brought back to an instant, policy by policy"))
    .argument("<instant>", "such as 2026-11-20T14:03:00Z", parseInstant)
    .action(async (atMs: number, options: SharedOptions) => {
      await inWorld(options, async (world) => {
        const rows: AtRow[] = [];
        for (const policy of world.set.policies) {
          if (!world.hasEngine(policy)) {
            rows.push({ policy: policy.name, ok: false, point: null, detail: "no engine yet" });
            continue;
          }
          const repository = await world.repository(policy);
          const catalogue = await repository.catalogue();
          const reachMs = await logReachMs(world, policy, repository, catalogue);
          try {
            const plan = planRestore({
              catalogue,
              target: { kind: "time", at: instant(atMs) },
              ...segmentNames(world, policy, catalogue),
              ...(reachMs === undefined ? {} : { logReachMs: reachMs }),
            });
            rows.push({ policy: policy.name, ok: true, point: plan.point.manifest.id, detail: plan.reason });
          } catch (error) {
            if (!(error instanceof HoldfastError)) throw error;
            rows.push({ policy: policy.name, ok: false, point: null, detail: error.message });
          }
        }
        const ok = rows.every((r) => r.ok || r.detail === "no engine yet");
        if (!ok) process.exitCode = 5;
        if (options.format === "json") return printJson({ ok, at: instant(atMs), policies: rows });
        const paint = paintFor(process.stdout);
        for (const row of rows) {
          const word = row.ok ? paint.good("yes") : paint.bad("no ");
          print(`${word} ${row.policy.padEnd(16)} ${row.point ?? ""} ${paint.dim(row.detail)}`);
        }
        print(paint.dim(`next: holdfast restore POLICY --at ${instant(atMs)} --to DIR`));
      });
    });
}
