/** The command line as a whole: one line per verb. Only the verb that is asked for is loaded. */
import { Command } from "commander";
import packageFacts from "../../package.json" with { type: "json" };
import type { Verb } from "./exit-help.ts";

/** In the order of `--help`: what somebody in an emergency needs comes first. */
const verbs: Readonly<Partial<Record<Verb, () => Promise<Command>>>> = {
  restore: async () => (await import("./verbs/restore.ts")).restoreCommand(),
  list: async () => (await import("./verbs/list.ts")).listCommand(),
  verify: async () => (await import("./verbs/verify.ts")).verifyCommand(),
  at: async () => (await import("./verbs/at.ts")).atCommand(),
  status: async () => (await import("./verbs/status.ts")).statusCommand(),
  init: async () => (await import("./verbs/init.ts")).initCommand(),
  install: async () => (await import("./verbs/install.ts")).installCommand(),
  adopt: async () => (await import("./verbs/adopt.ts")).adoptCommand(),
  lint: async () => (await import("./verbs/lint.ts")).lintCommand(),
  explain: async () => (await import("./verbs/explain.ts")).explainCommand(),
  plan: async () => (await import("./verbs/plan.ts")).planCommand(),
  comment: async () => (await import("./verbs/comment.ts")).commentCommand(),
  apply: async () => (await import("./verbs/apply.ts")).applyCommand(),
  run: async () => (await import("./verbs/run.ts")).runCommand(),
  backup: async () => (await import("./verbs/backup.ts")).backupCommand(),
  wal: async () => (await import("./verbs/wal.ts")).walCommand(),
  watch: async () => (await import("./verbs/watch.ts")).watchCommand(),
  prune: async () => (await import("./verbs/prune.ts")).pruneCommand(),
  hold: async () => (await import("./verbs/hold.ts")).holdCommand(),
  simulate: async () => (await import("./verbs/simulate.ts")).simulateCommand(),
  report: async () => (await import("./verbs/report.ts")).reportCommand(),
  coverage: async () => (await import("./verbs/coverage.ts")).coverageCommand(),
  alerts: async () => (await import("./verbs/alerts.ts")).alertsCommand(),
  doctor: async () => (await import("./verbs/doctor.ts")).doctorCommand(),
  key: async () => (await import("./verbs/key.ts")).keyCommand(),
  demo: async () => (await import("./verbs/demo.ts")).demoCommand(),
};

export const verbNames = Object.keys(verbs) as readonly Verb[];

/** The program with the verb named in `args`, or with all of them where none is (help, a misspelt word). */
export async function program(args: readonly string[]): Promise<Command> {
  const root = new Command("holdfast")
    .description(
      `${packageFacts.description}.\nI need to restore now:  holdfast restore POLICY --at TIME --to DIR`,
    )
    .version(packageFacts.version, "-V, --version")
    .showSuggestionAfterError()
    .showHelpAfterError("(holdfast --help shows the verbs)")
    .exitOverride();
  const asked = verbNames.find((name) => name === args[0]);
  for (const load of asked === undefined ? Object.values(verbs) : [verbs[asked]]) {
    if (load !== undefined) root.addCommand(await load());
  }
  return root;
}
