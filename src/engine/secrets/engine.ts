/** Secrets of OpenBao, Vault and Kubernetes: exports and raft snapshots, on change, proved in a throwaway server. */
import { HoldfastError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { start } from "./drill.ts";
import { inspect } from "./inspect.ts";
import { probe } from "./probe.ts";
import { programNeeds } from "./programs.ts";
import { restore } from "./restore.ts";
import { sourceInventory } from "./source-inventory.ts";
import { watch } from "./watch.ts";

export const secrets: Engine = {
  kind: "secrets",
  inventory: sourceInventory,
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
  watch,
};
