/** What deploy/Containerfile makes, and the vendors' programs beside it, from files of this machine. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { writeTools } from "./ferretdb.ts";
import { addFile, addNode, addPrograms, nodePath, packImage } from "./image.ts";

const root = join(import.meta.dirname, "../..");
const home = "/opt/holdfast";

export interface ImagePrograms {
  /** Folder of PostgreSQL's programs. */
  readonly postgresql: string;
  readonly bao?: string;
  readonly mc?: string;
  readonly ferretdb?: string;
}

const postgresqlPrograms = [
  "pg_basebackup",
  "pg_receivewal",
  "pg_verifybackup",
  "pg_controldata",
  "pg_ctl",
  "pg_waldump",
  "postgres",
];
const otherPrograms = [
  ...["/bin/sh", "/bin/bash", "/bin/gzip", "/bin/tar", "/bin/cat", "/bin/cp", "/bin/ln", "/bin/df"],
  ...["git", "zstd", "igzip", "du", "test", "id", "head", "setpriv", "openssl"].map((n) => `/usr/bin/${n}`),
  ...["redis-cli", "redis-server", "redis-check-rdb", "redis-check-aof"].map((n) => `/usr/bin/${n}`),
];

/** Packs the image and returns its archive, beside `place`, which is gone afterwards. */
export function makeHoldfastImage(place: string, name: string, programs: ImagePrograms): string {
  mkdirSync(join(place, "etc"), { recursive: true });
  mkdirSync(join(place, "tmp"));
  writeFileSync(join(place, "etc/passwd"), "root:x:0:0::/:/bin/sh\nholdfast:x:10001:10001::/tmp:/bin/sh\n");
  addNode(place);
  addPrograms(place, [...postgresqlPrograms.map((p) => join(programs.postgresql, p)), ...otherPrograms]);
  for (const [program, path] of [
    ["kubectl", findOnPath("kubectl")],
    ["bao", programs.bao],
    ["mc", programs.mc],
    ["ferretdb", programs.ferretdb],
  ] as const)
    if (path !== undefined) addFile(place, path, `/usr/local/bin/${program}`);
  if (programs.ferretdb !== undefined) addMongoTools(place);
  addFile(place, "/usr/share/postgresql/15", "/usr/share/postgresql/15");
  addFile(place, "/usr/lib/postgresql/15/lib", "/usr/lib/postgresql/15/lib");
  addFile(place, "/usr/share/zoneinfo", "/usr/share/zoneinfo");
  for (const { from, to } of copiedIntoImage()) addFile(place, join(root, from), join(home, to));
  for (const path of runtimePackages()) addFile(place, path, join(home, path.slice(root.length)));
  const command = [nodePath, `${home}/src/cli/holdfast.mjs`];
  const tar = packImage(place, join(dirname(place), "holdfast.tar"), name, command);
  rmSync(place, { recursive: true });
  return tar;
}

/** What the Containerfile copies from this repository, to where below the image's folder. */
export function copiedIntoImage(): readonly { readonly from: string; readonly to: string }[] {
  const text = readFileSync(join(root, "deploy/Containerfile"), "utf8");
  return [...text.matchAll(/^COPY (.+) (\S+)$/gm)].flatMap(([, sources = "", target = ""]) =>
    sources.split(" ").map((from) => ({
      from,
      to: target === from ? from : join(target, basename(from)),
    })),
  );
}

function addMongoTools(place: string): void {
  const tools = "test/servers/mongo-tools";
  addFile(place, join(root, tools), join(home, tools));
  writeTools(join(place, "usr/local/bin"), "/usr/local/bin/ferretdb", {
    node: nodePath,
    tools: join(home, tools),
  });
}

/** Folders of the packages the program runs with; those inside others come along. */
function runtimePackages(): readonly string[] {
  const listed = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((p) => p.includes("/node_modules/") && !/node-linux-|\/node_modules\/node$/.test(p))
    .filter((p) => !p.slice(root.length + "/node_modules/".length).includes("/node_modules/"));
}

function findOnPath(program: string): string | undefined {
  try {
    return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}
