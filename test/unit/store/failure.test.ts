/** What a failed request means, and what may be said about it. */
import { describe, expect, it } from "vitest";
import { HoldfastError } from "../../../src/errors.ts";
import { credentialsOf } from "../../../src/policy/store-credentials.ts";
import { probeConditions } from "../../../src/store/abilities.ts";
import { compareKeys } from "../../../src/store/keys.ts";
import { openStore } from "../../../src/store/open.ts";
import { S3Failure, transient, withoutQuery, withRetries } from "../../../src/store/s3-failure.ts";
import { openMemoryStore } from "../../fakes/memory-store.ts";
import { s3Settings } from "../../servers/settings.ts";

const quick = { retries: 3, firstDelayMs: 1, longestDelayMs: 2, totalMs: 1_000 };

describe("failures", () => {
  it("tells transient ones from those that need somebody", () => {
    const cases: readonly (readonly [number, string, boolean])[] = [
      [0, "ECONNRESET", true],
      [500, "InternalError", true],
      [503, "SlowDown", true],
      [429, "HTTP429", true],
      [400, "BadDigest", true],
      [409, "ConditionalRequestConflict", true],
      [403, "AccessDenied", false],
      [404, "NoSuchBucket", false],
      [412, "PreconditionFailed", false],
      [507, "HTTP507", false],
      [500, "XMinioStorageFull", false],
    ];
    for (const [status, code, expected] of cases)
      expect(transient(new S3Failure(status, code, "")), `${status} ${code}`).toBe(expected);
  });

  it("shows no query of a presigned address", () => {
    const text = withoutQuery("GET http://h/b/k?X-Amz-Credential=AKIA&X-Amz-Signature=abc failed");
    expect(text).toBe("GET http://h/b/k failed");
  });

  it("tries a transient failure again and ends with its code", async () => {
    let tries = 0;
    const act = async () => {
      tries += 1;
      throw new S3Failure(503, "SlowDown", "slower");
    };
    await expect(withRetries("writing", quick, act)).rejects.toMatchObject({ code: "store-unreachable" });
    expect(tries).toBe(4);
  });

  it("leaves a bug of ours a bug", async () => {
    const act = async () => {
      throw new TypeError("x is undefined");
    };
    await expect(withRetries("writing", quick, act)).rejects.toBeInstanceOf(TypeError);
  });
});

describe("the probe of conditions", () => {
  it("finds a store that ignores them, and cleans up", async () => {
    const store = openMemoryStore("memory");
    const deaf = {
      put: (key: string, bytes: Uint8Array) => store.put(key, bytes),
      remove: (keys: readonly string[]) => store.remove(keys),
    };
    expect(await probeConditions(deaf)).toEqual({ ifAbsent: false, ifMatch: false });
    for await (const left of store.list("")) throw new Error(`left behind: ${left.key}`);
  });

  it("does not take a store that refuses every ifMatch for one that honours it", async () => {
    const store = openMemoryStore("memory");
    const found = await probeConditions({
      put: async (key, bytes, options) => {
        if (options?.ifMatch !== undefined) throw new HoldfastError("object-exists", "never");
        return store.put(key, bytes, options);
      },
      remove: (keys) => store.remove(keys),
    });
    expect(found).toEqual({ ifAbsent: true, ifMatch: false });
  });
});

describe("credentials", () => {
  const set = (name: string) => ({
    accessKeyId: { env: `${name}_ID` },
    secretAccessKey: { env: `${name}_KEY` },
  });

  it("fall back only to the writer's", async () => {
    const settings = { ...s3Settings("http://127.0.0.1:1", "b"), credentials: { write: set("W") } };
    expect(credentialsOf(settings, "read")?.accessKeyId).toEqual({ env: "W_ID" });
    expect(credentialsOf(settings, "delete")?.accessKeyId).toEqual({ env: "W_ID" });
    const noWriter = { ...settings, credentials: { delete: set("D") } };
    expect(credentialsOf(noWriter, "write")).toBeUndefined();
    expect(credentialsOf(noWriter, "read")).toBeUndefined();
    await expect(openStore(noWriter, "write", async () => "x")).rejects.toMatchObject({
      code: "store-denied",
    });
  });
});

it("keys sort by bytes, not by UTF-16", () => {
  expect(compareKeys("\u{1f600}", "\uffee")).toBeGreaterThan(0);
  expect(compareKeys("a.b", "a/b")).toBeLessThan(0);
});
