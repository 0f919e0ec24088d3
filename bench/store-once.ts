/**
 * Stores one file as an artifact through a real repository, in a process of its own so that its memory and
 * processor time are its own. Usage: node bench/store-once.ts <discard|folder> <file> <codec> <folder> [repeat]
 */
import { newIdentity } from "../src/crypto/identity.ts";
import { openExec } from "../src/exec/system.ts";
import { silent } from "../src/log.ts";
import type { Policy, StoreSettings } from "../src/policy/model.ts";
import { openRepository } from "../src/repository/open.ts";
import type { Store } from "../src/store/store.ts";
import { systemClock } from "../src/time/clock.ts";

const [kind = "discard", file = "", codec = "gzip", folder = "", repeat = "1"] = process.argv.slice(2);

/** Takes everything and keeps nothing; only what a sink calls is there. */
function discarding(): Store {
  const info = { key: "", sizeBytes: 0, modifiedAt: "2026-01-01T00:00:00Z", etag: "" };
  const upload = { write: async () => {}, complete: async () => info, abort: async () => {} };
  return { name: "discard", upload: () => upload, remove: async () => {} } as unknown as Store;
}

const settings = { name: "disk", type: "directory", path: folder } as StoreSettings;
const store =
  kind === "discard"
    ? discarding()
    : (await import("../src/store/directory.ts")).openDirectoryStore(settings);
const { recipient } = await newIdentity();
const repository = await openRepository({
  policy: {
    name: "bench",
    capture: { method: "base-backup", codec, level: 1, options: {} },
    store: { name: "disk", prefix: "bench/" },
    deadlineMs: 0,
  } as unknown as Policy,
  cluster: "bench",
  settings,
  stores: { read: store, write: store, delete: store },
  recipients: [recipient],
  identities: async () => [],
  exec: openExec(),
  clock: systemClock,
  log: silent,
});
const draft = await repository.draft("20260101T000000Z", "");
const cpu = process.cpuUsage();
const startedMs = performance.now();
const files = Array.from({ length: Number(repeat) }, () => file);
await draft.sink.fromCommand("base.tar", { argv: ["cat", ...files] });
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    seconds: (performance.now() - startedMs) / 1000,
    nodeCpuSeconds: (user + system) / 1e6,
    storedBytes: draft.artifacts.flatMap((a) => a.objects).reduce((sum, o) => sum + o.sizeBytes, 0),
    rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
