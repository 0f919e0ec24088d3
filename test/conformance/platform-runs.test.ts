/** The local platform across restarts, deadlines and stops. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "../../src/log.ts";
import { openLocalPlatform } from "../../src/platform/local/local.ts";
import { systemClock } from "../../src/time/clock.ts";
import { type Behaviour, platformRunsConformance, reported } from "./platform-runs.ts";

platformRunsConformance("local platform", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-platform-"));
  const state = join(folder, "state");
  const begun = join(folder, "begun");
  const gate = join(folder, "gate");
  // `sh -c SCRIPT --slot INSTANT`: $1 is the instant. A run of ours ends with 130 and says so when it is asked to stop.
  const say = (value: object) => `printf '%s' '${JSON.stringify(value)}' > "$HOLDFAST_RESULT"`;
  const interrupted = say({ code: "interrupted", message: "stopped by a signal" });
  const scripts: Readonly<Record<Behaviour, string>> = {
    succeed: say(reported.succeed),
    fail: `${say(reported.fail)}; exit ${reported.failStatus}`,
    hang: `trap '${interrupted.replaceAll("'", "'\\''")}; exit 130' TERM; while ! [ -e ${gate} ]; do sleep 0.05; done`,
  };
  return {
    open: () =>
      openLocalPlatform({
        stateDirectory: state,
        clock: systemClock,
        log: silent,
        argv: ["sh", "-c"],
        maxParallelRuns: 2,
      }),
    argvOf: (behaviour) => [`echo "$1" >> ${begun}; ${scripts[behaviour]}`],
    begun: async () => {
      try {
        return readFileSync(begun, "utf8").trim().split("\n");
      } catch {
        return [];
      }
    },
    letGo: async () => writeFileSync(gate, ""),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
