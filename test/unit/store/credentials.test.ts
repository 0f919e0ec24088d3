/** Each use of a store takes the set of credentials that is meant for it, and misses no other. */
import { describe, expect, it } from "vitest";
import type { Hold, Verdict } from "../../../src/catalogue/manifest.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { openExec } from "../../../src/exec/system.ts";
import { silent } from "../../../src/log.ts";
import type { StoreCredentials, StoreSettings } from "../../../src/policy/model.ts";
import { credentialsOf, type StoreRole } from "../../../src/policy/store-credentials.ts";
import { openRepository, type StoreSet } from "../../../src/repository/open.ts";
import type { Store } from "../../../src/store/store.ts";
import { systemClock } from "../../../src/time/clock.ts";
import { openMemoryStore } from "../../fakes/memory-store.ts";
import { s3Settings } from "../../servers/settings.ts";
import { policy, verdict } from "../report/fixtures.ts";

const found: Verdict = verdict(Date.parse("2026-11-20T02:00:00Z"), 4);
const hold: Hold = {
  apiVersion: "holdfast.dev/v1",
  kind: "Hold",
  policy: "postgresql",
  point: found.point,
  until: null,
  reason: "asked for",
  by: "somebody",
  at: found.at,
};
const repository = (stores: StoreSet) =>
  openRepository({
    policy: policy({ store: { name: "primary", prefix: "postgresql/" } }),
    cluster: "prod",
    settings: s3Settings("http://127.0.0.1:1", "b", "primary"),
    stores,
    recipients: [],
    identities: async () => [],
    exec: openExec(),
    clock: systemClock,
    log: silent,
  });
async function keysIn(store: Store): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}
const missing = (name: string) =>
  new HoldfastError("key-missing", `the secret in variable ${name} is not there`);

describe("a repository without the right to write backups", () => {
  it("writes verdicts with their own set, and says what else is missing where it is needed", async () => {
    const [read, own] = [openMemoryStore("read"), openMemoryStore("verdict")];
    const denied = { write: missing("WRITE"), delete: missing("DELETE") };
    const opened = await repository({ read, verdict: own, denied });
    opened.demandVerdicts();
    await opened.addVerdict(found);
    expect(await keysIn(own)).toEqual([expect.stringMatching(/^postgresql\/verdicts\/20261121T020000Z\//)]);
    expect(await keysIn(read)).toEqual([]);
    await expect(opened.addHold(hold)).rejects.toBe(denied.write);
    await expect(opened.lock("postgresql", "me")).rejects.toBe(denied.write);
    expect(() => opened.removeHold(found.point)).toThrow(denied.delete);
    expect(opened.missingCredentials()).toEqual([denied.write, denied.delete]);
  });

  it("says so before the work whose verdict nobody could write", async () => {
    const [read, write] = [openMemoryStore("read"), openMemoryStore("write")];
    const denied = { verdict: missing("VERDICT") };
    // The set is named and its secret not here: the writer's is not taken instead.
    const opened = await repository({ read, write, denied });
    expect(() => opened.demandVerdicts()).toThrow(denied.verdict);
    await expect(opened.addVerdict(found)).rejects.toBe(denied.verdict);
    const without = await repository({ read, write });
    await without.addVerdict(found);
    expect((await keysIn(write)).length).toBe(1);
  });
});

describe("the sets of credentials", () => {
  const set = (name: string): StoreCredentials => ({
    accessKeyId: { env: `${name}_ID` },
    secretAccessKey: { env: `${name}_SECRET` },
  });
  const settings = (...names: readonly StoreRole[]): StoreSettings => ({
    ...s3Settings("http://127.0.0.1:1", "b"),
    credentials: Object.fromEntries(names.map((name) => [name, set(name)])),
  });

  it.each([
    ["verdict", ["write", "verdict"], "verdict"],
    ["verdict", ["write", "delete"], "write"],
    ["verdict", ["read", "delete"], undefined],
    ["read", ["verdict"], undefined],
    ["write", ["verdict", "delete"], undefined],
  ] as const)("%s of %j is %s", (role, names, expected) => {
    const taken = credentialsOf(settings(...names), role)?.accessKeyId.env;
    expect(taken).toBe(expected === undefined ? undefined : `${expected}_ID`);
  });
});
