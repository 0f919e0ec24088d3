/** One capture in a process of its own, to be killed. Takes policy, store and places by environment. */
import { openSteps } from "../../src/cli/console.ts";
import { buildWorld } from "../../src/cli/wire.ts";
import { silent } from "../../src/log.ts";
import { backup } from "../../src/operate/backup.ts";
import type { PolicySet } from "../../src/policy/model.ts";

export interface CaptureOrder {
  readonly set: PolicySet;
  readonly state: string;
  readonly slotAtMs: number;
}

const { set, state, slotAtMs } = JSON.parse(process.env["HOLDFAST_ORDER"] ?? "{}") as CaptureOrder;
const world = await buildWorld(
  {
    policies: "",
    state,
    identities: [],
    log: silent,
    steps: openSteps(true),
    signal: new AbortController().signal,
  },
  set,
  "0123456789abcdef0123456789abcdef01234567",
);
const [policy] = set.policies;
if (policy === undefined) throw new Error("there is no policy");
await backup(world, policy, { slotAtMs, full: true });
await world.close();
// As the command line does: nothing that still waits keeps a finished run alive.
process.exit(0);
