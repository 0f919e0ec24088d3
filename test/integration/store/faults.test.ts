/** A real S3 server behind a proxy that does what networks and stores do on bad days. */
import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../../src/store/store.ts";
import { collect, failsWith } from "../../conformance/store.ts";
import { type FaultProxy, type Rule, startProxy } from "../../proxy/proxy.ts";
import { type S3Server, startS3Server } from "../../servers/s3-server.ts";

const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const xml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message></Error>`;
const always = Number.POSITIVE_INFINITY;

let server: S3Server;
let proxy: FaultProxy;
let store: Store;
let direct: Store;

beforeAll(async () => {
  server = await startS3Server();
  proxy = await startProxy({ target: server.endpoint });
  const quick = { retries: 3, firstDelayMs: 5, idleTimeoutMs: 1_000 };
  store = server.open({ ...quick, through: proxy.port });
  direct = server.open();
  await store.abilities();
  // The probe of conditional completion too, so that no fault of a test hits it.
  const warm = store.upload("warm", { ifAbsent: true });
  await warm.write(randomBytes(9 * 1024 * 1024));
  await warm.complete();
});
afterAll(async () => {
  await store?.close();
  await direct?.close();
  await proxy?.stop();
  await server?.stop();
});
beforeEach(() => proxy.script([]));

async function nothingAt(key: string): Promise<void> {
  proxy.script([]);
  expect(await direct.head(key)).toBeUndefined();
  expect(await direct.unfinishedUploads(key)).toEqual([]);
}

const bytes = randomBytes(64 * 1024);

describe("transient faults end in success", () => {
  const faults: readonly (readonly [string, Rule["fault"]])[] = [
    ["500", { kind: "answer", status: 500, body: xml("InternalError") }],
    ["502 without a body", { kind: "answer", status: 502 }],
    ["503 SlowDown", { kind: "answer", status: 503, body: xml("SlowDown") }],
    ["429", { kind: "answer", status: 429 }],
    ["a refused connection", { kind: "refuse" }],
    ["no answer", { kind: "hang" }],
    ["a cut request", { kind: "cut-request", afterBytes: 1_000 }],
    ["a lost answer", { kind: "lose-answer" }],
    ["a byte changed on the way", { kind: "flip", where: "request", atByte: 777 }],
  ];
  for (const [name, fault] of faults)
    it(`put: ${name}`, async () => {
      const key = `transient/${name.replaceAll(" ", "-")}`;
      proxy.script([{ method: "PUT", times: 2, fault }]);
      const info = await store.put(key, bytes, { ifAbsent: true });
      expect(proxy.faults).toBe(2);
      const got = await direct.get(key);
      expect(sha(got.bytes)).toBe(sha(bytes));
      expect(got.info.etag).toBe(info.etag);
    });

  it("gives up after its tries, with a code and without secrets", async () => {
    proxy.script([{ times: always, fault: { kind: "answer", status: 503, body: xml("SlowDown") } }]);
    const error = await store.put("transient/never", bytes).catch((e: Error) => e);
    expect(error).toMatchObject({ code: "store-unreachable" });
    expect(proxy.log).toHaveLength(4);
    const said = `${String(error)} ${(error as Error).stack} ${String((error as Error).cause)}`;
    for (const secret of ["X-Amz-", server.accessKeyId, server.secretAccessKey])
      expect(said).not.toContain(secret);
    await nothingAt("transient/never");
  });

  it("list, head, get and remove", async () => {
    await direct.put("control/a", bytes);
    const fault = { kind: "answer", status: 503, body: xml("SlowDown") } as const;
    for (const act of [
      async () => expect(await collect(store.list("control/"))).toHaveLength(1),
      async () => expect((await store.head("control/a"))?.sizeBytes).toBe(bytes.length),
      async () => expect((await store.get("control/a")).bytes).toHaveLength(bytes.length),
      async () => store.remove(["control/a", "control/b"]),
    ]) {
      proxy.script([{ times: 2, fault }]);
      await act();
      expect(proxy.faults).toBe(2);
    }
    expect(await direct.head("control/a")).toBeUndefined();
  });
});

describe("terminal faults are not tried again", () => {
  const cases = [
    [403, "AccessDenied", "store-denied"],
    [401, "Unauthorized", "store-denied"],
    [404, "NoSuchBucket", "store-denied"],
    [507, "XMinioStorageFull", "store-full"],
    [403, "QuotaExceeded", "store-full"],
    [400, "EntityTooLarge", "store-failed"],
  ] as const;
  for (const [status, code, expected] of cases)
    it(`${status} ${code} is ${expected}`, async () => {
      proxy.script([{ times: always, fault: { kind: "answer", status, body: xml(code) } }]);
      await failsWith(store.put("terminal/a", bytes), expected);
      await failsWith(collect(store.list("terminal/")), expected);
      expect(proxy.log).toHaveLength(2);
      await nothingAt("terminal/a");
    });

  it("wrong credentials", async () => {
    const { openS3Store } = await import("../../../src/store/s3.ts");
    const { s3Settings } = await import("../../servers/settings.ts");
    const wrong = openS3Store(s3Settings(server.endpoint, server.bucket), "write", {
      accessKeyId: server.accessKeyId,
      secretAccessKey: "not-the-secret-of-this-key",
    });
    await failsWith(wrong.put("terminal/b", bytes), "store-denied");
    await failsWith(wrong.head("terminal/b"), "store-denied");
    await wrong.close();
  });

  it("a missing bucket is no missing object", async () => {
    const { openS3Store } = await import("../../../src/store/s3.ts");
    const { s3Settings } = await import("../../servers/settings.ts");
    const nowhere = openS3Store(s3Settings(server.endpoint, "no-such-bucket"), "write", server);
    await failsWith(nowhere.head("a"), "store-denied");
    await failsWith(nowhere.get("a"), "store-denied");
    await failsWith(collect(nowhere.list("")), "store-denied");
    await nowhere.close();
  });
});

describe("conditional writes whose answer is lost", () => {
  it("another writer's object is object-exists, also after a lost answer", async () => {
    await direct.put("lost/theirs", Buffer.from("theirs"));
    proxy.script([{ method: "PUT", fault: { kind: "lose-answer" } }]);
    await failsWith(store.put("lost/theirs", bytes, { ifAbsent: true }), "object-exists");
    expect((await direct.get("lost/theirs")).bytes.toString()).toBe("theirs");
  });

  it("a replacement that went through is a success", async () => {
    const first = await direct.put("lost/match", Buffer.from("one"));
    proxy.script([{ method: "PUT", fault: { kind: "lose-answer" } }]);
    const second = await store.put("lost/match", Buffer.from("two"), { ifMatch: first.etag });
    expect((await direct.get("lost/match")).info.etag).toBe(second.etag);
  });
});

describe("uploads in parts", () => {
  const large = randomBytes(20 * 1024 * 1024);
  const send = async (key: string) => {
    const upload = store.upload(key, { ifAbsent: true });
    for (let at = 0; at < large.length; at += 1_000_000)
      await upload.write(large.subarray(at, at + 1_000_000));
    return upload.complete();
  };
  const part = /partNumber=2/;
  const completion = { method: "POST", path: /[?&]uploadId=/ } as const;

  const mended: readonly (readonly [string, Rule])[] = [
    ["a part cut half way", { path: part, fault: { kind: "cut-request", afterBytes: 3_000_000 } }],
    [
      "a part changed on the way",
      { path: part, fault: { kind: "flip", where: "request", atByte: 4_000_000 } },
    ],
    [
      "a part answered 503",
      { path: part, times: 2, fault: { kind: "answer", status: 503, body: xml("SlowDown") } },
    ],
    ["a completion whose answer is lost", { ...completion, fault: { kind: "lose-answer" } }],
    [
      "a completion of 200 with an error",
      { ...completion, fault: { kind: "answer", status: 200, body: xml("InternalError") } },
    ],
    ["a completion cut in its answer", { ...completion, fault: { kind: "cut-response", afterBytes: 60 } }],
  ];
  for (const [name, rule] of mended)
    it(`mends ${name}`, async () => {
      const key = `parts/${name.replaceAll(" ", "-")}`;
      proxy.script([rule]);
      const info = await send(key);
      expect(proxy.faults).toBeGreaterThan(0);
      expect(info.sizeBytes).toBe(large.length);
      expect(sha(await buffer(await direct.read(key)))).toBe(sha(large));
      expect(await direct.unfinishedUploads(key)).toEqual([]);
    });

  const fatal: readonly (readonly [
    string,
    Rule,
    "store-denied" | "store-full" | "store-unreachable" | "store-failed",
  ])[] = [
    [
      "full at a part",
      { path: part, times: always, fault: { kind: "answer", status: 507, body: xml("XMinioStorageFull") } },
      "store-full",
    ],
    [
      "denied at a part",
      { path: part, times: always, fault: { kind: "answer", status: 403, body: xml("AccessDenied") } },
      "store-denied",
    ],
    [
      "full at completion",
      {
        ...completion,
        times: always,
        fault: { kind: "answer", status: 507, body: xml("XMinioStorageFull") },
      },
      "store-full",
    ],
    [
      "200 with an error, always",
      { ...completion, times: always, fault: { kind: "answer", status: 200, body: xml("InternalError") } },
      "store-failed",
    ],
    [
      "cut at every part",
      { path: part, times: always, fault: { kind: "cut-request", afterBytes: 1_000 } },
      "store-unreachable",
    ],
  ];
  for (const [name, rule, code] of fatal)
    it(`leaves nothing when ${name}`, async () => {
      const key = `fatal/${name.replaceAll(/[ ,]+/g, "-")}`;
      proxy.script([rule]);
      await failsWith(send(key), code);
      expect(proxy.faults).toBeGreaterThan(0);
      await nothingAt(key);
    });
});

describe("reading", () => {
  const large = randomBytes(6 * 1024 * 1024);
  beforeAll(async () => {
    await direct.put("read/large", large);
  });

  it("goes on where the connection was cut", async () => {
    proxy.script([{ method: "GET", times: 3, fault: { kind: "cut-response", afterBytes: 1_500_000 } }]);
    expect(sha(await buffer(await store.read("read/large")))).toBe(sha(large));
    expect(proxy.log).toHaveLength(4);
  });

  it("goes on inside a range", async () => {
    proxy.script([{ method: "GET", times: 1, fault: { kind: "cut-response", afterBytes: 1_000_000 } }]);
    expect(sha(await buffer(await store.read("read/large", 100, 3_000_000)))).toBe(
      sha(large.subarray(100, 3_000_000)),
    );
  });

  it("is an error event when it is cut again and again", async () => {
    proxy.script([
      { method: "GET", fault: { kind: "cut-response", afterBytes: 100 } },
      { method: "GET", times: always, fault: { kind: "refuse" } },
    ]);
    await failsWith(buffer(await store.read("read/large")), "store-unreachable");
  });

  it("does not mix two versions of an object", async () => {
    await direct.put("read/moving", randomBytes(3_000_000));
    const moved = Promise.withResolvers<void>();
    proxy.script([
      { method: "GET", fault: { kind: "cut-response", afterBytes: 1_000_000 } },
      { method: "GET", fault: { kind: "hold", until: moved.promise } },
    ]);
    const stream = await store.read("read/moving");
    await direct.put("read/moving", randomBytes(3_000_000));
    moved.resolve();
    await failsWith(buffer(stream), "object-exists");
  });

  it("a slow answer is no failure", async () => {
    proxy.script([{ method: "GET", fault: { kind: "slow", bytesPerSecond: 3_000_000 } }]);
    expect(sha(await buffer(await store.read("read/large")))).toBe(sha(large));
    expect(proxy.log).toHaveLength(1);
  });
});

describe("listings that lie", () => {
  beforeAll(async () => {
    for (const name of ["a", "b", "c"]) await direct.put(`lie/${name}`, bytes);
  });
  const lies: readonly (readonly [string, (body: string) => string])[] = [
    ["cut without a next page", (body) => body.replace("<IsTruncated>false", "<IsTruncated>true")],
    ["not said whether it goes on", (body) => body.replace(/<IsTruncated>.*<\/IsTruncated>/, "")],
    ["going back", (body) => body.replace("<Key>lie/c", "<Key>lie/0")],
    ["outside the prefix", (body) => body.replace("<Key>lie/c", "<Key>zzz/c")],
    ["another document", () => "<html><body>It works!</body></html>"],
  ];
  for (const [name, change] of lies)
    it(`${name} throws`, async () => {
      proxy.script([{ method: "GET", times: always, fault: { kind: "rewrite", change } }]);
      await failsWith(collect(store.list("lie/")), "store-failed");
    });

  it("cut in the middle throws when it stays so", async () => {
    proxy.script([{ method: "GET", times: always, fault: { kind: "cut-response", afterBytes: 300 } }]);
    await failsWith(collect(store.list("lie/")), "store-unreachable");
  });
});

it("looks first where a server takes no notice of conditions", async () => {
  await direct.put("deaf/there", Buffer.from("first"));
  // Every probe of a condition seems to be written: what a server does that ignores the header.
  const fault = { kind: "answer", status: 200 } as const;
  proxy.script([{ method: "PUT", path: /holdfast-probe/, times: always, fault }]);
  const deaf = server.open({ retries: 0, through: proxy.port });
  expect(await deaf.abilities()).toMatchObject({ ifAbsent: false, ifMatch: false });
  await failsWith(deaf.put("deaf/there", bytes, { ifAbsent: true }), "object-exists");
  await failsWith(deaf.put("deaf/there", bytes, { ifMatch: "stale" }), "object-exists");
  await deaf.put("deaf/new", bytes, { ifAbsent: true });
  expect((await direct.get("deaf/there")).bytes.toString()).toBe("first");
  await deaf.close();
});

it("ends at once when it is interrupted", async () => {
  proxy.script([{ times: always, fault: { kind: "hang" } }]);
  const stop = new AbortController();
  const hung = server.open({ signal: stop.signal, through: proxy.port });
  setTimeout(() => stop.abort(), 200);
  const startedAtMs = performance.now();
  await failsWith(hung.put("stop/a", bytes), "interrupted");
  await failsWith(hung.head("stop/a"), "interrupted");
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  await hung.close();
  await nothingAt("stop/a");
});
