import { findPolicy } from "../../operate/find-policy.ts";
import { type PruneOutcome, prune } from "../../operate/prune.ts";
import { formatSize } from "../../size.ts";
import { type Paint, paintFor, print, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface PruneCommandOptions extends SharedOptions {
  readonly apply?: boolean;
  readonly slot?: string;
}

export function pruneCommand() {
  return withWorldOptions(
    verbCommand("prune", "what the keep table lets go: tombstones first, bytes after the grace"),
  )
    .argument("<policy>")
    .option("--apply", "do it; without this it is only shown")
    .option("--slot <instant>", "nominal instant of a scheduled run")
    .action(async (name: string, options: PruneCommandOptions) => {
      await inWorld(options, async (world) => {
        const outcome = await prune(world, findPolicy(world, name), options.apply === true);
        if (options.format === "json") {
          const { plan, applied, tombstoned, removed, removedLog, leftOvers } = outcome;
          printJson({ applied, tombstoned, removed, removedLog, leftOvers, plan });
        } else print(renderPrune(name, outcome, paintFor(process.stdout)));
        // The cap only spreads the work over several runs; every other refusal needs somebody.
        if (outcome.plan.refusals.some((r) => r.guard !== "share-cap")) process.exitCode = 4;
      });
    });
}

function renderPrune(name: string, outcome: PruneOutcome, paint: Paint): string {
  const { plan } = outcome;
  const lines = plan.decisions.map(
    (d) =>
      `${d.keep ? paint.good("keep  ") : paint.warn("expire")} ${d.id}  ${paint.dim(d.reasons.join("; "))}`,
  );
  for (const note of plan.notes) lines.push(`${paint.dim("note")} ${note.message}`);
  for (const refusal of plan.refusals)
    lines.push(`${paint.bad("refused")} ${refusal.message}\n  ${paint.dim(refusal.hint)}`);
  const leftOverBytes = outcome.leftOvers.reduce((sum, o) => sum + o.sizeBytes, 0);
  const verb = outcome.applied ? "" : "would be ";
  lines.push(
    `${plan.tombstones.length} points ${verb}marked, ${plan.deletions.length} ${verb}removed, ${plan.logKeys.length} log segments ${verb}removed, ` +
      `${outcome.leftOvers.length} left-overs (${formatSize(leftOverBytes)}) ${verb}removed`,
  );
  if (!outcome.applied) lines.push(paint.dim(`nothing was changed; next: holdfast prune ${name} --apply`));
  return lines.join("\n");
}
