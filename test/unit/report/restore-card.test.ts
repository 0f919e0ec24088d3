/** The card for the worst day: its shell is run here, its words and order are read. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { handScript } from "../../../src/report/hand-script.ts";
import { type RestoreCardEntry, renderRestoreCard } from "../../../src/report/restore-card.ts";
import { shellQuote } from "../../../src/shell-word.ts";
import { directorySettings, s3Settings } from "../../servers/settings.ts";
import { hostile, nowMs, point } from "./fixtures.ts";

const artifact = {
  name: "base.tar",
  codec: "zstd",
  sizeBytes: 1,
  rawSizeBytes: 1,
  rawSha256: "c".repeat(64),
  objects: [],
} as const;
const newest = point(nowMs, { artifacts: [artifact as never] }).manifest;
const parent = point(nowMs - 3_600_000).manifest;
const recipe = {
  decode: [{ point: newest.id, artifact: "base.tar", path: "parts/it's here/base.tar" }],
  commands: ['echo "$DIR" >>"$DIR/ran"'],
  notes: ["a fresh server"],
};

describe("the script of a restore by hand", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-card-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Programs that write down how they were called. */
  const run = (script: string, environment: Record<string, string> = {}): readonly string[] => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const name of ["python3", "zstd", "gzip", "aws"]) {
      const body = `#!/bin/sh\nprintf '%s' ${name} >>"$CALLS"; printf '|%s' "$@" >>"$CALLS"; echo >>"$CALLS"\n`;
      writeFileSync(join(bin, name), body, { mode: 0o755 });
    }
    const calls = join(folder, "calls");
    writeFileSync(calls, "");
    const env = { PATH: `${bin}:/usr/bin:/bin`, CALLS: calls, ...environment };
    execFileSync("sh", ["-e", "-c", script], { cwd: folder, env });
    return readFileSync(calls, "utf8").trim().split("\n");
  };

  it("decodes into a new folder, unpacks, and then runs the vendor's commands there", () => {
    const store = directorySettings("/srv/it's a $(touch pwned) `bucket`", "primary");
    const script = handScript({ recipe, chain: [newest], store, prefix: "pg/" });
    const dir = join(folder, "restore");
    const packed = `${dir}/parts/it's here/base.tar.zst`;
    expect(run(script)).toEqual([
      `python3|${folder}/restore-without-holdfast.py|artifact|${store.path}|pg/|${newest.id}|base.tar|${packed}|--identity|${folder}/escrow.key`,
      `zstd|-d|-q|--rm|${packed}`,
    ]);
    expect(readFileSync(join(dir, "ran"), "utf8")).toBe(`${dir}\n`);
    expect(readdirSync(folder).sort()).toEqual(["bin", "calls", "restore"]);
  });

  it("takes its folders from the environment, and fetches from S3 what it decodes and no more", () => {
    const store = s3Settings("http://127.0.0.1:9", "a-bucket", "primary");
    const script = handScript({ recipe, chain: [newest, parent], store, prefix: "pg/" });
    const environment = { DIR: join(folder, "there"), BUCKET: "/copy", KEY: "/k", DECRYPTOR: "/d.py" };
    const calls = run(script, environment);
    const s3 = "aws|--endpoint-url|http://127.0.0.1:9|--region|us-east-1|s3|cp";
    expect(calls.slice(0, 3)).toEqual([
      `${s3}|s3://a-bucket/pg/manifests/${newest.id}.json|/copy/pg/manifests/${newest.id}.json`,
      `${s3}|--recursive|s3://a-bucket/pg/data/${newest.id}/|/copy/pg/data/${newest.id}/`,
      `python3|/d.py|artifact|/copy|pg/|${newest.id}|base.tar|${folder}/there/parts/it's here/base.tar.zst|--identity|/k`,
    ]);
    expect(calls).toHaveLength(4);
  });

  it("quotes anything", () => {
    // No argument of a program can hold a NUL or half a surrogate pair.
    const possible = hostile.filter((text) => text.isWellFormed() && !text.includes("\0"));
    for (const text of [...possible, "a'b", "$(id)", "a\nb", "`x`", "\\"]) {
      expect(execFileSync("sh", ["-c", `printf %s ${shellQuote(text)}`]).toString()).toBe(text);
    }
  });
});

describe("the restore card", () => {
  const entry: RestoreCardEntry = {
    recipe,
    chain: [newest, parent],
    store: directorySettings("/srv/bucket"),
    prefix: "pg/",
    policy: "postgresql",
    title: "PostgreSQL",
    proof: "Proved to level 4 on 2026-11-22T04:00:00Z.",
  };
  const input = { cluster: "bud-prod", at: "2026-11-22T05:12:00Z", entries: [entry], missing: [] };

  it("says the point, what it stands on, its proof, its needs, and gives the script whole", () => {
    const card = renderRestoreCard(input);
    expect(card).toContain(`Point \`${newest.id}\``);
    expect(card).toContain(`on ${parent.id}`);
    expect(card).toContain("Proved to level 4");
    expect(card).toContain("opens with runner or escrow");
    expect(card).toContain(`\`\`\`sh\n${handScript(entry)}\n\`\`\``);
    expect(card).toContain("- a fresh server");
  });

  it("keeps the order of a full-stack restore, and names first what has nothing", () => {
    const second = { ...entry, policy: "redis" };
    const missing = [{ policy: "mongodb", cause: "no point yet" }];
    const card = renderRestoreCard({ ...input, entries: [entry, second], missing });
    const places = ["mongodb has nothing to restore from", "## postgresql", "## redis"].map((t) =>
      card.indexOf(t),
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });

  it.each(hostile)("lets no text from outside open a block or a tag: %j", (text) => {
    const card = renderRestoreCard({
      ...input,
      cluster: text,
      missing: [{ policy: text, cause: text }],
      entries: [{ ...entry, policy: text, proof: text, recipe: { ...recipe, notes: [text] } }],
    });
    expect(card.match(/^```/gm)).toHaveLength(2);
    expect(card).not.toContain("<script");
  });
});
