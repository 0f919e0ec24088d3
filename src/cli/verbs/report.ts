import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { observe } from "../../operate/observe.ts";
import { writeReport } from "../../operate/report.ts";
import { reportJson } from "../../report/json.ts";
import { paintFor, print, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { openPlatform, openSource, placeOf, requireReconciler } from "../reconciler.ts";
import { recordResult } from "../result-file.ts";

const decryptorName = "restore-without-holdfast.py";

interface ReportOptions extends SharedOptions {
  readonly commit?: boolean;
  readonly out?: string;
}

export function reportCommand() {
  return withWorldOptions(verbCommand("report", "the weekly proof as markdown, with pictures and JSON"))
    .option("--commit", "commit and push it to the policy repository")
    .option("--out <dir>", "folder to write into; the policies' own reports folder when not given")
    .option("--slot <instant>", "nominal instant of a scheduled run")
    .action(async (options: ReportOptions) => {
      await inWorld(options, async (world) => {
        world.step("reading what holds now");
        const seen = await observe(world, openPlatform(world, options));
        const settings =
          options.commit === true ? requireReconciler(world.set.reconciler) : world.set.reconciler;
        const folder = options.out ?? settings?.reports.path ?? "reports";
        const source =
          options.commit === true && settings !== undefined
            ? await openSource(world, placeOf(settings))
            : undefined;
        const previous = await source?.lastPublished(folder);
        const decryptor = await readFile(join(import.meta.dirname, "../../../docs", decryptorName), "utf8");
        const written = await writeReport(world, seen, {
          decryptor,
          existing:
            source === undefined
              ? await namesIn(folder)
              : reportNames((await source.published(folder)).map((path) => relative(folder, path))),
          ...(previous === undefined ? {} : { previousCommit: previous.commit }),
        });
        const files = new Map([...written.files].map(([path, text]) => [join(folder, path), text]));
        let commit: string | null = null;
        if (source === undefined) await writeFiles(files);
        else {
          world.step("committing and pushing");
          commit = await source.publish(
            files,
            `report: ${written.name.replace("/", " ")}, ${written.ok ? "all proved" : "needs somebody"}`,
          );
        }
        const report = join(folder, `${written.name}.md`);
        await recordResult({ message: report });
        if (options.format === "json")
          return printJson(reportJson({ files: [...files.keys()], report, ok: written.ok, commit }));
        const paint = paintFor(process.stdout);
        print(
          written.ok
            ? paint.good("all proved, nothing critical")
            : paint.bad("something needs somebody; the report says what"),
        );
        print(commit === null ? `written: ${report}` : `committed ${commit.slice(0, 12)}: ${report}`);
      });
    });
}

/** Names of the reports in a folder, `2026/W46`. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  return reportNames(entries);
}

function reportNames(paths: readonly string[]): readonly string[] {
  return paths.flatMap((entry) => /^(\d{4}[/\\]W\d\d)\.md$/.exec(entry)?.[1]?.replace("\\", "/") ?? []);
}

async function writeFiles(files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}
