import { backup } from "../../operate/backup.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { formatSize } from "../../size.ts";
import { formatDuration } from "../../time/duration.ts";
import { paintFor, print, printJson } from "../console.ts";
import { inWorld, parseSlot, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { recordResult } from "../result-file.ts";

interface BackupCommandOptions extends SharedOptions {
  readonly slot?: number;
  readonly full?: boolean;
}

export function backupCommand() {
  return withWorldOptions(verbCommand("backup", "one run of a policy: capture a recovery point"))
    .argument("<policy>")
    .option("--slot <instant>", "nominal instant of the run; a slot is captured once", parseSlot)
    .option("--full", "full even where an incremental capture is due")
    .action(async (name: string, options: BackupCommandOptions) => {
      await inWorld(options, async (world) => {
        const policy = findPolicy(world, name);
        const outcome = await backup(world, policy, {
          ...(options.slot === undefined ? {} : { slotAtMs: options.slot }),
          ...(options.full === undefined ? {} : { full: options.full }),
        });
        const { point, sizeBytes, filesCount, durationMs } = outcome;
        await recordResult({ point, sizeBytes, filesCount });
        if (options.format === "json") return printJson({ ok: true, policy: name, ...outcome });
        const paint = paintFor(process.stdout);
        if (outcome.outcome === "already") return print(`${point} had been captured before; nothing to do`);
        print(
          `${paint.good("captured")} ${paint.bold(point)}  ${outcome.capture}, ${formatSize(sizeBytes)}, ${filesCount} files, ${formatDuration(durationMs)}\n` +
            `${paint.dim("not proved yet; next:")} holdfast verify ${name} --level 4`,
        );
      });
    });
}
