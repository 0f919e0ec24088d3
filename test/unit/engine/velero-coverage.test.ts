/** Which parts of a cluster a backup has to hold, and when it does not count. */
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/engine/velero/cluster.ts";
import { coverageOf, type Expected } from "../../../src/engine/velero/coverage.ts";
import type { InventoryLine } from "../../../src/engine/velero/inventory.ts";
import { settingsOf } from "../../../src/engine/velero/settings.ts";
import { veleroPolicy } from "../../servers/velero.ts";

const policy = veleroPolicy({ cluster: { kubeconfig: "/k" } } as never, ["shop"]);
const settings = settingsOf({
  ...policy,
  capture: { ...policy.capture, options: { includedNamespaces: ["*"], productionNamespaces: ["shop"] } },
});
const object = (namespace: string, name: string, more: object = {}): KubeObject => ({
  metadata: { name, namespace },
  ...more,
});
const line = (resource: string, namespace: string, name: string): InventoryLine => ({
  ...{ resource, apiVersion: "v1", kind: "", namespace, name, sha256: "" },
});
const claim = object("shop", "files");
const pod = object("shop", "web", {
  spec: { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "files" } }] },
});
const secret = { resource: "secrets", object: object("shop", "token") };
const held: Expected = { namespaces: ["shop", "lab"], claims: [claim], pods: [pod], data: [secret] };
const whole = [
  line("namespaces", "", "shop"),
  line("namespaces", "", "lab"),
  line("secrets", "shop", "token"),
];
const copy = (phase: string): KubeObject =>
  object("velero", "copy", {
    spec: { pod: { namespace: "shop", name: "web" }, volume: "data" },
    status: { phase, message: "disk trouble", progress: { totalBytes: 7 } },
  });

describe("the cover of a Velero backup", () => {
  it("is whole with every namespace, every Secret and a completed copy of every volume", () => {
    expect(coverageOf(settings, held, held, whole, [copy("Completed")])).toEqual({
      volumesExpected: 1,
      volumesCaptured: 1,
      volumeBytes: 7,
      missing: [],
      uncovered: [],
    });
  });

  it.each([
    ["a copy that failed", held, whole, [copy("Failed")], /volume of claim files.*Failed: disk trouble/],
    ["no copy at all", held, whole, [], /volume of claim files.*node agent/],
    ["no pod", { ...held, pods: [] }, whole, [], /volume of claim files.*no running pod/],
    ["a Secret left out", held, whole.slice(0, 2), [copy("Completed")], /secrets\/token.*not in the backup/],
    [
      "a namespace left out",
      { ...held, data: [] },
      whole.slice(1, 2),
      [copy("Completed")],
      /holds nothing of it/,
    ],
  ] as const)("says what is missing: %s", (_what, before, inventory, copies, words) => {
    const { missing, uncovered } = coverageOf(settings, before, before, inventory, copies);
    expect(uncovered).toEqual([]);
    expect(missing).toHaveLength(1);
    expect(missing.map((g) => `${g.what}: ${g.reason}`).join()).toMatch(words);
  });

  it("forgives what has gone during the backup, and names what lacks outside production", () => {
    const gone: Expected = { ...held, claims: [], data: [] };
    expect(coverageOf(settings, held, gone, whole, []).missing).toEqual([]);
    const { missing, uncovered } = coverageOf(settings, held, held, [whole[0], whole[2]] as never, [
      copy("Completed"),
    ]);
    expect([missing, uncovered.map((g) => g.namespace)]).toEqual([[], ["lab"]]);
  });
});
