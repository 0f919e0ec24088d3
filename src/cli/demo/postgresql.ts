/** The demo's PostgreSQL: a table dropped, a server lost, a byte flipped, and the proof at an instant by chance. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import { logReachMs } from "../../operate/log-position.ts";
import { restore } from "../../operate/restore.ts";
import { verify } from "../../operate/verify.ts";
import type { Policy } from "../../policy/model.ts";
import type { Load, SourceServer } from "./source-server.ts";
import { requireThat, type Shown, type Stage, until, untilCaptured } from "./stage.ts";

export interface DatabaseStage extends Stage {
  readonly source: SourceServer;
  readonly load: Load;
  readonly policy: Policy;
}

/** @throws the first thing that is not as promised */
export async function showDatabase(stage: DatabaseStage): Promise<Shown> {
  const { manifest } = await untilCaptured(stage, stage.policy);
  stage.say(`base backup ${manifest.id}, ${manifest.filesCount} files; WAL streams into the store`);
  await dropTable(stage);
  const loss = await loseServer(stage);
  await flipByte(stage);
  const proof = await prove(stage);
  await replaceServer(stage, loss.directory);
  return {
    policy: stage.policy.name,
    point: proof.point,
    finishedAt: proof.finishedAt,
    proof: proof.level,
    rpoSeconds: loss.rpoSeconds,
    rtoSeconds: loss.rtoSeconds,
  };
}

/** Everything committed up to now is in the store when its canary is. */
async function untilStored(stage: DatabaseStage, atMs: number): Promise<void> {
  const { world, policy } = stage;
  const repository = await world.repository(policy);
  const look = async () => {
    const reachMs = await logReachMs(world, policy, repository, await repository.catalogue());
    return reachMs !== undefined && reachMs > atMs ? reachMs : undefined;
  };
  await until("the WAL of that instant is in the store", look, stage.signal);
}

async function dropTable(stage: DatabaseStage): Promise<void> {
  const { source, say, world, policy } = stage;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await source.run("insert into orders select i, 'the last order' from generate_series(20001, 20042) i");
  const rows = await source.ask("select count(*) from orders");
  const at = instant(
    Number(await source.ask("select floor(extract(epoch from clock_timestamp()) * 1000) + 1")),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  await source.run("drop table orders");
  say(`DISASTER 1: table orders with ${rows} rows is dropped just after ${at}`);
  await untilStored(stage, Date.parse(at) + 300);
  const outcome = await restore(world, policy, {
    target: { kind: "time", at },
    directory: join(stage.workdir, "restored-before-the-drop"),
    start: true,
  });
  const found = String(await outcome.server?.ask("select count(*)::int from orders", "postgres"));
  await outcome.server?.stop();
  requireThat(found === rows, `the restored table has ${found} rows and not ${rows}`);
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  say(
    `  restored to just before it in ${(outcome.durationMs / 1000).toFixed(1)} s: ${found} of ${rows} rows are back`,
  );
}

interface Loss {
  readonly rpoSeconds: number;
  readonly rtoSeconds: number;
  /** Where the restored server's data is. */
  readonly directory: string;
}

async function loseServer(stage: DatabaseStage): Promise<Loss> {
  const { source, load, say, world, policy } = stage;
  await source.destroy();
  const killedAtMs = Date.now();
  const { count, lastAtMs } = load.acknowledged;
  requireThat(count > 0, "the load has written nothing");
  say(
    `DISASTER 2: the server is killed and its disk thrown away at ${instant(killedAtMs)}, after ${count} commits`,
  );
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const decidedAtMs = Date.now();
  const outcome = await restore(world, policy, {
    target: { kind: "latest" },
    directory: join(stage.workdir, "restored-after-the-loss"),
    start: true,
  });
  const last = Number(
    await outcome.server?.ask("select extract(epoch from max(at)) * 1000 from payments", "postgres"),
  );
  const survived = Number(await outcome.server?.ask("select count(*)::int from payments", "postgres"));
  const highest = Number(await outcome.server?.ask("select max(id)::int from payments", "postgres"));
  await outcome.server?.stop();
  const rtoSeconds = (Date.now() - decidedAtMs) / 1000;
  requireThat(
    survived === highest && survived > 0,
    `${survived} commits survive but the last one is number ${highest}`,
  );
  const rpoSeconds = Math.max(0, Math.round(lastAtMs - last) / 1000);
  requireThat(rpoSeconds * 1000 <= policy.objectives.rpoMs, `${rpoSeconds} s are lost`);
  say(
    `  restored in ${rtoSeconds.toFixed(1)} s: the last commit that survives is number ${highest} of ${count}, ${rpoSeconds.toFixed(2)} s behind the end`,
  );
  return { rpoSeconds, rtoSeconds, directory: outcome.directory };
}

/** The end of a disaster: what was restored runs where the lost server was, and its log flows again. */
async function replaceServer(stage: DatabaseStage, directory: string): Promise<void> {
  const { source, say } = stage;
  await source.replace(join(directory, "data"));
  const startedAtMs = Date.now();
  say("  the restored server runs in the lost one's place");
  await source.run("create table after_the_disaster ()");
  await untilStored(stage, startedAtMs);
  say("  and its WAL streams into the store again, on the timeline the restore has begun");
}

async function flipByte(stage: DatabaseStage): Promise<void> {
  const { world, policy, say } = stage;
  const repository = await world.repository(policy);
  const object = (await repository.catalogue()).points[0]?.manifest.artifacts[0]?.objects[0];
  if (object === undefined) throw new HoldfastError("object-missing", "the point has no object");
  const store = world.set.stores.find(({ name }) => name === policy.store.name);
  if (store?.type !== "directory")
    throw new HoldfastError("usage", "only a folder's bytes can be flipped here");
  const path = join(store.path, object.key);
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  const flip = async (): Promise<void> => {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  };
  await flip();
  say(`DISASTER 3: one bit of one byte of ${object.key} is flipped`);
  const { ok, verdict } = await verify(world, policy, { level: 2 });
  const named = verdict.checks.find((c) => !c.ok)?.detail ?? "";
  requireThat(!ok && named.includes(object.key), "the damage was not found");
  const shortened = named
    .replace(`object '${object.key}'`, "the object")
    .replaceAll(/[0-9a-f]{64}/g, (sum) => `${sum.slice(0, 12)}…`);
  say(`  verification names it: ${shortened}`);
  await flip();
}

interface Proof {
  readonly level: number;
  readonly point: string;
  readonly finishedAt: string;
}

async function prove(stage: DatabaseStage): Promise<Proof> {
  const { world, policy, say } = stage;
  const { ok, verdict, point } = await verify(world, policy, { level: 5 });
  const failed = verdict.checks.find((c) => !c.ok);
  requireThat(ok, `the proof failed: ${failed?.name}: ${failed?.detail}`);
  const { targetAt, rpoSeconds } = verdict.measured;
  say(
    `proof, level 5: restored to ${targetAt}, an instant the commit has chosen; last canary ${rpoSeconds?.toFixed(2)} s before it`,
  );
  const manifest = (await (await world.repository(policy)).catalogue()).points.find(
    (p) => p.manifest.id === point,
  )?.manifest;
  return { level: verdict.level, point, finishedAt: manifest?.finishedAt ?? "" };
}
