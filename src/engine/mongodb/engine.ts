/** MongoDB 4.4 to 8: dumps with mongodump, the oplog between them in slices, restores to an instant. */
import { HoldfastError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { start } from "./drill-server.ts";
import { inspect } from "./inspect.ts";
import { logReach } from "./log-reach.ts";
import { logNames } from "./oplog.ts";
import { probe } from "./probe.ts";
import { receive } from "./receive.ts";
import { restore } from "./restore.ts";
import { sourceInventory } from "./source-inventory.ts";
import { programNeeds } from "./tool.ts";

export const mongodb: Engine = {
  kind: "mongodb",
  inventory: sourceInventory,
  logNames,
  programs: programNeeds,
  probe,
  mend: async (_context, setting) => {
    throw new HoldfastError("guard-refused", `'${setting}' is not a setting that Holdfast changes by itself`);
  },
  capture,
  canary: writeCanary,
  restore,
  start,
  inspect,
  byHand,
  receive: (context, log, onFlow) => receive(context, log, onFlow),
  logReach,
};
