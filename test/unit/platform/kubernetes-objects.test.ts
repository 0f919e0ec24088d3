/** The objects of a job and of an installation, without a cluster in sight. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { parseSlot } from "../../../src/cli/options.ts";
import { installYaml } from "../../../src/cli/verbs/install.ts";
import { describeDrift, driftOf } from "../../../src/platform/kubernetes/objects/drift.ts";
import { installObjects } from "../../../src/platform/kubernetes/objects/install.ts";
import { jobObject, runObject } from "../../../src/platform/kubernetes/objects/job-objects.ts";
import { objectName, runName, slotOfRunName } from "../../../src/platform/kubernetes/objects/names.ts";
import { usualSettings } from "../../../src/platform/kubernetes/objects/settings.ts";
import type { KubeObject } from "../../../src/platform/kubernetes/objects/shapes.ts";
import type { Job } from "../../../src/state/job.ts";

const job: Job = {
  key: "postgresql/capture",
  policy: "postgresql",
  kind: "capture",
  schedule: { kind: "cron", cron: "0 2 * * *", timeZone: "Europe/Berlin" },
  argv: ["backup", "postgresql"],
  deadlineMs: 3_600_000,
  suspended: false,
  group: "postgresql",
};
const built = () => jobObject(job, "r1", usualSettings);
const copy = (object: KubeObject) =>
  structuredClone(object) as unknown as { spec: Record<string, never> } & KubeObject;

describe("names", () => {
  it("are labels of at most 52 characters and never shared by two keys", () => {
    const key = fc.string({ unit: fc.constantFrom(..."ab-/A_."), minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(objectName(one)).toMatch(/^[a-z0-9-]{1,52}$/);
        if (one !== other) expect(objectName(one)).not.toBe(objectName(other));
      }),
    );
  });

  it("of runs carry the slot, as the CronJob controller writes it", () => {
    const slotAt = "2026-11-20T02:00:00.000Z";
    const name = runName("postgresql/capture", slotAt);
    expect(name).toBe(`postgresql--capture-${Date.parse(slotAt) / 60_000}`);
    expect(slotOfRunName(name)).toBe(slotAt);
    expect(parseSlot(name)).toBe(Date.parse(slotAt));
    const odd = instant(Date.parse(slotAt) + 7000);
    expect(slotOfRunName(runName("postgresql/capture", odd))).toBe(odd);
  });
});

describe("a job's object", () => {
  it("keeps time zone, order and deadlines, and gives a pod no rights and no secret's value", () => {
    const object = built() as unknown as Record<string, never>;
    expect(object).toMatchObject({
      kind: "CronJob",
      spec: {
        schedule: "0 2 * * *",
        timeZone: "Europe/Berlin",
        concurrencyPolicy: "Forbid",
        suspend: false,
        startingDeadlineSeconds: 3600,
        jobTemplate: {
          spec: {
            backoffLimit: 0,
            activeDeadlineSeconds: 3600,
            template: {
              spec: {
                automountServiceAccountToken: false,
                securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
              },
            },
          },
        },
      },
    });
    const text = JSON.stringify(object);
    expect(text).toContain('"--slot","$(HOLDFAST_RUN)"');
    expect(text).not.toContain("identity");
    expect(JSON.stringify(jobObject({ ...job, kind: "verify" }, "r1", usualSettings))).toContain(
      "--identity",
    );
  });

  it("of a resident is a Deployment that never runs twice; suspended it has no pod", () => {
    const resident = { ...job, key: "postgresql/log", kind: "log", schedule: { kind: "resident" } } as const;
    expect(jobObject(resident, "r1", usualSettings)).toMatchObject({
      kind: "Deployment",
      spec: { replicas: 1, strategy: { type: "Recreate" } },
    });
    expect(jobObject({ ...resident, suspended: true }, "r1", usualSettings)).toMatchObject({
      spec: { replicas: 0 },
    });
  });

  it("of one run has the slot in its name and its arguments", () => {
    const slotAt = "2026-11-20T02:00:00.000Z";
    const run = runObject(job, slotAt, built(), usualSettings);
    expect(run.metadata.name).toBe(runName(job.key, slotAt));
    expect(JSON.stringify(run)).toContain(`"--slot","${slotAt}"`);
  });
});

describe("drift", () => {
  it("is none where the server has only filled in its own", () => {
    const live = copy(built());
    Object.assign(live.spec, { failedJobsHistoryLimit: 5, successfulJobsHistoryLimit: 5 });
    Object.assign(live, { status: { lastScheduleTime: "2026-11-20T02:00:00Z" } });
    expect(driftOf(built(), live)).toEqual([]);
  });

  it("names the field and who changed it, also where something was added", () => {
    const live = copy(built());
    Object.assign(live.spec, { schedule: "0 5 * * *" });
    const pod = (
      live as never as { spec: { jobTemplate: { spec: { template: { spec: Record<string, unknown> } } } } }
    ).spec.jobTemplate.spec.template.spec;
    pod["hostNetwork"] = true;
    Object.assign(live.metadata, {
      managedFields: [
        {
          manager: "kubectl-edit",
          operation: "Update",
          time: "2026-11-20T03:00:00Z",
          fieldsV1: {
            "f:spec": {
              "f:schedule": {},
              "f:jobTemplate": { "f:spec": { "f:template": { "f:spec": { "f:hostNetwork": {} } } } },
            },
          },
        },
      ],
    });
    expect(driftOf(built(), live).map(describeDrift)).toEqual([
      `spec.schedule is "0 5 * * *", not "0 2 * * *"; changed by 'kubectl-edit' at 2026-11-20T03:00:00Z`,
      "spec.jobTemplate.spec.template.spec.hostNetwork was added; changed by 'kubectl-edit' at 2026-11-20T03:00:00Z",
    ]);
  });
});

describe("an installation", () => {
  it("is the same by install and by deploy/kubernetes", async () => {
    const objects = installObjects({
      ...usualSettings,
      repositoryUrl: "https://git.example.org/backup-policies.git",
    });
    const kept = readFileSync(new URL("../../../deploy/kubernetes/holdfast.yaml", import.meta.url), "utf8");
    expect(kept).toBe(await installYaml(objects));
  });
});
