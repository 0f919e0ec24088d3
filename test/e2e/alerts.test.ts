/**
 * Every rule that `holdfast alerts` prints, fired once by a real fault: from broken servers, stores and
 * processes by way of a real reconciler, Prometheus and Alertmanager to whoever is to be woken.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  activeAlerts,
  hasScraped,
  type MonitoringServer,
  missingPrometheus,
  startPrometheus,
} from "../servers/prometheus.ts";
import { fakedTime } from "../servers/set-back-clock.ts";
import { pause, until } from "../servers/waiting.ts";
import { type Fault, killedReconciler, stages } from "./alert-faults.ts";
import { type AlertWorld, openAlertWorld, printedRules } from "./alert-world.ts";

const delivered = readFileSync(
  join(import.meta.dirname, "../../deploy/prometheus/holdfast-alerts.yaml"),
  "utf8",
);
/** `for:` of the rules is this many times shorter than delivered; nothing else of them is changed. */
const hurry = 30;
const deadlineMs = 120_000;

const missing = [...missingPrometheus(), ...(fakedTime() === undefined ? ["faketime"] : [])];
if (missing.length > 0) {
  describe("alerts on a real Prometheus", () =>
    it.skip(`${missing.join(", ")} cannot be had here`, () => {}));
} else {
  describe("alerts on a real Prometheus", () => {
    let world: AlertWorld;
    let prometheus: MonitoringServer;
    let printed: string;
    const madeAtMs = new Map<Fault, number>();
    const mendedAtMs = new Map<Fault, number>();
    let faultsFromMs = Number.POSITIVE_INFINITY;
    /** Rules that have reached the receiver. */
    const fired: string[] = [];

    beforeAll(async () => {
      world = await openAlertWorld();
      printed = await printedRules(world);
      prometheus = await startPrometheus({
        folder: join(world.folder, "prometheus"),
        rules: inHurry(printed),
        scrapePort: world.port,
        alertmanagerPort: world.alertmanager.port,
      });
    }, 300_000);
    afterAll(async () => {
      await prometheus?.stop();
      await world?.close();
    });

    async function arrives(fault: Fault, rule: string): Promise<void> {
      const atMs = madeAtMs.get(fault);
      if (atMs === undefined) throw new Error("the fault was not made");
      const policy = fault.alerts[rule] ?? "";
      const wanted = { name: rule, policy, status: "firing", source: "prometheus" } as const;
      const sinceMs = fault.fromTheStart === true ? 0 : faultsFromMs;
      const arrival = await world.receiver.arrival(wanted, sinceMs, deadlineMs);
      fired.push(rule);
      const seconds = ((arrival.atMs - atMs) / 1000).toFixed(1);
      console.log(`${rule} ${policy} ${seconds} s: ${fault.cause}; ${arrival.summary}`);
    }

    async function mend(fault: Fault): Promise<void> {
      mendedAtMs.set(fault, Date.now());
      await fault.mend?.(world);
    }

    async function ends(fault: Fault): Promise<void> {
      const atMs = mendedAtMs.get(fault) ?? Number.NaN;
      for (const rule of fault.ends ?? []) {
        const wanted = { name: rule, policy: fault.alerts[rule] ?? "", status: "resolved" } as const;
        const arrival = await world.receiver.arrival(wanted, atMs, deadlineMs);
        console.log(`${rule} has ended ${((arrival.atMs - atMs) / 1000).toFixed(1)} s after the mend`);
      }
    }

    it("loads the rules that are delivered", () => {
      expect(withoutPolicies(printed)).toBe(withoutPolicies(delivered));
      expect(printed).toContain("archive|cache|journal|ledger|orders|sessions|wiki|yearbook");
    });

    it("is silent while all is well", async () => {
      await until(() => hasScraped(prometheus.port));
      // Some scrapes and looks at the rules.
      await pause(6_000);
      const early = stages
        .flat()
        .filter((f) => f.fromTheStart === true)
        .flatMap((f) => Object.keys(f.alerts));
      const active = (await activeAlerts(prometheus.port)).filter(
        (name) => !early.includes(name.split(" ")[0] ?? ""),
      );
      expect(active).toEqual([]);
    });

    it("is given every fault", async () => {
      faultsFromMs = Date.now();
      for (const stage of stages)
        await Promise.all(stage.map(async (fault) => madeAtMs.set(fault, await fault.make(world))));
    });

    for (const fault of stages.flat()) {
      const rules = Object.keys(fault.alerts);
      for (const rule of rules) {
        it(`${rule}: ${fault.cause}`, async () => {
          await arrives(fault, rule);
          if (rule === rules.at(-1)) await mend(fault);
        });
      }
    }

    it("tells Alertmanager and a webhook of a broken backup itself, and calls the dead-man", async () => {
      const wanted = { name: "Backup Failed", source: "holdfast" } as const;
      const arrival = await world.receiver.arrival(wanted, 0, deadlineMs);
      expect(arrival.status).toBe("firing");
      expect(world.receiver.told).toContainEqual(
        expect.objectContaining({ status: "firing", alert: "Backup Failed", policy: arrival.policy }),
      );
      expect(world.receiver.callsCount).toBeGreaterThan(0);
    });

    it("blames no policy for a backup it had no time to take", () => {
      const blamed = world.receiver.arrived.filter((a) => a.policy === "wiki" && /Missing/.test(a.name));
      expect(blamed).toEqual([]);
    });

    it("tells that what was mended has ended", async () => {
      const mended = stages.flat().filter((f) => f.mend !== undefined);
      expect(mended.length).toBeGreaterThan(1);
      for (const fault of mended) await ends(fault);
    });

    it(`HoldfastSilent: ${killedReconciler.cause}, and its end`, async () => {
      madeAtMs.set(killedReconciler, await killedReconciler.make(world));
      await arrives(killedReconciler, "HoldfastSilent");
      await mend(killedReconciler);
      await ends(killedReconciler);
    });

    it("has fired every rule of the file", () => {
      const rules = parse(delivered).groups.flatMap((g: { rules: { alert: string }[] }) =>
        g.rules.map((r) => r.alert),
      );
      expect([...fired].sort()).toEqual([...rules].sort());
    });
  });
}

/** BackupMissing names the policies with a clock; everything else does not depend on the policies. */
function withoutPolicies(rules: string): string {
  return rules.replace(/policy=~\\"[a-z|-]*\\"/, 'policy=~\\"\\"');
}

function inHurry(rules: string): string {
  const seconds = { s: 1, m: 60, h: 3600 } as const;
  return rules.replace(
    /^( +for: )(\d+)([smh])$/gm,
    (_, lead: string, count: string, unit: keyof typeof seconds) =>
      `${lead}${Math.ceil((Number(count) * seconds[unit]) / hurry)}s`,
  );
}
