/** Schedules of Velero's become policies whose plan has nothing to do, and what cannot become one is named. */
import { describe, expect, it } from "vitest";
import type { Fields } from "../../../src/adopt/found.ts";
import type { KubeObject } from "../../../src/engine/velero/cluster.ts";
import { heldDrift, heldObject, heldScheduleOf } from "../../../src/engine/velero/held-schedule.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import {
  adopted,
  errorsOf,
  everythingOf,
  location,
  nowMs,
  policiesOf,
  schedule,
  schemas,
} from "./objects.ts";

const asObject = (value: Fields): KubeObject => value as unknown as KubeObject;

function driftOf(policy: Policy | undefined, live: Fields, place: Fields = location()): readonly string[] {
  const held = policy === undefined ? undefined : heldScheduleOf(policy);
  if (held === undefined) throw new Error("the policy holds no schedule");
  const created = { ...asObject(live), status: { lastBackup: "2026-11-20T12:00:00Z" } };
  return heldDrift(held, { schedule: created, location: asObject(place), newest: undefined, nowMs }).map(
    (d) => `${d.setting}: ${d.found} -> ${d.wanted}`,
  );
}

describe("adopting Velero", () => {
  it("writes a policy, its store and its keep row, and finds nothing to change", () => {
    const live = schedule({}, { defaultVolumesToFsBackup: true, storageLocation: "default" });
    const adoption = adopted({ schedules: [live], locations: [location()] }, { failureDomain: "bud" });
    expect(errorsOf(adoption)).toEqual([]);
    const { set } = readPolicySet(adoption.files, schemas);
    const [policy] = set.policies;
    expect(policy).toMatchObject({
      name: "velero-daily",
      component: "kubernetes",
      failureDomain: "bud",
      schedule: { kind: "cron", cron: "0 3 * * *", timeZone: "Etc/UTC" },
      capture: { method: "velero-schedule", options: { schedule: "daily", persistentVolumes: true } },
      store: { name: "bud-velero", prefix: "holdfast/velero-daily/" },
      retention: { keep: { days: 30 } },
    });
    expect(set.stores).toMatchObject([
      { bucket: "bud-velero", region: "eu-central-1", failureDomain: "aws-eu-central-1" },
    ]);
    expect(desiredJobs(set, ["kubernetes"]).jobs).toEqual([]);
    expect(driftOf(policy, live)).toEqual([]);
  });

  it.each<[string, Fields, Fields]>([
    ["a zone in the line", { schedule: "CRON_TZ=Europe/Berlin 30 2 * * 1-5" }, {}],
    ["a nickname", { schedule: "@daily" }, {}],
    ["a question mark", { schedule: "0 4 ? * 0" }, {}],
    ["no namespaces", {}, { includedNamespaces: null }],
    ["several namespaces in another order", {}, { includedNamespaces: ["shop", "bud-*"] }],
    ["resources", {}, { includedResources: ["secrets", "configmaps"], includeClusterResources: false }],
    ["no ttl", {}, { ttl: undefined }],
    ["a ttl of minutes", {}, { ttl: "90m" }],
    ["an odd ttl", {}, { ttl: "100h30m5s" }],
    ["a yearly tier", { schedule: "0 5 1 1 *" }, { ttl: "87600h0m0s" }],
    ["a tier shorter than its gap", { schedule: "0 5 * * 0" }, { ttl: "24h0m0s" }],
    ["every minute", { schedule: "* * * * *" }, { ttl: "1h0m0s" }],
    ["selectors and hooks", {}, { labelSelector: { matchLabels: { a: "b" } }, hooks: { resources: [{}] } }],
    ["a template of its own labels", {}, { metadata: { labels: { tier: "gold" } } }],
  ])("plans to nothing and lints with %s", (_what, spec, template) => {
    const live = schedule(spec, template);
    const adoption = adopted({ schedules: [live], locations: [location()] });
    expect(errorsOf(adoption)).toEqual([]);
    const [policy] = policiesOf(adoption);
    expect(driftOf(policy, live)).toEqual([]);
    // And what would be applied is what is there.
    const held = policy === undefined ? undefined : heldScheduleOf(policy);
    expect(
      driftOf(policy, held === undefined ? {} : ({ ...live, ...heldObject(held, "velero") } as Fields)),
    ).toEqual([]);
  });

  it.each<[string, Fields, Fields, RegExp]>([
    ["another time", { schedule: "0 4 * * *" }, {}, /velero\.schedule\.schedule: 0 4/],
    ["a pause", { paused: true }, {}, /velero\.schedule\.paused: true -> false/],
    ["a shorter ttl", {}, { ttl: "24h0m0s" }, /template\.ttl: 1d -> 30d/],
    [
      "fewer namespaces",
      {},
      { includedNamespaces: ["shop"] },
      /template\.includedNamespaces: \["shop"\] -> \["\*"\]/,
    ],
    ["no volumes", {}, { defaultVolumesToFsBackup: false }, /defaultVolumesToFsBackup: false -> true/],
    ["another location", {}, { storageLocation: "cold" }, /storageLocation: cold -> default/],
  ])("calls %s drift, by its field", (_what, spec, template, words) => {
    const before = schedule({}, { defaultVolumesToFsBackup: true });
    const [policy] = policiesOf(adopted({ schedules: [before], locations: [location()] }));
    const changed = driftOf(policy, schedule(spec, { defaultVolumesToFsBackup: true, ...template }));
    expect(changed).toHaveLength(1);
    expect(changed[0]).toMatch(words);
  });

  it("tells of a schedule that is gone, refused, behind, or whose backups fail", () => {
    const live = schedule();
    const [policy] = policiesOf(adopted({ schedules: [live], locations: [location()] }));
    const held = policy === undefined ? undefined : heldScheduleOf(policy);
    if (held === undefined) throw new Error("no schedule");
    const ask = (found: Partial<Parameters<typeof heldDrift>[1]>) =>
      heldDrift(held, {
        schedule: undefined,
        location: asObject(location()),
        newest: undefined,
        nowMs,
        ...found,
      });
    expect(ask({})).toMatchObject([{ setting: "velero.schedule", found: "not there", mendable: true }]);
    const fresh = { ...asObject(live), status: { lastBackup: "2026-11-20T03:00:00Z" } };
    expect(ask({ schedule: fresh, location: undefined })).toMatchObject([
      { setting: "velero.storageLocation" },
    ]);
    const newest = { metadata: { name: "daily-1" }, status: { phase: "PartiallyFailed" } };
    expect(ask({ schedule: fresh, newest })).toMatchObject([
      { found: "daily-1: PartiallyFailed", severity: "critical" },
    ]);
    const old = { ...fresh, status: { lastBackup: "2026-11-18T03:00:00Z" } };
    expect(ask({ schedule: old })).toMatchObject([{ found: "none for 2d9h", mendable: false }]);
    const refused = {
      ...fresh,
      status: { ...fresh.status, phase: "FailedValidation", validationErrors: ["no"] },
    };
    expect(ask({ schedule: refused })).toMatchObject([{ found: "no" }]);
  });

  it.each<[string, Fields, readonly Fields[], RegExp]>([
    ["no location at all", schedule(), [], /storage location is not there/],
    ["a location that is gone", schedule({}, { storageLocation: "x" }), [location()], /'x' is not there/],
    ["another cloud", schedule(), [location({ provider: "azure" })], /provider 'azure'/],
    ["no bucket", schedule(), [location({ objectStorage: {} })], /no bucket/],
    ["@every", schedule({ schedule: "@every 6h" }), [location()], /@every/],
    ["a schedule that never comes", schedule({ schedule: "0 0 30 2 *" }), [location()], /never comes/],
    ["no schedule", schedule({ schedule: 7 }), [location()], /no cron line/],
    ["a paused one", schedule({ paused: true }), [location()], /paused/],
    ["no spec", { metadata: { name: "x", namespace: "velero" } }, [location()], /no cron line/],
    ["nothing at all", {}, [location()], /no cron line/],
    ["namespaces that are none", schedule({}, { includedNamespaces: ["a\nb: c"] }), [location()], /no shape/],
  ])("does not adopt %s, and says why", (_what, one, locations, words) => {
    const adoption = adopted({ schedules: [one], locations });
    expect([adoption.files, adoption.policies]).toEqual([[], []]);
    expect(adoption.notAdopted).toHaveLength(1);
    expect(adoption.notAdopted[0]?.reason).toMatch(words);
  });

  it("gives each of many its own name and prefix in one store", () => {
    const many = ["a", "A.b", "a-b", "x".repeat(60), "x".repeat(61), "-"].map((name) =>
      schedule({}, {}, name),
    );
    const adoption = adopted({ schedules: many, locations: [location()] });
    expect(errorsOf(adoption)).toEqual([]);
    expect(new Set(policiesOf(adoption).map((p) => p.name)).size).toBe(many.length);
    expect(new Set(policiesOf(adoption).map((p) => p.store.name)).size).toBe(1);
  });

  it("keeps out of Velero's own place, whether it has a prefix or the whole bucket", () => {
    const whole = adopted({
      schedules: [schedule()],
      locations: [location({ objectStorage: { bucket: "bud-velero" } })],
    });
    expect(policiesOf(whole)[0]?.store.prefix).toBe("backups/holdfast-velero-daily/");
  });

  it("takes the keys out of an address, and the location of the usual one that is marked", () => {
    const marked = location(
      {
        default: true,
        objectStorage: { bucket: "bud-velero" },
        config: { s3Url: "http://key:CANARY@minio.velero.svc:9000", s3ForcePathStyle: "true" },
      },
      "minio",
    );
    const adoption = adopted({ schedules: [schedule()], locations: [location(), marked] });
    expect(readPolicySet(adoption.files, schemas).set.stores).toMatchObject([
      { endpoint: "http://minio.velero.svc:9000", forcePathStyle: true },
    ]);
    expect(everythingOf(adoption)).not.toContain("CANARY");
    expect(driftOf(policiesOf(adoption)[0], schedule(), marked)).toEqual([]);
  });

  it("leaves alone what a policy of the folder is about", () => {
    const first = adopted({ schedules: [schedule()], locations: [location()] });
    const again = adopted({ schedules: [schedule()], locations: [location()] }, { existing: first.files });
    expect(again.files).toEqual([]);
    expect(again.notAdopted).toMatchObject([{ reason: "policy 'velero-daily' is about it already" }]);
  });
});
