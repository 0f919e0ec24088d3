/** Redis 7 and 8: snapshots through replication, the append-only file as one set, restores that load either. */
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { start } from "./drill-server.ts";
import { inspect } from "./inspect.ts";
import { mend } from "./mend.ts";
import { probe } from "./probe.ts";
import { restore } from "./restore.ts";
import { sourceInventory } from "./source-inventory.ts";
import { programNeeds } from "./tool.ts";

export const redis: Engine = {
  kind: "redis",
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
};
