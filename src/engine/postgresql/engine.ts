/** PostgreSQL 15 to 17: base backups with pg_basebackup, WAL by a resident receiver, restores to an instant. */
import type { Engine } from "../engine.ts";
import { byHand } from "./by-hand.ts";
import { writeCanary } from "./canary.ts";
import { capture } from "./capture.ts";
import { start } from "./drill-server.ts";
import { inspect } from "./inspect.ts";
import { logReach } from "./log-reach.ts";
import { mend } from "./mend.ts";
import { probe } from "./probe.ts";
import { programNeeds } from "./programs.ts";
import { receiveArchive } from "./receive-archive.ts";
import { receiveStream } from "./receive-stream.ts";
import { restore } from "./restore.ts";
import { sourceInventory } from "./source-inventory.ts";
import { logNames } from "./wal.ts";

export const postgresql: Engine = {
  kind: "postgresql",
  inventory: sourceInventory,
  logNames: logNames(),
  programs: programNeeds,
  probe,
  mend,
  capture,
  canary: writeCanary,
  restore,
  start,
  inspect,
  byHand,
  receive: (context, log, onFlow) =>
    context.policy.log?.mode === "archive"
      ? receiveArchive(context, log, onFlow)
      : receiveStream(context, log, onFlow),
  logReach,
};
