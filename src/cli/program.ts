/** The command line as a whole: one line per verb. A verb's own module is loaded with its group. */
import { Command } from "commander";
import packageFacts from "../../package.json" with { type: "json" };
import { applyCommand } from "./verbs/apply.ts";
import { atCommand } from "./verbs/at.ts";
import { backupCommand } from "./verbs/backup.ts";
import { demoCommand } from "./verbs/demo.ts";
import { doctorCommand } from "./verbs/doctor.ts";
import { holdCommand } from "./verbs/hold.ts";
import { initCommand } from "./verbs/init.ts";
import { keyCommand } from "./verbs/key.ts";
import { lintCommand } from "./verbs/lint.ts";
import { listCommand } from "./verbs/list.ts";
import { planCommand } from "./verbs/plan.ts";
import { pruneCommand } from "./verbs/prune.ts";
import { reportCommand } from "./verbs/report.ts";
import { restoreCommand } from "./verbs/restore.ts";
import { runCommand } from "./verbs/run.ts";
import { simulateCommand } from "./verbs/simulate.ts";
import { statusCommand } from "./verbs/status.ts";
import { verifyCommand } from "./verbs/verify.ts";
import { walCommand } from "./verbs/wal.ts";

export function program(): Command {
  const root = new Command("holdfast")
    .description(
      `${packageFacts.description}.\nI need to restore now:  holdfast restore POLICY --at TIME --to DIR`,
    )
    .version(packageFacts.version, "-V, --version")
    .showSuggestionAfterError()
    .showHelpAfterError("(holdfast --help shows the verbs)")
    .exitOverride();
  const verbs = [
    restoreCommand,
    listCommand,
    verifyCommand,
    atCommand,
    statusCommand,
    initCommand,
    lintCommand,
    planCommand,
    applyCommand,
    runCommand,
    backupCommand,
    walCommand,
    pruneCommand,
    holdCommand,
    simulateCommand,
    reportCommand,
    doctorCommand,
    keyCommand,
    demoCommand,
  ];
  for (const verb of verbs) root.addCommand(verb());
  return root;
}
