import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { lookAround } from "../../operate/look-around.ts";
import { observe } from "../../operate/observe.ts";
import { writeReport } from "../../operate/report.ts";
import { type ReadReportFile, verifyChain } from "../../operate/report-chain.ts";
import { reportJson } from "../../report/json.ts";
import { count } from "../../report/units.ts";
import { paintFor, print, printJson } from "../console.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";
import { openPlatform, openSource, placeOf, requireReconciler } from "../reconciler.ts";
import { recordResult } from "../result-file.ts";

const decryptorName = "restore-without-holdfast.py";

interface ReportOptions extends SharedOptions {
  readonly commit?: boolean;
  readonly out?: string;
  readonly verify?: boolean;
  readonly remark?: readonly string[];
}

export function reportCommand() {
  return withWorldOptions(verbCommand("report", "the weekly proof as markdown, with pictures and JSON"))
    .option("--commit", "commit and push it to the policy repository")
    .option("--out <dir>", "folder to write into; the policies' own reports folder when not given")
    .option(
      "--verify",
      "walk the chain of the reports in the folder and name the first that was changed; offline",
    )
    .option("--remark <text...>", "a line the report carries on top, such as why it was asked for")
    .option("--slot <instant>", "nominal instant of a scheduled run")
    .action(async (options: ReportOptions) => {
      if (options.verify === true) return verifyReports(options);
      await inWorld(options, async (world) => {
        world.step("reading what holds now");
        const seen = await observe(world, openPlatform(world, options));
        const settings =
          options.commit === true ? requireReconciler(world.set.reconciler) : world.set.reconciler;
        world.step("looking at what the sources hold");
        const looks = await lookAround(world);
        const folder = options.out ?? settings?.reports.path ?? "reports";
        const source =
          options.commit === true && settings !== undefined
            ? await openSource(world, placeOf(settings))
            : undefined;
        const previous = await source?.lastPublished(folder);
        const decryptor = await readFile(join(import.meta.dirname, "../../../docs", decryptorName), "utf8");
        const written = await writeReport(world, seen, {
          decryptor,
          remarks: options.remark ?? [],
          looks,
          read: source === undefined ? readIn(folder) : (path) => source.readPublished(join(folder, path)),
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

/** Needs no policies, no store and no network: a checkout is enough. */
async function verifyReports(options: ReportOptions): Promise<void> {
  const folder = options.out ?? "reports";
  const names = await namesIn(folder);
  if (names.length === 0) throw new HoldfastError("usage", `there is no report in '${folder}'`);
  const { checked, unlinked, fault } = await verifyChain(names, readIn(folder));
  if (fault !== undefined) process.exitCode = 4;
  if (options.format === "json")
    return printJson({ ok: fault === undefined, checked, unlinked, fault: fault ?? null });
  const paint = paintFor(process.stdout);
  if (unlinked > 0) print(`${unlinked} from before there was a chain: nothing is said of them`);
  print(
    fault === undefined
      ? paint.good(
          `${count(checked, "report is as it was", "reports are as they were")} written; the newest is vouched for by its commit`,
        )
      : paint.bad(`report ${fault.name} was changed: ${fault.detail}`),
  );
}

function readIn(folder: string): ReadReportFile {
  return (path) => readFile(join(folder, path), "utf8").catch(() => undefined);
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
