import { findPolicy } from "../../operate/find-policy.ts";
import { verify } from "../../operate/verify.ts";
import type { ProofLevel } from "../../policy/model.ts";
import { checksJson } from "../../report/json.ts";
import { renderVerdict } from "../../report/tables.ts";
import { paintFor, print, printJson } from "../console.ts";
import { inWorld, parseWholeNumber, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { recordResult } from "../result-file.ts";

interface VerifyCommandOptions extends SharedOptions {
  readonly point?: string;
  readonly level: ProofLevel;
  readonly seed?: string;
  readonly slot?: string;
}

export function verifyCommand() {
  return withWorldOptions(verbCommand("verify", "prove a recovery point, from its objects to a restore"))
    .argument("<policy>")
    .option("--point <id>", "this point; the newest when not given")
    .option(
      "--level <n>",
      "0 objects are there, 1 size, 2 every byte, 3 decoded and checked, 4 restored and asked, 5 at a random instant",
      parseWholeNumber(0, 6),
      4,
    )
    .option("--seed <text>", "fixes the instant of level 5; the commit of the policies when not given")
    .option("--slot <instant>", "nominal instant of a scheduled run")
    .action(async (name: string, options: VerifyCommandOptions) => {
      await inWorld(options, async (world) => {
        const outcome = await verify(world, findPolicy(world, name), {
          level: options.level,
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
          printJson(checksJson(outcome.ok, outcome.verdict.checks, { ...outcome.verdict }));
        else print(renderVerdict(outcome.verdict, paintFor(process.stdout)));
        if (!outcome.ok) process.exitCode = 5;
      });
    });
}
