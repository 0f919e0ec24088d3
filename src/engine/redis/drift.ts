/** What a policy needs of its server, compared with what CONFIG GET and INFO say. Pure. */
import type { Policy } from "../../policy/model.ts";
import type { Drift } from "../../state/job.ts";
import type { ServerFacts } from "./facts.ts";

/** The server's own default, and what stands there after a run of ours that was killed. */
export const usualRewritePercentage = "100";

/** The settings a policy names, as CONFIG SET takes them. */
export function wantedSettings(policy: Policy): Readonly<Record<string, string>> {
  const { appendOnly, appendFsync, savePoints } = policy.capture.options;
  const points = savePoints as readonly { readonly seconds: number; readonly changes: number }[] | undefined;
  const isLogged = (appendOnly ?? policy.capture.method === "rdb-aof") === true;
  return {
    ...(appendOnly === undefined && !isLogged ? {} : { appendonly: isLogged ? "yes" : "no" }),
    ...(isLogged ? { appendfsync: typeof appendFsync === "string" ? appendFsync : "everysec" } : {}),
    ...(points === undefined
      ? {}
      : { save: points.map(({ seconds, changes }) => `${seconds} ${changes}`).join(" ") }),
  };
}

const consequences: Readonly<Record<string, string>> = {
  appendonly: "a crash of the server loses everything since its last snapshot",
  appendfsync: "a crash of the machine loses other seconds than the policy counts on",
  save: "the server's own snapshots come at other times than the policy counts on",
};

/** Worst first. */
export function driftOf(policy: Policy, facts: ServerFacts): readonly Drift[] {
  const found = [...settingsDrift(policy, facts), ...stateDrift(facts)];
  return found.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "critical" ? -1 : 1));
}

function settingsDrift(policy: Policy, { config }: ServerFacts): readonly Drift[] {
  if (config === undefined) {
    return [
      {
        setting: "acl",
        wanted: "+config|get",
        found: "refused",
        consequence: "nobody sees when the append-only file or the save points are switched off",
        mend: "ACL SETUSER holdfast +config|get",
        mendable: false,
        severity: "warning",
      },
    ];
  }
  const found: Drift[] = Object.entries(wantedSettings(policy))
    .filter(([setting, wanted]) => isOther(setting, wanted, config[setting]))
    .map(([setting, wanted]) => ({
      setting,
      wanted,
      found: config[setting] ?? "",
      consequence: consequences[setting] ?? "",
      mend: `CONFIG SET ${setting} "${wanted}"`,
      mendable: true,
      severity: setting === "appendonly" && wanted === "yes" ? "critical" : "warning",
    }));
  if (config["appendonly"] === "yes" && config["auto-aof-rewrite-percentage"] === "0") {
    found.push({
      setting: "auto-aof-rewrite-percentage",
      wanted: usualRewritePercentage,
      found: "0",
      consequence: "the append-only file grows without end; a capture that was killed may have left it so",
      mend: `CONFIG SET auto-aof-rewrite-percentage ${usualRewritePercentage}`,
      mendable: true,
      severity: "warning",
    });
  }
  return found;
}

function isOther(setting: string, wanted: string, found: string | undefined): boolean {
  if (found === undefined) return false;
  return setting === "save" ? pairsInOrder(found) !== pairsInOrder(wanted) : found !== wanted;
}

/** Save points mean the same in any order. */
function pairsInOrder(save: string): string {
  return (save.match(/\d+ \d+/g) ?? []).sort().join(" ");
}

function stateDrift({ info, link }: ServerFacts): readonly Drift[] {
  const found: Drift[] = [];
  const failing = (setting: string, consequence: string): void => {
    const value = info[setting];
    if (value === undefined || value === "ok") return;
    found.push({
      setting,
      wanted: "ok",
      found: value,
      consequence,
      mend: "look at the server's log and the room on its disk",
      mendable: false,
      severity: "critical",
    });
  };
  failing(
    "rdb_last_bgsave_status",
    "the server cannot write snapshots, and refuses writes where it is told to",
  );
  failing("aof_last_write_status", "the append-only file is not written: a crash loses everything since");
  if (link !== undefined && !link.isUp) {
    found.push({
      setting: "master_link_status",
      wanted: "up",
      found: "down",
      consequence: "this replica falls behind, and captures from it are refused",
      mend: "look at the link to the primary: INFO replication",
      mendable: false,
      severity: "critical",
    });
  }
  return found;
}
