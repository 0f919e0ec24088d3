/** A lost repository comes back out of the cluster, byte for byte, and whatever does not fit is named. */
import { describe, expect, it } from "vitest";
import type { OwnFound } from "../../../src/adopt/found.ts";
import { readPolicyPaths } from "../../../src/cli/policy-files.ts";
import { componentKinds } from "../../../src/component.ts";
import { desiredJobs } from "../../../src/plan/jobs.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import { adopted, cronJob, location, schedule, schemas, script } from "./objects.ts";

const folder = new URL("../../../policies", import.meta.url).pathname;
const files = (await readPolicyPaths([folder])).map((f) => ({
  ...f,
  path: `policies/${f.path.split("/").at(-1)}`,
}));
const { set } = readPolicySet(files, schemas);
const jobs = desiredJobs(set, componentKinds).jobs;
const own: OwnFound = {
  namespace: "holdfast",
  jobs,
  unreadable: [],
  images: ["holdfast:1"],
  logLevels: ["info"],
  bundle: { revision: "0123456789abcdef", files },
};

describe("recovering Holdfast's own", () => {
  it("gives the files back as they were, and every job is as they say", () => {
    const adoption = adopted({ own: [own] });
    expect(adoption.files.map((f) => f.path)).toEqual(files.map((f) => f.path.slice("policies/".length)));
    for (const [n, file] of adoption.files.entries()) expect(file.bytes).toEqual(files[n]?.bytes);
    expect(adoption.own).toEqual({
      namespace: "holdfast",
      revision: "0123456789abcdef",
      image: "holdfast:1",
      logLevel: "info",
      count: jobs.length,
      differing: [],
    });
    expect(adoption.policies.map((p) => p.policy)).toEqual(set.policies.map((p) => p.name));
    expect(adoption.notAdopted).toEqual([]);
  });

  it("names jobs that a plan would change, make or remove, and a second image", () => {
    const [first, ...rest] = jobs;
    if (first === undefined) throw new Error("no job");
    const changed = jobs.map((j) => (j.key === "redis/capture" ? { ...j, deadlineMs: 1 } : j));
    const extra = { ...first, key: "gone/capture", policy: "gone" };
    expect(adopted({ own: [{ ...own, jobs: changed }] }).own?.differing).toEqual([
      "redis/capture: the policies say another deadlineMs",
    ]);
    expect(adopted({ own: [{ ...own, jobs: rest }] }).own?.differing).toEqual([
      `${first.key}: the policies ask for it and the cluster does not have it`,
    ]);
    expect(adopted({ own: [{ ...own, jobs: [...jobs, extra], images: ["a", "b"] }] }).own?.differing).toEqual(
      ["gone/capture: no policy asks for it", "the runs have 2 images: a, b"],
    );
  });

  it("without the policies names each policy's jobs and makes up nothing", () => {
    const { bundle: _, ...without } = own;
    const adoption = adopted({
      own: [{ ...without, unreadable: ["odd"], bundleFault: "ConfigMap x is damaged" }],
    });
    expect(adoption.files).toEqual([]);
    expect(adoption.notAdopted[0]).toMatchObject({ what: "CronJob holdfast/odd" });
    expect(adoption.notAdopted.map((n) => n.reason).join("\n")).toMatch(
      /ConfigMap x is damaged.*postgresql\/capture at '0 2 \* \* \*' Etc\/UTC/,
    );
  });

  it.each([
    ["../../etc/cron.yaml"],
    ["/etc/cron.yaml"],
    ["a/../../b.yaml"],
    ["a\\b.yaml"],
    ["a\0.yaml"],
    ["run.sh"],
    ["a//b.yaml"],
  ])("writes no file at %j", (path) => {
    const bundle = { revision: "", files: [...files, { path, bytes: new Uint8Array() }] };
    const adoption = adopted({ own: [{ ...own, bundle }] });
    expect(adoption.files).toEqual([]);
    expect(adoption.notAdopted[0]?.reason).toMatch(/leads out of a folder/);
  });

  it("does not mix two installations", () => {
    const adoption = adopted({ own: [own, { ...own, namespace: "second" }] });
    expect(adoption.files).toEqual([]);
    expect(adoption.notAdopted).toHaveLength(2);
  });

  describe("whose drills run in a namespace of their own", () => {
    const isDrill = ({ key }: { readonly key: string }): boolean => /verify-[45]$/.test(key);
    const apart = { variables: ["S3_READ_KEY"] };
    const home = { ...own, jobs: jobs.filter((j) => !isDrill(j)) };
    const drills = {
      ...own,
      namespace: "holdfast-drills",
      jobs: jobs.filter(isDrill).map((j) => ({ ...j, apart })),
      images: ["holdfast:2"],
    };

    it("is one installation, called by the namespace of everything else", () => {
      const adoption = adopted({ own: [drills, home] });
      expect(adoption.files).toHaveLength(files.length);
      expect(adoption.own).toMatchObject({ namespace: "holdfast", count: jobs.length });
      expect(adoption.own?.differing).toContain("the runs have 2 images: holdfast:1, holdfast:2");
      expect(adoption.notAdopted).toEqual([]);
    });

    it("is two where the drills have other policies, or two homes could be theirs", () => {
      const bundle = { revision: "fedcba9876543210", files };
      for (const found of [
        [home, { ...drills, bundle }],
        [home, { ...home, namespace: "second" }, drills],
      ]) {
        const adoption = adopted({ own: found });
        expect(adoption.files).toEqual([]);
        expect(adoption.notAdopted.map((n) => n.what)).toEqual(
          found.map((o) => `Holdfast in ${o.namespace}`),
        );
      }
    });
  });

  it("gives only what the folder lacks or has otherwise", () => {
    const existing = adopted({ own: [own] }).files;
    expect(adopted({ own: [own] }, { existing }).files).toEqual([]);
    const [first, ...rest] = existing;
    if (first === undefined) throw new Error("no file");
    expect(adopted({ own: [own] }, { existing: rest }).files).toEqual([first]);
    const other = { path: first.path, bytes: first.bytes.slice(1) };
    const changed = adopted({ own: [own] }, { existing: [...rest, other] });
    expect(changed.files).toEqual([first]);
    expect(changed.own?.differing).toEqual([]);
  });

  it("adopts others beside its own: recovered keys and stores are used, file names do not clash", () => {
    const dump = cronJob(script("pg_dump -h db -U app x | aws s3 cp - s3://bud-backups/x"), {}, "postgresql");
    const adoption = adopted(
      { own: [own], cronJobs: [dump], schedules: [schedule()], locations: [location()] },
      { recipients: {} },
    );
    expect(adoption.own?.differing).toEqual([]);
    const all = readPolicySet(adoption.files, schemas);
    expect(all.findings).toEqual([]);
    expect(all.set.policies.find((p) => p.name === "shop-postgresql")).toMatchObject({
      encryption: { recipients: ["runner", "escrow"] },
      store: { name: "primary" },
    });
    expect(new Set(adoption.files.map((f) => f.path)).size).toBe(adoption.files.length);
  });
});
