/** A kubeconfig that leads to something else than a cluster: nothing may be taken for a cluster that holds nothing. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineContext } from "../../src/engine/engine.ts";
import { openCluster } from "../../src/engine/velero/cluster.ts";
import { sourceInventory } from "../../src/engine/velero/source-inventory.ts";
import { openExec } from "../../src/exec/system.ts";
import { whereIs } from "../servers/on-path.ts";
import { policyFor } from "../servers/world.ts";

describe.skipIf(whereIs("kubectl") === undefined)("a cluster that is none", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-no-cluster-"));
  const kubeconfig = join(folder, "kubeconfig");
  let server: Server;
  let answer: { readonly status: number; readonly body: string };

  beforeAll(async () => {
    server = createServer((_, response) => {
      response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const cluster = { name: "c", cluster: { server: `http://127.0.0.1:${port}` } };
    const context = { name: "c", context: { cluster: "c", user: "u" } };
    const users = [{ name: "u", user: {} }];
    // JSON is YAML.
    writeFileSync(
      kubeconfig,
      JSON.stringify({ clusters: [cluster], contexts: [context], users, "current-context": "c" }),
    );
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  const contextOf = (): EngineContext => {
    const base = policyFor({ port: 1, binDirectory: folder });
    const policy = { ...base, component: "kubernetes" as const, connection: { kubeconfig } };
    return { policy, exec: openExec(), signal: AbortSignal.timeout(60_000) } as unknown as EngineContext;
  };

  it.each([
    ["knows no path", 404, "404 page not found"],
    ["knows no resource, in Kubernetes' own words", 404, '{"kind":"Status","reason":"NotFound","code":404}'],
    ["answers with other JSON", 200, '{"ok":true}'],
  ])("cannot be looked at when it %s", async (_, status, body) => {
    answer = { status, body };
    await expect(sourceInventory.look(contextOf())).rejects.toMatchObject({ code: "source-unreachable" });
  });

  it("is not what a cluster without a resource is", async () => {
    answer = { status: 404, body: '{"kind":"Status","apiVersion":"v1","reason":"NotFound","code":404}' };
    const cluster = await openCluster(contextOf());
    expect(await cluster.list("/apis/velero.io/v1/namespaces/velero/backups")).toEqual([]);
  });
});
