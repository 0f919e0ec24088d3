/** Clusters through Velero: each point a backup in a place of its own, proved by a restore under other names. */
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { programNeeds } from "./cluster.ts";
import { start } from "./drill.ts";
import { inspect } from "./inspect.ts";
import { mend, probe } from "./probe.ts";
import { restore } from "./restore.ts";
import { accounts } from "./rights.ts";
import { sourceInventory } from "./source-inventory.ts";

export const velero: Engine = {
  kind: "kubernetes",
  inventory: sourceInventory,
  programs: programNeeds,
  accounts,
  probe,
  mend,
  capture,
  canary: writeCanary,
  restore,
  start,
  inspect,
  byHand,
};
