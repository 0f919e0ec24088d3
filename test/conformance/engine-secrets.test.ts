/** The engine of secrets under the suite: an export, and a raft snapshot, of a real OpenBao. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "vitest";
import { openApi } from "../../src/engine/secrets/api.ts";
import { healthOf } from "../../src/engine/secrets/server.ts";
import {
  baoProgram,
  contentsOf,
  mountKeyValue,
  secretsPolicy,
  startBao,
  tokenName,
  unsealName,
} from "../servers/openbao.ts";
import { freePort } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const value = "correct-horse-battery-$taple'\"";
const program = baoProgram();

for (const method of ["vault-export", "raft-snapshot"] as const) {
  const isSnapshot = method === "raft-snapshot";
  if (program === undefined) {
    describe(`engine Secrets, ${method}`, () => it.skip("the server cannot be had here", () => {}));
    continue;
  }
  const open = async (): Promise<EngineFixture> => {
    const bao = await startBao(program);
    process.env[tokenName] = bao.token;
    process.env[unsealName] = bao.unsealKey;
    const { api } = bao;
    await mountKeyValue(api, "secret", 2);
    await mountKeyValue(api, "legacy", 1);
    for (let i = 0; i < 30; i += 1)
      await api.write(`secret/data/app/${i}`, { data: { password: `${value} ${i}` } });
    await api.write("secret/data/app/0", {
      data: { password: `${value} again`, number: 12345678901234567890n.toString() },
    });
    await api.write("secret/metadata/app/1", { custom_metadata: { owner: "platform" }, max_versions: 7 });
    await api.write("legacy/old", { key: value });
    await api.write(
      "sys/policies/acl/app",
      { policy: 'path "secret/data/app/*" { capabilities = ["read"] }' },
      "PUT",
    );
    const folders: string[] = [];
    const options = { toolDirectory: dirname(program) };
    const usual = secretsPolicy(bao);
    const connection = isSnapshot
      ? { ...usual.connection, unsealKeysFrom: { env: unsealName } }
      : usual.connection;
    const policy = secretsPolicy(bao, { connection, capture: { ...usual.capture, method, options } });
    let written = 0;
    return {
      policy,
      secrets: [value, bao.token, bao.unsealKey],
      write: async () => {
        written += 1;
        await api.write("secret/data/written", { data: { count: written } });
        await api.write("secret/data/app/3", { data: { password: `changed ${written}` } });
        await api.ask("DELETE", `secret/metadata/app/${10 + written}`);
      },
      fingerprint: () => contentsOf(api),
      fingerprintOf: async (server) => {
        const restored = openApi({
          address: String(server.connection["vaultAddress"]),
          token: String(server.connection["token"]),
        });
        return contentsOf(restored).finally(() => restored.close());
      },
      withTool: async (script) => {
        const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
        chmodSync(folder, 0o755);
        folders.push(folder);
        const version = `case "$1" in version) exec "$REAL" "$@";; esac`;
        writeFileSync(
          join(folder, "bao"),
          `#!/bin/bash\nset -o pipefail\nREAL=${program}\n${version}\n${script}\n`,
          {
            mode: 0o755,
          },
        );
        return { capture: { ...policy.capture, options: { toolDirectory: folder } } };
      },
      unreachable: { connection: { ...connection, vaultAddress: `http://127.0.0.1:${await freePort()}` } },
      byHand: {
        environment: { BAO: program },
        fingerprint: async (directory, port) => {
          const address = `http://127.0.0.1:${port}`;
          if (!isSnapshot) {
            const restored = openApi({ address, token: readFileSync(join(directory, "token"), "utf8") });
            return contentsOf(restored).finally(() => restored.close());
          }
          const restored = openApi({ address, token: bao.token });
          await until(async () => (await healthOf(restored)) === "sealed");
          await restored.write("sys/unseal", { key: bao.unsealKey }, "PUT");
          await until(async () => (await healthOf(restored)) === "active");
          return contentsOf(restored).finally(() => restored.close());
        },
        stop: async (directory) => {
          process.kill(Number(readFileSync(join(directory, "server.pid"), "utf8")), "SIGKILL");
        },
      },
      close: async () => {
        delete process.env[tokenName];
        delete process.env[unsealName];
        for (const folder of folders) rmSync(folder, { recursive: true, force: true });
        await bao.stop();
      },
    };
  };
  engineConformance(`Secrets, ${method}`, open, isSnapshot);
  if (!isSnapshot) engineDamage("Secrets", open);
  if (!isSnapshot) engineKills("Secrets", open);
}
