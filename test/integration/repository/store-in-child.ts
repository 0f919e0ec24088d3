/** Run as a program: stores what a command prints through a sink. Arguments: folder, recipient, codec, script. */
import { readFileSync } from "node:fs";
import { openExec } from "../../../src/exec/system.ts";
import { silent } from "../../../src/log.ts";
import type { Policy, StoreSettings } from "../../../src/policy/model.ts";
import { openRepository } from "../../../src/repository/open.ts";
import { openDirectoryStore } from "../../../src/store/directory.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { manifestFor } from "./fixture.ts";

const [path = "", recipient = "", codec = "", script = ""] = process.argv.slice(2);
const settings = { name: "disk", type: "directory", path } as StoreSettings;
const store = openDirectoryStore(settings);
const repository = await openRepository({
  policy: {
    name: "pg",
    component: "postgresql",
    capture: { method: "base-backup", codec, level: 1, options: {} },
    store: { name: "disk", prefix: "pg/" },
    deadlineMs: 600_000,
  } as unknown as Policy,
  cluster: "prod",
  settings,
  stores: { read: store, write: store, delete: store },
  recipients: [recipient],
  identities: async () => [],
  exec: openExec(),
  clock: systemClock,
  log: silent,
});
const draft = await repository.draft("20261120T020000Z", "");
const startedAtMs = performance.now();
const { artifact } = await draft.sink.fromCommand("base.tar", { argv: ["sh", "-c", script] });
const seconds = (performance.now() - startedAtMs) / 1000;
await draft.commit(manifestFor(draft));
const { userCPUTime, systemCPUTime } = process.resourceUsage();
// The kernel's own high-water mark of this program; that of getrusage begins with the parent's memory.
const peakKib = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
console.log(
  JSON.stringify({ seconds, cpuSeconds, maxRssMiB: peakKib / 1024, plainBytes: artifact.plainSizeBytes }),
);
