import { renderAlertRules, runbooksFolder } from "../../report/alert-rules.ts";
import { print } from "../console.ts";
import { type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface AlertsOptions extends SharedOptions {
  readonly runbooks?: string;
}

/** Offline: the alert table of the policies as a file for Prometheus' `rule_files`. */
export function alertsCommand() {
  return withWorldOptions(verbCommand("alerts", "prints the alert table as Prometheus rules", ["text"]))
    .option("--runbooks <url>", `what runbook_url begins with; ${runbooksFolder} when not given`)
    .action(async (options: AlertsOptions) => {
      const { readPolicies } = await import("../wire.ts");
      const { set } = await readPolicies(options);
      const runbooks = options.runbooks?.replace(/\/*$/, "/");
      print(
        renderAlertRules({
          alerts: set.alerts,
          policies: set.policies,
          ...(runbooks === undefined ? {} : { runbooks }),
        }).trimEnd(),
      );
    });
}
