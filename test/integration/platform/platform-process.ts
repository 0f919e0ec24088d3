/** A local platform in a process of its own, to be killed. */
import { silent } from "../../../src/log.ts";
import { openLocalPlatform } from "../../../src/platform/local/local.ts";
import { systemClock } from "../../../src/time/clock.ts";

const platform = openLocalPlatform({
  stateDirectory: process.argv[2] ?? "",
  clock: systemClock,
  log: silent,
  argv: ["sh", "-c"],
  maxParallelRuns: 2,
});
await platform.start();
setInterval(() => undefined, 1000);
