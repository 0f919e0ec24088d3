/** What is wrong in a file becomes one finding at the exact place, and nothing in a file can stop the reader. */
import { CORE_SCHEMA, loadAll } from "js-yaml";
import { describe, expect, it } from "vitest";
import { readCarefully } from "../../../src/policy/careful.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import { isPlain } from "../../../src/policy/text.ts";
import { seed } from "../../seed.ts";
import { processorMs } from "../processor-time.ts";
import { schemas } from "./schema-files.ts";

const head = (kind: string, name = "a") =>
  `apiVersion: holdfast.dev/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`;
const rows = `${head("RetentionTable", "table")}rows:\n  - {name: short, keep: {daily: 7}}\n`;
const store = `${head("Store", "disk")}spec:\n  type: directory\n  failureDomain: here\n  path: /backup\n`;
const list = `${head("VerificationChecklist", "list")}checks:\n  - {name: there, level: 0, every: 1d}\n`;
const policy = `${head("BackupPolicy", "db")}spec:
  component: postgresql
  connection: {host: db, user: u}
  objectives: {rpo: 5m, rto: 1h, reach: 6d}
  schedule: {cron: "0 2 * * *"}
  capture: {method: base-backup}
  store: {name: disk}
  retention: short
  verification: list
`;
const all = [rows, store, list, policy].join("---\n");

function read(text: string | Uint8Array, ...others: string[]) {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const files = [
    { path: "a.yaml", bytes },
    ...others.map((t, i) => ({ path: `o${i}.yaml`, bytes: new TextEncoder().encode(t) })),
  ];
  return readPolicySet(files, schemas);
}
const brief = (text: string | Uint8Array) =>
  read(text).findings.map((f) => `${f.rule} ${f.location.line}:${f.location.column}`);

