import { Option } from "commander";
import { instant } from "../../catalogue/instant.ts";
import type { RecoveryTarget } from "../../engine/engine.ts";
import { HoldfastError } from "../../errors.ts";
import { explainRestore, type RestoreExplanation } from "../../operate/explain-restore.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { type RestoreOutcome, restore } from "../../operate/restore.ts";
import { explainRestoreAll, restoreAll } from "../../operate/restore-all.ts";
import { checksJson, checksOfAll } from "../../report/json.ts";
import { renderStackExplanation, renderStackRestore } from "../../report/stack-text.ts";
import { formatSize } from "../../size.ts";
import { formatDuration } from "../../time/duration.ts";
import { columns, type Paint, paintFor, print, printJson } from "../console.ts";
import { inWorld, parseInstant, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface RestoreCommandOptions extends SharedOptions {
  readonly at?: number;
  readonly lsn?: string;
  readonly name?: string;
  readonly point?: string;
  readonly latest?: boolean;
  readonly to?: string;
  readonly start?: boolean;
  readonly print?: boolean;
  readonly ignoreRoom?: boolean;
  readonly all?: boolean;
}

const targets = ["at", "lsn", "name", "latest"] as const;

export function restoreCommand() {
  return withWorldOptions(verbCommand("restore", "bring a component back into a folder, as of an instant"))
    .argument("[policy]")
    .option("--all", "every policy, in the order in which they need each other, each into a folder below DIR")
    .addOption(
      new Option("--at <instant>", "just before this instant, such as 2026-11-20T14:03:00Z").argParser(
        parseInstant,
      ),
    )
    .option("--lsn <position>", "up to this position of the log")
    .option("--name <restore-point>", "up to this named restore point")
    .option("--latest", "as far as the log reaches (the usual)")
    .option("--point <id>", "from this recovery point; alone: exactly its own state")
    .option("--to <dir>", "a new or empty folder")
    .option("--print", "only say what would be restored, at what price, and the vendor's own commands for it")
    .option("--ignore-room", "try even where disk or memory look too small for it")
    .option("--start", "start a throwaway server on it, ask the policy's assertions, stop it again")
    .action(async (policyName: string | undefined, options: RestoreCommandOptions) => {
      const target = targetOf(options);
      if (options.all === true) return restoreStack(policyName, options, target);
      if (policyName === undefined) {
        throw new HoldfastError("usage", "which policy?", {
          hint: "holdfast list names them; --all restores every one",
        });
      }
      const point = options.point === undefined ? {} : { point: options.point };
      const directory = options.to;
      requirePlace(options);
      await inWorld(options, async (world) => {
        const policy = findPolicy(world, policyName);
        if (options.print === true || directory === undefined) {
          const explanation = await explainRestore(world, policy, {
            target,
            ...point,
            ...(directory === undefined ? {} : { directory }),
          });
          if (options.format === "json") printJson(explanation);
          else print(renderExplanation(explanation, paintFor(process.stdout)));
          return;
        }
        const start = options.start === true;
        const ignoreRoom = options.ignoreRoom === true;
        const outcome = await restore(world, policy, { target, directory, start, ignoreRoom, ...point });
        await outcome.server?.stop();
        const { server: _, ...facts } = outcome;
        if (options.format === "json") printJson(checksJson(facts.ok, facts.checks, facts));
        else print(renderRestore(facts, paintFor(process.stdout)));
        if (!outcome.ok) process.exitCode = 5;
      });
    });
}

async function restoreStack(
  policyName: string | undefined,
  options: RestoreCommandOptions,
  target: RecoveryTarget,
): Promise<void> {
  if (policyName !== undefined || (target.kind !== "time" && target.kind !== "latest")) {
    throw new HoldfastError("usage", "--all is of every policy, and they share nothing but time", {
      hint: "leave out the policy; name an instant with --at, or none for now",
    });
  }
  requirePlace(options);
  const directory = options.to;
  await inWorld(options, async (world) => {
    const atMs = target.kind === "time" ? Date.parse(target.at) : world.clock.nowMs();
    const text = { columns: columns(), paint: paintFor(process.stdout) };
    if (options.print === true || directory === undefined) {
      const explanation = await explainRestoreAll(world, {
        atMs,
        ...(directory === undefined ? {} : { directory }),
      });
      if (options.format === "json") printJson(explanation);
      else print(renderStackExplanation(explanation, text));
      return;
    }
    const start = options.start === true;
    const ignoreRoom = options.ignoreRoom === true;
    const { exitStatus, ...outcome } = await restoreAll(world, { atMs, directory, start, ignoreRoom });
    if (options.format === "json")
      printJson(checksJson(outcome.ok, checksOfAll(outcome.policies), { ...outcome }));
    else print(renderStackRestore(outcome, text));
    if (!outcome.ok) process.exitCode = exitStatus;
  });
}

function requirePlace(options: RestoreCommandOptions): void {
  if (options.to !== undefined || options.print === true) return;
  throw new HoldfastError("usage", "where to? a restore never writes into the running server", {
    hint: "name a new or empty folder with --to DIR, or read first with --print",
  });
}

/** @throws usage when two targets are given */
function targetOf(options: RestoreCommandOptions): RecoveryTarget {
  const given = targets.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new HoldfastError(
      "usage",
      `only one target at a time: ${given.map((g) => `--${g}`).join(" and ")} are two`,
    );
  }
  if (options.at !== undefined) return { kind: "time", at: instant(options.at) };
  if (options.lsn !== undefined) {
    if (!/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(options.lsn)) {
      throw new HoldfastError("usage", `'${options.lsn}' is no log position`, {
        hint: "write it as 16/B374D848",
      });
    }
    return { kind: "lsn", lsn: options.lsn };
  }
  if (options.name !== undefined) return { kind: "name", name: options.name };
  return { kind: options.point !== undefined && options.latest !== true ? "point" : "latest" };
}

