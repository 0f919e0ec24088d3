import { platformOption, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface RunOptions extends SharedOptions {
  readonly repository?: string;
  readonly branch: string;
  readonly path: string;
  readonly acceptRewritten?: string;
  readonly listen?: string;
  readonly once?: boolean;
}

export function runCommand() {
  return withWorldOptions(
    verbCommand("run", "the reconciler: polls git, applies, schedules, watches, reports"),
  )
    .option("--repository <url>", "the policy repository; the one the last revision names when not given")
    .option("--branch <name>", "branch of the policies", "main")
    .option("--path <dir>", "folder of the policies in the repository", "policies")
    .option("--accept-rewritten <commit>", "go on from this commit although the branch was rewritten")
    .option("--listen <host:port>", "status page, health and metrics; off with 'none'")
    .addOption(platformOption())
    .option("--once", "one poll, one convergence, then stop; for cron-like use and tests")
    .action(async (options: RunOptions) => {
      const { runReconciler } = await import("../run-reconciler.ts");
      await runReconciler(options);
    });
}