describe("readPolicySet", () => {
  it("resolves with defaults", () => {
    const { set, findings, locate } = read(all);
    expect(findings).toEqual([]);
    expect(set.policies[0]).toMatchObject({
      name: "db",
      capture: { codec: "zstd", level: 3 },
      prune: { floor: 3, graceMs: 259_200_000, maxShare: 0.1 },
      schedule: { timeZone: "Etc/UTC" },
      onDrift: "mend",
      canaryEveryMs: 0,
      verification: { minimumSizeRatio: 0.8, escrowEveryMs: 180 * 86_400_000 },
    });
    const reach = locate({ kind: "BackupPolicy", name: "db" }, ["spec", "objectives", "reach"]);
    const line = all.split("\n")[reach.line - 1] ?? "";
    expect(line.slice(reach.column - 1, reach.endColumn - 1)).toBe("6d");
  });

  it("fills in what the schemas name as defaults", () => {
    const named = (node: unknown, path: string): readonly [string, unknown][] => {
      if (typeof node !== "object" || node === null) return [];
      const { properties = {}, default: own } = node as { properties?: object; default?: unknown };
      return [
        ...(own === undefined ? [] : [[path, own] as [string, unknown]]),
        ...Object.entries(properties).flatMap(([k, v]) => named(v, path === "" ? k : `${path}.${k}`)),
      ];
    };
    const defaults = Object.fromEntries(
      named(schemas.BackupPolicy, "").filter(([k]) => !k.includes("oplog")),
    );
    const filled = read(`${all}  wal: {store: {name: disk}, retention: short}\n`).set.policies[0];
    expect({
      "spec.owner": filled?.owner,
      "spec.suspended": filled?.suspended,
      "spec.failureDomain": filled?.failureDomain,
      "spec.objectives.pitrWindow": `${filled?.objectives.pitrWindowMs}s`,
      "spec.schedule.timeZone": filled?.schedule.kind === "cron" ? filled.schedule.timeZone : "",
      "spec.schedule.onChange.debounce": "5m",
      "spec.schedule.onChange.atLeastEvery": "1d",
      "spec.capture.options": filled?.capture.options,
      "spec.wal.mode": filled?.log?.mode,
      "spec.wal.pushEvery": `${(filled?.log?.pushEveryMs ?? 0) / 1000}s`,
      "spec.wal.store.prefix": filled?.log?.store.prefix,
      "spec.store.prefix": filled?.store.prefix,
      "spec.prune.floor": filled?.prune.floor,
      "spec.prune.grace": `${(filled?.prune.graceMs ?? 0) / 86_400_000}d`,
      "spec.prune.maxShare": filled?.prune.maxShare,
      "spec.canaryEvery": `${filled?.canaryEveryMs}s`,
      "spec.onDrift": filled?.onDrift,
      "spec.coverage.severity": filled?.coverage?.severity,
      "spec.deadline": `${(filled?.deadlineMs ?? 0) / 3_600_000}h`,
    }).toEqual(defaults);
    expect(filled?.log?.slot).toBe("holdfast_db");
  });

  it.each([
    ["syntax", `${rows}  bad: [1\n`, ["yaml/syntax"]],
    ["a tab", `${head("Store")}spec:\n\ttype: s3\n`, ["yaml/tab 6:1"]],
    ["a duplicate key", `${rows}rows: []\n`, ["yaml/duplicate-key 7:1"]],
    ["a tag", `${head("Store")}spec: !!js/function "x"\n`, ["yaml/tag"]],
    ["a reserved name", `${head("Store")}__proto__: {}\n`, ["yaml/reserved-name 5:1"]],
    ["a merge key", `a: &x {b: 1}\nc:\n  <<: *x\n`, ["yaml/merge-key 3:3"]],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 65, 0]), ["yaml/encoding 1:1"]],
    ["broken UTF-8", new Uint8Array([97, 10, 0xc3, 0x28]), ["yaml/encoding 2:1"]],
    ["NUL", "a: b\nc: \0\n", ["yaml/control-character 2:4"]],
    ["a big file", new Uint8Array(1024 * 1024 + 1).fill(35), ["yaml/too-large 1:1"]],
    ["depth", `a: ${"[".repeat(5000)}`, ["yaml/too-deep 1:68"]],
    ["dashes", `${"- ".repeat(5000)}a`, ["yaml/too-deep 1:1"]],
    ["an empty file", "# nothing\n", ["yaml/empty 1:1"]],
    ["a list", "- a\n", ["yaml/not-a-map 1:1"]],
    ["no kind", "apiVersion: holdfast.dev/v1\n", ["schema/kind 1:1"]],
    ["a wrong kind", head("Stor"), ["schema/kind 2:7"]],
    ["a wrong version", rows.replace("/v1", "/v9"), ["schema/api-version 1:13"]],
    ["an unknown key", rows.replace("daily", "dayly"), ["schema/unknown-key 6:26"]],
    ["a wrong type", rows.replace("7", "seven"), ["schema/type 6:33"]],
    ["a lacking key", rows.replace("  name: table\n", "  labels: {}\n"), ["schema/required 3:1"]],
    [
      "yes for true",
      `${store}  forcePathStyle: yes\n`.replace("directory", "s3").replace("path: /backup", "bucket: bbb"),
      ["schema/type 9:19"],
    ],
    ["a field of another type", `${store}  bucket: bbb\n`, ["schema/unknown-key 9:3"]],
    ["a bad duration", all.replace("rpo: 5m", "rpo: 5 minutes"), ["schema/format"]],
    ["a bad cron", all.replace("0 2 * * *", "0 25 * * *"), ["schema/format"]],
    [
      "a log of another component",
      `${all}  oplog: {store: {name: disk}, retention: short}\n`,
      ["schema/unknown-key"],
    ],
    ["a password in YAML", all.replace("user: u", "user: u, password: x"), ["schema/unknown-key"]],
    [
      "two triggers",
      all.replace('{cron: "0 2 * * *"}', '{cron: "0 2 * * *", onChange: {}}'),
      ["schema/unknown-key"],
    ],
    ["a wrong component", all.replace("component: postgresql", "component: postgres"), ["schema/enum"]],
    ["an unknown store", all.replace("store: {name: disk}", "store: {name: dsik}"), ["reference/unknown"]],
    ["a name twice", `${all}---\n${rows.replace("short", "long")}`, ["reference/duplicate"]],
  ])("%s is one finding", (_, text, expected) => {
    const found = brief(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected[0]);
  });

  it("suggests the nearest known word and echoes no secret", () => {
    const key = "AGE-SECRET-KEY-1QQQQ";
    expect(read(rows.replace("daily", "dayly")).findings[0]?.hint).toContain("'daily'");
    expect(read(all.replace("store: {name: disk}", "store: {name: dsik}")).findings[0]?.hint).toContain(
      "'disk'",
    );
    expect(read(all.replace("user: u", "user: u, password: hunter2")).findings[0]?.hint).toContain(
      "passwordFrom",
    );
    const ring = `${head("KeyRing")}keys:\n  - {name: a, recipient: ${key}, role: runner}\n`;
    expect(JSON.stringify(read(ring).findings)).not.toContain(key);
  });

  it("keeps the sound policies beside a broken one", () => {
    const { set } = read(all, policy.replace("name: db", "name: other").replace("5m", "x"));
    expect(set.policies.map((p) => p.name)).toEqual(["db"]);
  });

  it("defuses bombs quickly", () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`,
    );
    const hostile = [
      `l0: &l0 x\n${levels.join("\n")}\n`,
      "a: &a [*a]\n",
      Array.from({ length: 19_000 }, (_, i) => `k${i}: 1`).join("\n"),
      `a: "${"\\x41".repeat(200_000)}`,
      `${"a: |\n".repeat(1)}${" x\n".repeat(15_000)}`,
      `${"? ".repeat(50)}a`,
      `{${"a,".repeat(200_000)}`,
      "---\n".repeat(15_000),
      `${"&a ".repeat(100_000)}x`,
      `${"!".repeat(100_000)} x`,
      `a: b${" ".repeat(1_000_000)}c`,
      `a: ${"b ".repeat(500_000)}`,
      `a: ${"'' ".repeat(60_000)}`,
      `${head("RetentionTable")}rows:\n${"  - {nme: x, keep: {daily: 0}}\n".repeat(15_000)}`,
    ];
    for (const text of hostile) {
      const beforeMs = processorMs();
      const { findings } = read(text);
      expect(findings.length, text.slice(0, 40)).toBeGreaterThan(0);
      expect(findings.length).toBeLessThanOrEqual(100);
      expect(processorMs() - beforeMs, text.slice(0, 40)).toBeLessThan(8000);
    }
  });
});

