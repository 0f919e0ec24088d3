import { verbCommand } from "../options.ts";

export function demoCommand() {
  return verbCommand(
    "demo",
    "real servers, a disaster and a restore of each, and the proof in git; needs about a minute",
  )
    .option("--keep <dir>", "a new folder to work in; a temporary one when not given")
    .action(async (options: { readonly format: string; readonly keep?: string }) => {
      const { demo } = await import("../demo/demo.ts");
      await demo(options);
    });
}
