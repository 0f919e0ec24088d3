/** What only Velero's engine knows: volumes, cover, drift; on a real cluster with a real Velero. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backup } from "../../src/operate/backup.ts";
import { restore } from "../../src/operate/restore.ts";
import { verify } from "../../src/operate/verify.ts";
import type { Policy } from "../../src/policy/model.ts";
import { clearMinioSecrets, setMinioSecrets } from "../servers/minio.ts";
import {
  addClaim,
  addPodWithClaim,
  addVolume,
  bucketStore,
  startVelero,
  type TestVelero,
  veleroPolicy,
  whyNoVelero,
} from "../servers/velero.ts";
import { until } from "../servers/waiting.ts";
import { openWorld, restoreFolder } from "../servers/world.ts";

const password = "correct-horse-battery-staple";

if (whyNoVelero("node") !== undefined) {
  describe("Velero on a cluster", () => it.skip("a cluster with a node cannot be had here", () => {}));
} else {
  describe("Velero on a cluster", () => {
    let velero: TestVelero;
    let slotAtMs = Date.parse("2026-11-20T00:00:00Z");
    const targets = restoreFolder();

    beforeAll(async () => {
      setMinioSecrets(password);
      velero = await startVelero(password, "bud-velero", "node");
    }, 180_000);
    afterAll(async () => {
      clearMinioSecrets();
      await velero?.stop();
    }, 60_000);

    const world = (changes: Partial<Policy> = {}) =>
      openWorld({ ...veleroPolicy(velero, ["bud-data"]), ...changes }, { store: bucketStore(velero.minio) });
    const nextSlot = (): number => {
      slotAtMs += 3_600_000;
      return slotAtMs;
    };
    const facts = async (test: Awaited<ReturnType<typeof world>>) =>
      test.world.withContext(test.policy, {}, async (context) =>
        (await test.world.engine(test.policy)).probe(context),
      );

    it("takes a volume's files through the node agent, and a drill brings them back in a namespace of its own", async () => {
      const { kubectl } = velero;
      const path = addVolume(velero, velero.cluster.folder, "volume-1");
      kubectl(["create", "namespace", "bud-data"]);
      kubectl(["create", "secret", "generic", "token", "--namespace=bud-data", "--from-literal=value=1"]);
      addClaim(velero, "bud-data", "files");
      writeFileSync(join(path, "orders.txt"), "four orders\n".repeat(1000));
      // A controller makes it, and without it no pod is taken.
      await until(
        () =>
          kubectl(["get", "serviceaccounts", "--namespace=bud-data", "--output=name"]).includes("/default"),
        60_000,
      );
      addPodWithClaim(velero, "bud-data", "files");
      const ready = (kind: string, name: string, namespace: string, condition: string): void =>
        void kubectl([
          "wait",
          `${kind}/${name}`,
          `--namespace=${namespace}`,
          `--for=${condition}`,
          "--timeout=90s",
        ]);
      ready("pod", "store", "bud-data", "condition=Ready");
      ready("daemonset", "node-agent", "velero", "jsonpath={.status.numberReady}=1");
      const test = await world();
      const outcome = await backup(test.world, test.policy, { slotAtMs: nextSlot(), full: true });
      const [point] = (await (await test.world.repository(test.policy)).catalogue()).points;
      expect(point?.manifest.engine).toMatchObject({ volumesExpected: 1, volumesCaptured: 1, uncovered: [] });
      expect(Number(point?.manifest.engine["volumeBytes"])).toBe(12_000);
      // Where the drill's claim finds a volume.
      const spare = addVolume(velero, velero.cluster.folder, "volume-2");
      const restored = await restore(test.world, test.policy, {
        target: { kind: "point" },
        point: outcome.point,
        directory: join(targets, "volume"),
        start: true,
      });
      try {
        const namespaces = restored.server?.connection["namespaces"];
        const drilled = (namespaces as Record<string, string> | undefined)?.["bud-data"] ?? "";
        ready("pod", "store", drilled, "condition=Ready");
        expect(readFileSync(join(spare, "orders.txt"), "utf8")).toBe("four orders\n".repeat(1000));
        expect(kubectl(["get", "networkpolicies", `--namespace=${drilled}`, "--output=name"])).toContain(
          "holdfast-drill",
        );
      } finally {
        await restored.server?.stop();
      }
      expect(readdirSync(spare)).toContain("orders.txt");
      const left = (): string =>
        kubectl([
          ...[
            "get",
            "namespaces,backups.velero.io,restores.velero.io,backupstoragelocations.velero.io,secrets",
          ],
          ...["--all-namespaces", "--selector=holdfast.dev/policy", "--output=name"],
        ]).trim();
      await until(() => left() === "", 60_000);
      // The drill has changed nothing in the point.
      const { ok, verdict } = await verify(test.world, test.policy, { level: 3, point: outcome.point });
      expect(verdict.checks.filter((c) => !c.ok)).toEqual([]);
      expect(ok).toBe(true);
      await test.close();
    }, 400_000);

    it("makes no point where a volume of a production namespace is not covered, and names it elsewhere", async () => {
      addVolume(velero, velero.cluster.folder, "volume-3");
      velero.kubectl(["create", "namespace", "bud-auth"]);
      addClaim(velero, "bud-auth", "idle");
      await until(
        () =>
          velero.kubectl([
            "get",
            "pvc",
            "idle",
            "--namespace=bud-auth",
            "--output=jsonpath={.status.phase}",
          ]) === "Bound",
        60_000,
      );
      const strict = await world({ name: "strict", store: { name: "primary", prefix: "strict/" } });
      const both = (production: readonly string[]): Partial<Policy> => ({
        capture: {
          ...strict.policy.capture,
          options: { includedNamespaces: ["bud-data", "bud-auth"], productionNamespaces: production },
        },
      });
      const named = /bud-auth: volume of claim idle \(no running pod mounts it/;
      await expect(
        backup(
          strict.world,
          { ...strict.policy, ...both(["bud-auth"]) },
          { slotAtMs: nextSlot(), full: true },
        ),
      ).rejects.toThrow(named);
      const loose = { ...strict.policy, ...both(["bud-data"]) };
      const { point } = await backup(strict.world, loose, { slotAtMs: nextSlot(), full: true });
      const { verdict } = await verify(strict.world, loose, { level: 3, point });
      expect(JSON.stringify(verdict.checks)).toMatch(named);
      await expect(
        backup(
          strict.world,
          { ...strict.policy, ...both(["bud-gone"]) },
          { slotAtMs: nextSlot(), full: true },
        ),
      ).rejects.toThrow(/bud-gone: namespace \(there is no such namespace\)/);
      await strict.close();
    }, 200_000);

    it("sees a location and a schedule that were changed, says by whom, and mends them", async () => {
      const { kubectl, minio } = velero;
      const apply = (object: object, manager: string): void =>
        void kubectl(
          ["apply", "--server-side", "--force-conflicts", `--field-manager=${manager}`, "--filename=-"],
          JSON.stringify({ apiVersion: "velero.io/v1", ...object }),
        );
      const location = (bucket: string) => ({
        kind: "BackupStorageLocation",
        metadata: { name: "default", namespace: "velero" },
        spec: { provider: "aws", objectStorage: { bucket } },
      });
      apply(location(minio.bucket), "platform-team");
      const schedule = { schedule: "0 3 * * *", template: { includedNamespaces: ["*"] }, paused: true };
      apply(
        { kind: "Schedule", metadata: { name: "holdfast", namespace: "velero" }, spec: schedule },
        "platform-team",
      );
      const test = await world({ name: "drift", store: { name: "primary", prefix: "drift/" } });
      expect((await facts(test)).drift).toEqual([]);
      apply(location("elsewhere"), "late-night");
      apply(
        {
          kind: "Schedule",
          metadata: { name: "holdfast", namespace: "velero" },
          spec: { ...schedule, paused: false },
        },
        "late-night",
      );
      const { drift } = await facts(test);
      expect(drift.map((d) => [d.setting, d.mendable])).toEqual([
        ["velero.storageLocation", true],
        ["velero.schedule", true],
      ]);
      for (const { found } of drift) expect(found).toContain("changed by 'late-night'");
      for (const { setting } of drift)
        await test.world.withContext(test.policy, {}, async (context) =>
          (await test.world.engine(test.policy)).mend(context, setting),
        );
      expect((await facts(test)).drift).toEqual([]);
      await test.close();
    }, 120_000);
  });
}
