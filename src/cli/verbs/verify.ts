import { HoldfastError } from "../../errors.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { verify } from "../../operate/verify.ts";
import { verifyAll } from "../../operate/verify-all.ts";
import type { ProofLevel } from "../../policy/model.ts";
import { checksJson, checksOfAll } from "../../report/json.ts";
import { renderStackVerdicts } from "../../report/stack-text.ts";
import { renderVerdict } from "../../report/tables.ts";
import { columns, paintFor, print, printJson } from "../console.ts";
import { inWorld, parseWholeNumber, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { recordResult } from "../result-file.ts";

interface VerifyCommandOptions extends SharedOptions {
  readonly point?: string;
  readonly level?: ProofLevel;
  readonly all?: boolean;
  readonly seed?: string;
  readonly slot?: string;
}

export function verifyCommand() {
  return withWorldOptions(verbCommand("verify", "prove a recovery point, from its objects to a restore"))
    .argument("[policy]")
    .option("--all", "level 6: the whole stack in order, at one random instant, all of it standing at once")
    .option("--point <id>", "this point; the newest when not given")
    .option(
      "--level <n>",
      "0 objects are there, 1 size, 2 every byte, 3 decoded and checked, 4 restored and asked, 5 at a random instant (default: 4)",
      parseWholeNumber(0, 6),
    )
    .option("--seed <text>", "fixes the instant of levels 5 and 6; the commit of the policies when not given")
    .option("--slot <instant>", "nominal instant of a scheduled run")
    .action(async (name: string | undefined, options: VerifyCommandOptions) => {
      if (options.all === true) return proveStack(name, options);
      if (name === undefined) {
        throw new HoldfastError("usage", "which policy?", {
          hint: "holdfast list names them; --all proves the whole stack",
        });
      }
      await inWorld(options, async (world) => {
        const outcome = await verify(world, findPolicy(world, name), {
          level: options.level ?? 4,
          ...(options.point === undefined ? {} : { point: options.point }),
          ...(options.seed === undefined ? {} : { seed: options.seed }),
        });
        const failed = outcome.verdict.checks.find((c) => !c.ok);
        await recordResult({
          point: outcome.point,
          ...(failed === undefined
            ? {}
            : { code: "verification-failed" as const, message: `${failed.name}: ${failed.detail}` }),
        });
        world.step("done");
        if (options.format === "json")
          printJson(
            checksJson(outcome.ok, outcome.verdict.checks, {
              ...outcome.verdict,
              provedKeys: outcome.provedKeys,
            }),
          );
        else {
          print(renderVerdict(outcome.verdict, paintFor(process.stdout)));
          for (const key of outcome.provedKeys)
            print(`escrow key '${key}' opened it by itself, and that is on record`);
        }
        if (!outcome.ok) process.exitCode = 5;
      });
    });
}

async function proveStack(name: string | undefined, options: VerifyCommandOptions): Promise<void> {
  if (name !== undefined || options.point !== undefined || options.level !== undefined) {
    throw new HoldfastError("usage", "--all is of every policy, each at the point the instant asks for", {
      hint: "leave out the policy, --point and --level",
    });
  }
  await inWorld(options, async (world) => {
    const outcome = await verifyAll(world, options.seed === undefined ? {} : { seed: options.seed });
    const checks = checksOfAll(outcome.verdicts);
    const failed = checks.find((c) => !c.ok);
    await recordResult(
      failed === undefined
        ? {}
        : { code: "verification-failed", message: `${failed.name}: ${failed.detail}` },
    );
    world.step("done");
    if (options.format === "json") printJson(checksJson(outcome.ok, checks, { ...outcome }));
    else {
      for (const key of outcome.provedKeys)
        print(`escrow key '${key}' opened everything by itself, and that is on record`);
      print(renderStackVerdicts(outcome, { columns: columns(), paint: paintFor(process.stdout) }));
    }
    if (!outcome.ok) process.exitCode = 5;
  });
}
