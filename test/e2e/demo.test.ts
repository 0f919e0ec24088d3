/** The README's first command, as a person runs it. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { demoComponents } from "../../src/cli/demo/components.ts";
import { componentKinds } from "../../src/component.ts";
import { openExec } from "../../src/exec/system.ts";
import { faultOf, linkPattern } from "../unit/report/follow-links.ts";
import { holdfast, startHoldfast } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-demo-test-"));
chmodSync(folder, 0o711);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Processes that have `path` in their command line. */
function processesIn(path: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(path) && Number(pid) !== process.pid ? [line] : [];
      } catch {
        return [];
      }
    });
}

describe("the demo", () => {
  it("proves every component whose server can be had, and leaves the report in the remote and no process", async () => {
    const workdir = join(folder, "whole");
    const run = await holdfast(["demo", "--format", "json", "--keep", workdir], { deadlineMs: 240_000 });
    expect(run.stderr).toContain("DISASTER 3");
    expect(run.status).toBe(0);
    const facts = JSON.parse(run.stdout) as {
      ok: boolean;
      components: { policy: string; rpoSeconds: number; rtoSeconds: number; proof: number }[];
      notShown: { component: string; line: string }[];
      report: string;
      workdir: string;
    };
    expect(Object.keys(facts)).toEqual(["ok", "components", "notShown", "report", "workdir"]);
    expect(facts).toMatchObject({ ok: true, workdir });
    const exec = openExec();
    const expected = ["postgresql"];
    for (const { component, missing } of demoComponents) {
      if ((await missing(exec)) === undefined) expected.push(component);
      else expect(run.stderr).toContain(`not shown: ${component}; `);
    }
    const named = [...expected, ...facts.notShown.map(({ component }) => component)];
    expect(named.sort()).toEqual([...componentKinds].sort());
    for (const { line } of facts.notShown) expect(line).not.toBe("");
    expect(facts.components.map((c) => c.policy).sort()).toEqual([...expected].sort());
    for (const { policy, rpoSeconds, rtoSeconds, proof } of facts.components) {
      expect([policy, proof === 6, rtoSeconds > 0 && rtoSeconds < 60]).toEqual([policy, true, true]);
      expect(rpoSeconds).toBeGreaterThanOrEqual(0);
    }
    const remote = join(workdir, "policies.git");
    const report = execFileSync("git", ["-C", remote, "show", `main:${facts.report}`], { encoding: "utf8" });
    for (const policy of expected) expect(report).toContain(`\`${policy}\``);
    // What the last line says is what the report says.
    expect(report).toMatch(/^🟢 \*\*(All \d+ policies are|The one policy is) proved by restores\.\*\*$/m);
    expect(run.stderr).toContain(`${expected.length} of ${expected.length} stood at once`);
    expect(report).not.toContain("⚪ unproven");
    const shown = (path: string): string =>
      execFileSync("git", ["-C", remote, "show", `main:${path}`], { encoding: "utf8", maxBuffer: 2 ** 26 });
    const folderOf = facts.report.slice(0, facts.report.lastIndexOf("/") + 1);
    const json = shown(facts.report.replace(/md$/, "json"));
    const { writtenAt } = JSON.parse(json) as { writtenAt: string };
    const links = [...report.matchAll(linkPattern)];
    expect(links.length).toBeGreaterThan(60);
    expect(links.flatMap((link) => faultOf(link, () => json, Date.parse(writtenAt)) ?? [])).toEqual([]);
    for (const policy of expected)
      for (const picture of ["age", "calendar", "retention", "reach", "sizes", "checks"]) {
        const [, path = ""] = new RegExp(`\\]\\((W\\d+/${policy}-${picture}\\.svg)\\)`).exec(report) ?? [];
        expect(shown(`${folderOf}${path}`), `${policy} ${picture}`).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
      }
    // The bit the demo flips, and the proof that came after it was flipped back.
    expect(report).toMatch(/verify \d{8}T\d{6}Z --level 2`.*(?:differ|expected, ).*🟢 .*reached level 5/);
    if (expected.includes("secrets")) expect(run.stderr).toContain("with the escrowed key alone");
    if (expected.includes("s3")) expect(run.stderr).toMatch(/(\d+) of \1 objects are in the bucket again/);
    const card = execFileSync("git", ["-C", remote, "show", "main:reports/RESTORE.md"], { encoding: "utf8" });
    for (const policy of expected) expect(card).toContain(`## ${policy} (`);
    expect(processesIn(workdir)).toEqual([]);
  }, 260_000);

  it("ends cleanly when it is interrupted, with no process left", async () => {
    const workdir = join(folder, "cut");
    const running = startHoldfast(["demo", "--keep", workdir], { deadlineMs: 120_000 });
    const giveUpAtMs = Date.now() + 60_000;
    while (!existsSync(join(workdir, "reconciler.log")) && Date.now() < giveUpAtMs) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    running.child.kill("SIGINT");
    expect((await running.ended).status).toBe(130);
    expect(processesIn(workdir)).toEqual([]);
  }, 150_000);

  it.runIf(process.getuid?.() === 0)("says when the server's user cannot pass", async () => {
    const closed = join(folder, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const run = await holdfast(["demo", "--keep", join(closed, "here")]);
    expect(run.stderr).toMatch(/user 'postgres' cannot enter .*[\s\S]*--keep/);
    expect(run.status).toBe(2);
  });

  it("does not work in a folder that holds something", async () => {
    const run = await holdfast(["demo", "--keep", folder]);
    expect(run.stderr).toContain("is not empty");
    expect(run.status).toBe(2);
  });
});