describe("the two parsers", () => {
  it(`agree on everything the fast one may have (HOLDFAST_SEED=${seed})`, () => {
    let state = seed >>> 0;
    const pick = <T>(items: readonly T[]): T => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return items[Math.floor((state / 2 ** 32) * items.length)] as T;
    };
    const words = [
      "a",
      "b: c",
      "c:",
      "- ",
      "  ",
      "\n",
      "\n  ",
      "\n- ",
      ": ",
      "{a: 1}",
      "[1, b]",
      '"x"',
      "'y'",
      "#z",
      " # z",
      "yes",
      "012",
      "0x1f",
      "1_0",
      "1e3",
      ".5",
      "1.",
      "~",
      "null",
      "True",
      "---\n",
      "*/5",
      "&a",
      "*a",
      "!t",
      "|",
      ">",
      "12:30:00",
      "2026-01-01",
      "-1",
      "+1",
      ".inf",
      "{a: b",
      "]",
      ", ",
      "?",
      "%",
      "0 2 * * *",
      "a#b",
      "é",
      "\r\n",
      "x:y",
      "{a:1}",
      "{a}",
      "1.5.2",
      "0o7",
      "-",
      "...",
    ];
    let plain = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const length = 1 + (round % 9);
      const text = Array.from({ length }, () => pick(words)).join("");
      if (!isPlain(text)) continue;
      let fast: unknown[];
      try {
        fast = loadAll(text, null, { schema: CORE_SCHEMA }) as unknown[];
      } catch {
        continue;
      }
      const maps = fast.filter((d) => typeof d === "object" && d !== null && !Array.isArray(d));
      if (fast.length === 0 || maps.length < fast.length) continue;
      plain += 1;
      const careful = readCarefully("f", text);
      expect(careful.findings, JSON.stringify(text)).toEqual([]);
      expect(
        careful.documents.map((d) => d.value),
        JSON.stringify(text),
      ).toEqual(fast);
    }
    expect(plain).toBeGreaterThan(200);
  });
});