function renderExplanation(facts: RestoreExplanation, paint: Paint): string {
  const drill =
    facts.drillSeconds === undefined
      ? "unknown: no drill has restored it yet"
      : `${facts.drillSeconds.toFixed(1)} s in the newest drill`;
  const memory = facts.memoryBytes > 0 ? ` and ${formatSize(facts.memoryBytes)} of memory` : "";
  const parents = facts.needs.length === 0 ? "" : ` on ${facts.needs.join(" and ")}`;
  return [
    `${paint.bold("point")}     ${facts.point}${parents}: ${facts.reason}`,
    ...facts.passedOver.map((p) => `          not ${p.id}: ${p.cause}`),
    `${paint.bold("proof")}     ${facts.proof}`,
    `${paint.bold("state")}     ${facts.stateAt}; ${facts.lossSeconds} s before the instant asked for, what was written in them does not come back`,
    `${paint.bold("needs")}     ${formatSize(facts.diskBytes)} of disk${memory}`,
    ...facts.shortages.map((text) => `          ${paint.bad(text)}`),
    `${paint.bold("time")}      ${drill}`,
    "",
    paint.dim("# by hand, with the vendor's own programs (the state of the point, without the log after it)"),
    ...facts.notes.map((note) => paint.dim(`# ${note}`)),
    facts.script,
    "",
    `${paint.dim("with holdfast:")} holdfast restore ${facts.policy} --point ${facts.point} --to DIR`,
  ].join("\n");
}

function renderRestore(outcome: Omit<RestoreOutcome, "server">, paint: Paint): string {
  const lines = outcome.checks.map(
    (c) => `${c.ok ? paint.good("ok  ") : paint.bad("FAIL")} ${c.name}  ${paint.dim(c.detail)}`,
  );
  if (outcome.lastCanaryAt !== undefined) lines.push(`last canary  ${outcome.lastCanaryAt}`);
  const word = outcome.ok ? paint.good("restored") : paint.bad("restored with failed checks");
  lines.push(
    `${word} ${paint.bold(outcome.point)} into ${outcome.directory}  ${formatSize(outcome.restoredBytes)} in ${formatDuration(outcome.durationMs)}`,
    `${paint.dim("start it:")} ${outcome.startCommand}`,
  );
  return lines.join("\n");
}
