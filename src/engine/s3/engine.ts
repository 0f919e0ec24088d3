/** Buckets kept twice: replication as desired state, its lag and its contents measured, restores from the replica. */
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { start } from "./drill.ts";
import { inspect } from "./inspect.ts";
import { programNeeds } from "./mc.ts";
import { mend } from "./mend.ts";
import { probe } from "./probe.ts";
import { restore } from "./restore.ts";
import { sourceInventory } from "./source-inventory.ts";
import { watch } from "./watch.ts";

export const s3: Engine = {
  kind: "s3",
  inventory: sourceInventory,
  programs: programNeeds,
  probe,
  mend,
  capture,
  canary: writeCanary,
  restore,
  start,
  inspect,
  byHand,
  watch,
};
