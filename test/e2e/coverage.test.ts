/** What is in no backup, from the command line and from the reconciler, at a real PostgreSQL. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import { freePort } from "../servers/ports.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { holdfast, type RunningHoldfast, startHoldfast } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-coverage-"));
chmodSync(folder, 0o711);
const [remote, clone, state] = ["remote.git", "clone", "state"].map((n) => join(folder, n)) as [
  string,
  string,
  string,
];
const key = join(folder, "runner.key");
const policyPath = join(clone, "policies/postgresql.yaml");
const planted = "unlogged-table/postgres.public.carts";
let postgres: TestPostgres;
let running: RunningHoldfast;
let port = 0;

const ask = (...args: readonly string[]) =>
  holdfast(args, {
    cwd: clone,
    env: { HOLDFAST_POLICIES: "policies", HOLDFAST_IDENTITY: key, HOLDFAST_STATE: join(folder, "desk") },
  });
const push = (message: string): string => {
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  git("commit", "--quiet", "--all", "--message", message);
  git("push", "--quiet", remote, "HEAD:main");
  return git("rev-parse", "HEAD");
};
const waive = (until: string): void => {
  const text = readFileSync(policyPath, "utf8").replace(/ {2}coverage:\n[\s\S]*/, "");
  const waiver = `{item: ${planted}, reason: carts fill themselves, owner: shop, until: ${until}}`;
  writeFileSync(policyPath, `${text}  coverage:\n    waivers:\n      - ${waiver}\n`);
};
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const held = async (kind: string): Promise<boolean> =>
  new RegExp(`holdfast_conditions\\{[^}]*kind="${kind}"[^}]*\\} 1`).test(await metrics());
const pollsCount = (): number =>
  (JSON.parse(readFileSync(join(state, "status.json"), "utf8")) as { pollsCount: number }).pollsCount;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.run("create table payments as select 1 as id");
  await postgres.run("create unlogged table carts (id int)");
  mkdirSync(join(folder, "store"));
  const [runner, escrow] = [await newIdentity(), await newIdentity()];
  writeFileSync(key, `${runner.identity}\n`, { mode: 0o600 });
  await pushPolicies({
    ...{ remote, clone, store: join(folder, "store"), port: postgres.port },
    ...{ runner: runner.recipient, escrow: escrow.recipient },
  });
  port = await freePort();
}, 120_000);
afterAll(async () => {
  running?.child.kill("SIGTERM");
  await running?.ended;
  await postgres?.remove();
  rmSync(folder, { recursive: true, force: true });
});

it("is status 3 with the thing by name, 0 under a waiver, 3 again after it and for one that accepts nothing", async () => {
  const found = await ask("coverage");
  expect(found.status).toBe(3);
  expect(found.stdout).toMatch(/uncovered +127\.0\.0\.1:\d+ +unlogged-table\/postgres\.public\.carts/);
  expect(found.stdout).toContain("1 in no backup");
  const original = readFileSync(policyPath, "utf8");
  waive("2999-12-31");
  const quiet = await ask("coverage", "--format", "json");
  expect(quiet.status).toBe(0);
  const value = JSON.parse(quiet.stdout) as {
    ok: boolean;
    items: readonly { class: string; item: string }[];
  };
  expect(value.ok).toBe(true);
  expect(value.items[0]).toMatchObject({ class: "waived", item: planted });
  waive("2020-12-31");
  const over = await ask("coverage");
  expect(over.status).toBe(3);
  expect(over.stdout).toContain("its waiver ended on 2020-12-31");
  expect((await ask("lint")).stdout).toContain("coverage/waiver-expired");
  writeFileSync(policyPath, readFileSync(policyPath, "utf8").replace("public.carts", "public.gone"));
  const unused = await ask("coverage");
  expect(unused.status).toBe(3);
  expect(unused.stdout).toContain("the waiver of unlogged-table/postgres.public.gone accepts nothing");
  writeFileSync(policyPath, readFileSync(policyPath, "utf8").replace("unlogged-table/", "unloged-table/"));
  const misspelt = await ask("lint");
  expect(misspelt.status).toBe(3);
  expect(misspelt.stdout).toContain("did you mean 'unlogged-table'?");
  writeFileSync(policyPath, original);
});

it("shows in the reconciler's metrics, status page and status, and goes with a waiver that is pushed", async () => {
  running = startHoldfast(
    ["run", "--repository", remote, "--state", state, "--identity", key, "--listen", `127.0.0.1:${port}`],
    { deadlineMs: 300_000 },
  );
  await until(() => held("uncovered").catch(() => false), 90_000);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toContain(planted);
  const shown = await holdfast([
    ...["status", "--policies", join(clone, "policies"), "--state", state, "--identity", key, "--quiet"],
  ]);
  expect(shown.stdout).toContain(`one thing at 127.0.0.1:${postgres.port} in no backup: ${planted}`);
  waive("2999-12-31");
  push("carts are accepted");
  await until(async () => !(await held("uncovered")), 60_000);
});

it("is a section of the report, with who has accepted it and until when", async () => {
  const out = join(folder, "reports");
  const written = await ask("report", "--out", out);
  expect([0, 4]).toContain(written.status);
  const year = join(out, readdirSync(out).find((name) => /^\d{4}$/.test(name)) ?? "");
  const name = readdirSync(year).find((n) => n.endsWith(".md")) ?? "";
  const text = readFileSync(join(year, name), "utf8");
  expect(text).toMatch(
    /## Coverage\n\n\d+ things seen: \d+ in a backup, 0 set aside, 1 accepted, 0 in no backup\./,
  );
  expect(text).toContain("| carts fill themselves | shop | 2999-12-31 |");
  const facts = JSON.parse(readFileSync(join(year, name.replace(".md", ".json")), "utf8")) as {
    readonly coverage: { readonly items: readonly { readonly class: string }[] };
  };
  expect(facts.coverage.items.filter((i) => i.class === "waived")).toHaveLength(1);
});

it("is unknown and never covered when the server is away, and stops no turn of the loop", async () => {
  await postgres.stop();
  const away = await ask("coverage");
  expect(away.status).toBe(10);
  expect(away.stdout).toMatch(/unknown postgresql: PostgreSQL at 127\.0\.0\.1:\d+ cannot be reached/);
  expect(away.stdout).toContain("0 things seen");
  writeFileSync(policyPath, readFileSync(policyPath, "utf8").replace("rto: 1h", "rto: 2h"));
  push("another number, so that it looks again");
  await until(() => held("coverage-unknown"), 90_000);
  expect(await held("uncovered")).toBe(false);
  const polls = pollsCount();
  await until(() => pollsCount() > polls + 2, 30_000);
});
