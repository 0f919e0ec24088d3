/** Looks at the source server: who it is, what it lacks, what a backup of it would not hold. */
import { HoldfastError } from "../../errors.ts";
import type { Drift, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { askTools, type ToolsFound } from "../vendor-tool.ts";
import { ask, type Connection, connectionOf, exceptionCode } from "./connection.ts";
import { brokenParts, isOld, oldestVersion, readFacts } from "./facts.ts";
import { isUncovered, wantedTables } from "./tables.ts";
import { toolName, toolOf, toolVersion } from "./tool.ts";

const lagLimitSeconds = 300;
const fullDiskShare = 0.95;

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  return factsFrom(context, async () => {
    const connection = await connectionOf(context);
    const { version, identity } = await readFacts(connection, context.signal);
    const { tools, missing } = await lookForTool(context);
    const drift = isOld(version) ? [versionDrift(version)] : await driftOf(context, connection);
    return {
      version,
      identity,
      tools,
      drift: [...missing, ...drift],
    };
  });
}

function versionDrift(found: string): Drift {
  const wanted = oldestVersion.join(".");
  return {
    setting: "version",
    wanted: `${wanted} or newer`,
    found,
    consequence: "nothing is captured: older servers were never tried",
    mend: "upgrade ClickHouse",
    mendable: false,
    severity: "critical",
  };
}

async function driftOf(context: EngineContext, connection: Connection): Promise<readonly Drift[]> {
  const looks = [brokenDrift, uncoveredDrift, replicaDrift, diskDrift];
  const found: Drift[] = [];
  for (const look of looks) {
    try {
      found.push(...(await look(context, connection)));
    } catch (error) {
      if (exceptionCode(error) === 0 && !(error instanceof HoldfastError && error.code === "empty-backup"))
        throw error;
      found.push(rightsDrift(error as HoldfastError));
    }
  }
  return found;
}

function rightsDrift(error: HoldfastError): Drift {
  const isEmpty = error.code === "empty-backup";
  return {
    setting: isEmpty ? "tables" : "rights",
    wanted: isEmpty ? "at least one table" : "to read the server's own tables",
    found: error.message.slice(0, 300),
    consequence: isEmpty ? "there is nothing to capture" : "what a backup would miss cannot be seen",
    mend: "GRANT SELECT, BACKUP ON *.* TO the user of the policy",
    mendable: false,
    severity: isEmpty ? "critical" : "warning",
  };
}

async function brokenDrift({ signal }: EngineContext, connection: Connection): Promise<readonly Drift[]> {
  const broken = await brokenParts(connection, signal);
  if (broken.length === 0) return [];
  return [
    {
      setting: "detached parts",
      wanted: "none broken",
      found: broken.slice(0, 3).join(", ") + (broken.length > 3 ? ` and ${broken.length - 3} more` : ""),
      consequence: "rows in them that no other part or replica has are in no backup",
      mend: "attach or replace the parts, or drop them: ALTER TABLE … DROP DETACHED PART …",
      mendable: false,
      severity: "warning",
    },
  ];
}

async function uncoveredDrift(context: EngineContext, connection: Connection): Promise<readonly Drift[]> {
  const { tables } = await wantedTables(connection, context.policy, context.signal);
  const uncovered = tables.filter(isUncovered);
  if (uncovered.length === 0) return [];
  return [
    {
      setting: "table engines",
      wanted: "engines that keep their rows in ClickHouse",
      found: uncovered
        .map((t) => `${t.database}.${t.name} (${t.engine})`)
        .join(", ")
        .slice(0, 500),
      consequence: "of these only the definition is captured, their rows lie elsewhere",
      mend: "back up the systems behind them",
      mendable: false,
      severity: "warning",
    },
  ];
}

async function replicaDrift({ signal }: EngineContext, connection: Connection): Promise<readonly Drift[]> {
  const { rows } = await ask(
    connection,
    `SELECT database || '.' || table, is_readonly, toString(absolute_delay) FROM system.replicas WHERE is_readonly OR absolute_delay > ${lagLimitSeconds}`,
    { signal },
  );
  return rows.map(([table, isReadonly, delay]) => ({
    setting: `replica of ${String(table)}`,
    wanted: `at most ${lagLimitSeconds} s behind, writable`,
    found: Number(isReadonly) === 1 ? "read only" : `${String(delay)} s behind`,
    consequence: "a backup of this replica lacks what it has not fetched yet",
    mend:
      Number(isReadonly) === 1
        ? "SYSTEM RESTORE REPLICA, or look at Keeper"
        : "look at system.replication_queue",
    mendable: false,
    severity: "warning",
  }));
}

async function diskDrift({ signal }: EngineContext, connection: Connection): Promise<readonly Drift[]> {
  const { rows } = await ask(
    connection,
    "SELECT name, toFloat64(unreserved_space) / greatest(toFloat64(total_space), 1) FROM system.disks WHERE type = 'Local'",
    { signal },
  );
  return rows
    .filter(([, free]) => Number(free) < 1 - fullDiskShare)
    .map(([name, free]) => ({
      setting: `disk ${String(name)}`,
      wanted: "some room",
      found: `${Math.round(Number(free) * 1000) / 10} % free`,
      consequence: "inserts and merges stop when it is full",
      mend: "make room",
      mendable: false,
      severity: "warning",
    }));
}

function lookForTool(context: EngineContext): Promise<ToolsFound> {
  return askTools(
    context.policy.capture.method === toolName ? [toolName] : [],
    async () => toolVersion(context, await toolOf(context)),
    () => ({
      wanted: "on the server's machine",
      consequence: "no backup can be taken",
      severity: "critical",
    }),
  );
}
