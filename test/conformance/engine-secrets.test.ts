/** The engine of secrets under the suite: an export, and a raft snapshot, of a real OpenBao. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
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
import { freePort } from "../servers/ports.ts";
import { until } from "../servers/waiting.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const value = "correct-horse-battery-$taple'\"";
const inMetadata = "a note about the horse, 7f3e";
const program = baoProgram();

/** Every key and the root token of what `operator init` prints. */
function keysIn(text: string): readonly string[] {
  const made = JSON.parse(text) as Readonly<Record<string, readonly string[]>> & {
    readonly root_token: string;
  };
  return [...(made["unseal_keys_b64"] ?? []), ...(made["unseal_keys_hex"] ?? []), made.root_token];
}

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
    // What a loader can lose: a secret without fields, more versions than the default keeps, a deleted one, limits.
    await api.write("secret/config", { max_versions: 20 });
    await api.write("secret/data/empty", { data: {} });
    for (let i = 1; i <= 12; i += 1)
      await api.write("secret/data/long", { data: { password: `${value} ${i}` } });
    await api.write("secret/delete/long", { versions: [5] });
    await api.write("secret/metadata/app/2", {
      custom_metadata: { note: inMetadata },
      cas_required: true,
      delete_version_after: "3h",
    });
    await api.write(
      "sys/policies/acl/app",
      { policy: 'path "secret/data/app/*" { capabilities = ["read"] }' },
      "PUT",
    );
    const folders: string[] = [];
    // Stands for bao in the recipe by hand, and notes what every user of the machine could read.
    const notes = mkdtempSync(join(tmpdir(), "holdfast-arguments-"));
    folders.push(notes);
    const [noting, argumentsFile, initFile] = [
      join(notes, "bao"),
      join(notes, "arguments"),
      join(notes, "init.json"),
    ];
    // The keys of the recipe's own throwaway server count too; it alone knows them, so they are kept as it prints them.
    writeFileSync(
      noting,
      `#!/bin/sh\necho "$*" >>"${argumentsFile}"\ncase "$*" in "operator init"*) ${program} "$@" | tee "${initFile}" ;; *) exec ${program} "$@" ;; esac\n`,
      { mode: 0o755 },
    );
    const options = { toolDirectory: dirname(program) };
    const usual = secretsPolicy(bao);
    const connection = isSnapshot
      ? { ...usual.connection, unsealKeysFrom: { env: unsealName } }
      : usual.connection;
    const policy = secretsPolicy(bao, { connection, capture: { ...usual.capture, method, options } });
    let written = 0;
    return {
      policy,
      secrets: [value, inMetadata, bao.token, bao.unsealKey],
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
        environment: { BAO: noting },
        fingerprint: async (directory, port) => {
          const noted = readFileSync(argumentsFile, "utf8");
          expect(noted).toContain(isSnapshot ? "sys/unseal" : "secret/metadata/app/2");
          const made = isSnapshot
            ? keysIn(readFileSync(initFile, "utf8"))
            : [readFileSync(join(directory, "token"), "utf8")];
          expect(made.every((secret) => secret.length > 20)).toBe(true);
          for (const secret of [value, inMetadata, bao.token, bao.unsealKey, ...made])
            expect(noted.includes(secret)).toBe(false);
          const address = `http://127.0.0.1:${port}`;
          if (!isSnapshot) {
            const restored = openApi({ address, token: readFileSync(join(directory, "token"), "utf8") });
            return contentsOf(restored).finally(() => restored.close());
          }
          const restored = openApi({ address, token: bao.token });
          await until(async () => (await healthOf(restored)) === "sealed");
          // A key that is given too early is forgotten.
          await until(async () => {
            const health = await healthOf(restored);
            if (health === "sealed") await restored.write("sys/unseal", { key: bao.unsealKey }, "PUT");
            return health === "active";
          }, 120_000);
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
