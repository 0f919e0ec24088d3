import { diagnose } from "../../operate/doctor.ts";
import { paintFor, print, printJson } from "../console.ts";
import { requireLintClean } from "../lint-gate.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

export function doctorCommand() {
  return withWorldOptions(
    verbCommand("doctor", "what is wrong with this set-up, and what to do about it"),
  ).action(async (options: SharedOptions) => {
    await requireLintClean(options);
    await inWorld(options, async (world) => {
      const found = await diagnose(world);
      const faults = found.filter((d) => !d.ok);
      if (faults.length > 0) process.exitCode = 4;
      if (options.format === "json") return printJson({ ok: faults.length === 0, checks: found });
      const paint = paintFor(process.stdout);
      for (const d of found) {
        const word = d.ok ? paint.good("ok  ") : paint.bad("FAIL");
        print(
          `${word} ${d.policy}  ${d.name}  ${paint.dim(d.detail)}${d.next === "" ? "" : `\n     ${d.next}`}`,
        );
      }
      print(
        faults.length === 0
          ? paint.good("nothing is wrong")
          : paint.bad(
              faults.length === 1 ? "1 thing needs somebody" : `${faults.length} things need somebody`,
            ),
      );
    });
  });
}
