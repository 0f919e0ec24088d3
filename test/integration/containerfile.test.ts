/**
 * `deploy/Containerfile` built from a checkout that holds what a careless one may hold, and the image at work as its own
 * user with nothing writable but a volume and /tmp: backups of real servers, proved by restores.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoServer } from "../../src/cli/demo/component.ts";
import { pushPolicies } from "../../src/cli/demo/policy-repository.ts";
import { redisInDemo } from "../../src/cli/demo/redis.ts";
import { freePort } from "../../src/cli/demo/source-server.ts";
import { newIdentity } from "../../src/crypto/identity.ts";
import {
  type ImageStorage,
  openImageStorage,
  type RunOptions,
  whyNoImage,
} from "../servers/container-image.ts";
import { startPostgres, type TestPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";

const root = join(import.meta.dirname, "../..");
const name = "localhost/holdfast:test";
const home = "opt/holdfast";
const ownUser = 10001;
/** Of a cluster that gives every namespace users of its own. */
const anyUser = 1_000_650_000;
const mostBytes = 900e6;
const secret = `a-secret-that-lies-about-${process.pid}`;
/** Where a secret may lie in a checkout, and what a build may take along by the way. */
const planted = [
  ...[".env", "runner.key", "src/.env.local", "policies/escrow.key", ".holdfast/state.json"],
  ...[".git/config", "node_modules/planted/index.js", "coverage/index.html"],
];

interface Diagnoses {
  readonly checks: readonly { readonly policy: string; readonly name: string; readonly ok: boolean }[];
}

describe.skipIf(whyNoImage() !== undefined)("deploy/Containerfile", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-containerfile-"));
  const context = join(folder, "context");
  let storage: ImageStorage;
  let tree: string;
  let buildSeconds: number;

  beforeAll(async () => {
    copyCheckout(context);
    storage = await openImageStorage();
    const startedAtMs = performance.now();
    await storage.build(name, context, "deploy/Containerfile");
    buildSeconds = Math.round((performance.now() - startedAtMs) / 1000);
    tree = await storage.open(name);
  });
  afterAll(() => {
    storage?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is given what it copies and nothing else", async () => {
    writeFileSync(join(context, "all.containerfile"), "FROM scratch\nCOPY . /\n");
    await storage.build("localhost/context:test", context, "all.containerfile");
    const sent = filesBelow(await storage.open("localhost/context:test"));
    const wanted = filesBelow(join(tree, home)).filter((path) => !path.startsWith("node_modules/"));
    expect(sent).toEqual(wanted);
    expect(wanted).toEqual(
      tracked().filter((path) =>
        /^(src|schema|policies|docs\/(rules|runbooks))\/|^(LICENSE|package(-lock)?\.json|docs\/restore-without-holdfast\.py)$/.test(
          path,
        ),
      ),
    );
  });

  it("holds the packages a run needs, and no second Node", () => {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      packages: Readonly<Record<string, { dev?: true; optional?: true; devOptional?: true; peer?: true }>>;
    };
    const wanted = Object.entries(lock.packages)
      .filter(([path, p]) => path !== "" && !p.dev && !p.optional && !p.devOptional)
      .map(([path]) => path);
    expect(wanted.length).toBeGreaterThan(100);
    const installed = JSON.parse(readFileSync(join(tree, home, "node_modules/.package-lock.json"), "utf8"));
    expect(Object.keys(installed.packages).sort()).toEqual(wanted.sort());
    expect(find(tree, "-xdev", "-type", "f", "-name", "node", "-perm", "-u=x")).toEqual([
      "usr/local/bin/node",
    ]);
  });

  it("carries no secret, no key, no database and no rest of the build", async () => {
    const plantedIn = execFileSync("sh", ["-c", 'grep -rlF -- "$1" "$2" || :', "sh", secret, tree], {
      encoding: "utf8",
    });
    expect(plantedIn).toBe("");
    const places = ["etc", "root", "home", "var", "srv", "tmp", "run", "usr/local/etc"].map((p) =>
      join(tree, p),
    );
    const keys = ["-c", 'grep -rlE -- "BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY" "$@" || :', "sh", ...places];
    expect(execFileSync("sh", keys, { encoding: "utf8" })).toBe("");
    for (const path of ["tmp", "var/lib/apt/lists", "var/lib/postgresql", "root/.npm"])
      expect([path, existsSync(join(tree, path)) ? filesBelow(join(tree, path)) : []]).toEqual([path, []]);
    expect(find(join(tree, "var/cache"), "-name", "*.deb")).toEqual([]);
    // No script of a package has run, not even our own package's.
    expect(existsSync(join(tree, "usr/local/ran"))).toBe(false);
    const sizeBytes = await storage.sizeBytes(name);
    console.log(`the image: ${buildSeconds} s, ${Math.round(sizeBytes / 1e6)} MB unpacked`);
    expect(sizeBytes).toBeLessThan(mostBytes);
  });

  it("can be read by every user and written by none", () => {
    const own = join(tree, home);
    expect(
      find(own, "(", "!", "-perm", "-a=r", "-o", "-type", "d", "!", "-perm", "-a=x", ")", "!", "-type", "l"),
    ).toEqual([]);
    expect(find(own, "-perm", "/go=w", "!", "-type", "l")).toEqual([]);
  });

  it.each([
    ["its own user", undefined],
    ["any user", `${anyUser}:0`],
  ])("starts as %s where nothing can be written", async (_, user) => {
    const options: RunOptions = { ...(user === undefined ? {} : { user }), writableTmp: false };
    const id = await storage.run(
      name,
      [
        "-c",
        "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; touch /tmp/x /var/lib/holdfast/x /opt/holdfast/x",
      ],
      { ...options, entrypoint: "sh" },
    );
    expect(id.stdout.split(/\s+/)).toEqual([
      ...[
        String(user === undefined ? ownUser : anyUser),
        "CapEff:",
        "0000000000000000",
        "CapBnd:",
        "0000000000000000",
      ],
      ...["NoNewPrivs:", "1", "Seccomp:", "2", ""],
    ]);
    expect(id.stderr.match(/Read-only file system/g)).toHaveLength(3);
    for (const env of [{}, { HOME: "/nonexistent" }, { HOME: "/root" }]) {
      const { status, stdout, stderr } = await storage.run(name, ["--version"], { ...options, env });
      const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      expect([status, stdout, stderr]).toEqual([0, `${version}\n`, ""]);
    }
    const lint = await storage.run(name, ["lint", "/opt/holdfast/policies"], options);
    expect([lint.status, lint.stderr]).toEqual([0, ""]);
    expect(lint.stdout).toContain("13 files: 0 errors");
    const page = await storage.run(name, ["explain", "encryption/missing"], options);
    expect([page.status, page.stdout.split("\n")[0]]).toEqual([0, "# encryption/missing"]);
  });

  it("writes a starter repository, and keeps compiled code where it may", async () => {
    const steps =
      'holdfast() { node /opt/holdfast/src/cli/holdfast.mjs "$@"; }; holdfast init /tmp/new && holdfast lint /tmp/new/policies && ls /tmp/.cache/holdfast';
    const { status, stdout, stderr } = await storage.run(name, ["-c", steps], { entrypoint: "sh" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("0 errors");
    expect(stdout.trim().split("\n").at(-1)).toMatch(/^v24\./);
  });

  describe("at work", () => {
    const work = join(folder, "work");
    const clone = join(work, "clone");
    let redis: DemoServer;
    let postgres: TestPostgres;
    let options: RunOptions;

    beforeAll(async () => {
      mkdirSync(work);
      postgres = await startPostgres({ major: 15, segmentBytes: 1024 * 1024 });
      await postgres.run("create table payments as select generate_series(1, 1000) as id");
      redis = await redisInDemo.start(join(folder, "redis"), new AbortController().signal, () => freePort());
      const [runner, escrow] = [await newIdentity(), await newIdentity()];
      writeFileSync(join(work, "runner.key"), runner.identity, { mode: 0o600 });
      await pushPolicies({
        remote: join(work, "remote.git"),
        clone,
        store: join(work, "store"),
        port: postgres.port,
        runner: runner.recipient,
        escrow: escrow.recipient,
        others: new Map([["redis", redis.policy]]),
      });
      options = {
        folders: [work],
        workingDirectory: clone,
        env: { HOLDFAST_IDENTITY: join(work, "runner.key"), HOLDFAST_STATE: join(work, "state") },
      };
    });
    afterAll(async () => {
      await redis?.stop();
      await postgres?.remove();
    });

    it.each([
      ["its own user", `${ownUser}:${ownUser}`],
      ["any user", `${anyUser}:0`],
    ])("backs up PostgreSQL and Redis and proves both by restores, as %s", async (_, user) => {
      for (const name of ["store", "state"]) rmSync(join(work, name), { recursive: true, force: true });
      await postgres.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots");
      execFileSync("chown", ["-R", user, work]);
      const run = (...args: string[]) => storage.run(name, args, { ...options, user });
      const receiver = storage.start(name, ["wal", "postgresql"], { ...options, user });
      try {
        await until(async () => (await postgres.ask("select count(*)::int from pg_replication_slots")) === 1);
        const doctor = JSON.parse((await run("doctor", "--format", "json")).stdout) as Diagnoses;
        const programs = doctor.checks.filter((c) => c.name === "programs");
        expect(programs.map((c) => [c.policy, c.ok])).toEqual([
          ["postgresql", true],
          ["redis", true],
        ]);
        for (const policy of ["postgresql", "redis"]) {
          const made = await run("backup", policy);
          expect(made.status, made.stderr).toBe(0);
          const proved = await run("verify", policy, "--level", "4");
          expect(proved.status, proved.stdout + proved.stderr).toBe(0);
          const listed = JSON.parse((await run("list", policy, "--format", "json")).stdout);
          expect(listed.points).toMatchObject([{ policy, proof: 4 }]);
        }
      } finally {
        await receiver.stop();
      }
    });
  });
});

/** What git has and would take, as only its owner may read it, with secrets and rests beside it. */
function copyCheckout(context: string): void {
  mkdirSync(context);
  execFileSync("cp", ["-a", "--parents", "-t", context, ...tracked()], { cwd: root });
  for (const path of planted) {
    mkdirSync(dirname(join(context, path)), { recursive: true });
    writeFileSync(join(context, path), `${secret}\n`);
  }
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  manifest.scripts.postinstall = "touch /usr/local/ran";
  writeFileSync(join(context, "package.json"), JSON.stringify(manifest));
  execFileSync("chmod", ["-R", "go=", context]);
}

function tracked(): readonly string[] {
  return execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\0")
    .filter((path) => path !== "" && existsSync(join(root, path)))
    .sort();
}

function filesBelow(folder: string): readonly string[] {
  return find(folder, "-type", "f");
}

/** Paths below `folder`, sorted. */
function find(folder: string, ...conditions: string[]): readonly string[] {
  return execFileSync("find", [folder, ...conditions, "-printf", "%P\\n"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  })
    .split("\n")
    .filter((path) => path !== "")
    .sort();
}
